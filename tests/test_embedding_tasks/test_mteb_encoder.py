"""Embeddings for mteb are those that the tagger scores with, in every form of a video."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ovmlv.apis import OVMLVInferencer
from ovmlv.embedding_tasks import MTEBEncoder
from ovmlv.embedding_tasks.video_inputs import as_video_source, middle_frames
from ovmlv.errors import DataError
from ovmlv.evaluation import Calibration

LABELS = ['red circle', 'blue square', 'star']


@pytest.fixture(scope='module')
def encoder():
    return MTEBEncoder('motionshapes', device='cpu')


@pytest.fixture
def video(write_video):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (16, 64, 64, 3), dtype=np.uint8).repeat(1, 0)
    return write_video(frames=frames, fps=8)


def test_probabilities_are_those_of_the_tagger(encoder, video):
    wanted = encoder.inferencer(video, LABELS)[0].probabilities
    texts = encoder.encode([{'text': [f'a video of {label}' for label in LABELS]}])
    videos = encoder.encode([{'video': [str(video)]}])
    np.testing.assert_allclose(np.linalg.norm(videos, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(encoder.probabilities(videos, texts)[0], wanted, atol=1e-5)
    scorer = encoder.inferencer.model.scorer
    logits = float(scorer.scale) * encoder.similarity(videos, texts) + float(scorer.bias)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits[0])), wanted, atol=1e-5)
    pairs = encoder.similarity_pairwise(videos.repeat(3, 0), torch.from_numpy(texts))
    np.testing.assert_allclose(pairs, encoder.similarity(videos, texts)[0], atol=1e-6)


def test_the_calibration_is_applied(encoder, video):
    inferencer = OVMLVInferencer(encoder.inferencer.model, calibration=Calibration(3.0, 1.0))
    calibrated = MTEBEncoder(inferencer)
    embeddings = encoder.encode([{'video': [video]}]), encoder.encode([{'text': LABELS}])
    wanted = inferencer(video, LABELS)[0].probabilities
    np.testing.assert_allclose(calibrated.probabilities(*embeddings)[0], wanted, atol=1e-5)


def test_every_form_of_a_video(encoder, video):
    """A decoder is asked for the frames that the pipeline would take."""
    from ovmlv.datasets.decoders import open_video

    reader = open_video(str(video), 'pyav')
    frames = np.stack(reader.get_frames(list(range(len(reader)))))
    channels_first = torch.from_numpy(frames).permute(0, 3, 1, 2)

    def get_frames_at(indices):  # as torchcodec's VideoDecoder
        return SimpleNamespace(data=channels_first[indices])

    decoder = SimpleNamespace(
        metadata=SimpleNamespace(num_frames=len(frames)), get_frames_at=get_frames_at
    )
    forms = [
        str(video), video, {'path': str(video), 'bytes': None}, {'bytes': video.read_bytes()},
        frames, channels_first, decoder,
    ]  # fmt: skip
    found = encoder.encode([{'video': forms[:3]}, {'video': forms[3:]}])
    assert found.shape == (len(forms), 128) and found.dtype == np.float32
    np.testing.assert_allclose(found, found[:1].repeat(len(forms), 0), atol=1e-5)
    assert isinstance(as_video_source({'bytes': b'x'}, 8), bytes)
    assert middle_frames(3, 8) == [0, 0, 0, 1, 1, 2, 2, 2]
    with pytest.raises(DataError, match='no number of frames'):
        middle_frames(None, 8)
    with pytest.raises(DataError, match='BytesIO is no video'):
        as_video_source(io.BytesIO(), 8)


def test_pictures_and_rows_of_several(encoder, video):
    from PIL import Image

    picture = Image.fromarray(np.full((64, 64, 3), 200, np.uint8))
    image = encoder.encode([{'image': [picture]}])
    still = encoder.encode([{'video': [np.full((1, 64, 64, 3), 200, np.uint8)]}])
    np.testing.assert_allclose(image, still, atol=1e-6)
    both = encoder.encode([{'text': ['star'], 'video': [video]}])
    parts = encoder.encode([{'text': ['star']}]) + encoder.encode([{'video': [video]}])
    np.testing.assert_allclose(both, parts, atol=1e-6)
    with pytest.raises(DataError, match='a batch of mteb has audio'):
        encoder.encode([{'audio': [1]}])
    assert encoder.encode([]).shape == (0, 128)


def test_texts_may_repeat(encoder):
    texts = encoder.encode([{'text': ['star', 'a video of star', 'red circle', 'star']}])
    np.testing.assert_array_equal(texts[[0, 1]], texts[[3, 3]])
    plain = MTEBEncoder(encoder.inferencer, prompt='')
    assert abs(plain.encode([{'text': ['a video of star']}]) - texts[0]).max() > 1e-3

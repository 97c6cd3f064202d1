"""Dual encoders of transformers as ONNX, for any number of frames or for that of training."""

from __future__ import annotations

import numpy as np
import pytest

from ovmlv.apis import open_model
from ovmlv.errors import DataError
from ovmlv.export import export_model
from ovmlv.runtime import VideoTagger
from tests.test_models.test_dual_encoders.tiny_dual import CONFIGS, write_dual

pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

#: Positions in time that transformers interpolates, or that belong to one number of frames.
FIXED = ('videoprism', 'xclip')


@pytest.mark.slow
@pytest.mark.parametrize('family', CONFIGS)
def test_export(family, tmp_path):
    write_dual(tmp_path / 'model', family)
    model = open_model(tmp_path / 'model', device='cpu')
    labels = ['a dog', 'running']
    assert export_model(model, labels, tmp_path / 'out') < 1e-4
    tagger = VideoTagger(tmp_path / 'out')
    fixed = 4 if family in FIXED else None
    assert tagger.fixed_frames == fixed
    squashed = family not in ('xclip', 'clip')
    assert tagger.meta.squash == squashed
    frames = np.random.default_rng(0).integers(0, 256, (4, 50, 70, 3), dtype=np.uint8)
    found = tagger.tag(frames).probabilities
    from ovmlv.apis import OVMLVInferencer

    expected = OVMLVInferencer(model)(frames, labels, num_frames=4)[0].probabilities
    np.testing.assert_allclose(found, expected, atol=5e-3)  # frames are rounded to bytes apart
    if fixed:
        with pytest.raises(DataError, match='takes 4 frames, not 3'):
            tagger.tag(frames[:3])

"""Backbones on tiny towers."""

import json

import pytest
import torch

from ovmlv.models.backbones import TemporalCLIPBackbone
from ovmlv.models.clip import loading
from tests.test_models.test_backbones.tiny_towers import EMBED_DIMS, SIZES, TOWERS


@pytest.fixture
def architecture(tmp_path):
    """Write a tiny CLIP with the named tower; returns the path of its JSON file."""

    def write(tower):
        config = dict(
            embed_dim=EMBED_DIMS.get(tower, 24),
            vision_cfg=TOWERS[tower],
            text_cfg=dict(context_length=8, vocab_size=20, width=16, heads=1, layers=1),
            custom_text=True,
        )
        path = tmp_path / f'{tower}.json'
        path.write_text(json.dumps(config))
        return str(path)

    return write


@pytest.fixture
def build(architecture, monkeypatch):
    """Build a backbone on a tiny tower of always the same weights, with a temporal module."""

    def shaken(*args):
        # Some libraries start layers at zero, where a test would see nothing.
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(0)
            model = build_model(*args)
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        return model

    build_model = loading.build_model
    monkeypatch.setattr(loading, 'build_model', shaken)

    def _build(tower='open_clip', module='ParallelTemporalAttention', num_frames=4, **kwargs):
        temporal = module if isinstance(module, dict) or module is None else dict(type=module)
        resized = tower in ('eva', 'perception', 'timm', 'timm_registers')
        size = SIZES[tower] if resized else None
        return TemporalCLIPBackbone(
            architecture(tower),
            image_size=size,
            num_frames=num_frames,
            temporal=temporal,
            **kwargs,
        )

    return _build

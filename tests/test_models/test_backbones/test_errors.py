"""Mistakes are one line of culprit and mend; hosts of other projects find the parts."""

import pytest
import torch
from mmengine.registry import DefaultScope

from ovmlv.errors import ConfigError
from ovmlv.registry import MODELS
from tests.test_models.test_backbones.tiny_towers import videos


@pytest.mark.parametrize(
    ('tower', 'kwargs', 'culprit'),
    [
        ('open_clip', dict(trainable='temporall'), 'backbone.trainable='),
        ('open_clip', dict(trainable=4), 'from 1 to 3'),
        ('open_clip', dict(trainable=0), 'backbone.trainable=0'),
        ('open_clip', dict(trainable=True), 'backbone.trainable=True'),
        ('resnet', dict(module=None, trainable=2), 'ModifiedResNet has no blocks'),
        ('resnet', dict(module=None, grad_checkpointing=True), 'grad_checkpointing'),
        ('resnet', dict(), 'use FrameTransformer or FrameMean'),
        ('open_clip', dict(num_frames=0), 'num_frames=0'),
        ('open_clip', dict(module='ParallelTemporalAttn'), "'ParallelTemporalAttn'"),
        ('open_clip', dict(module=dict(blocks='last-4')), 'backbone.temporal.type=None'),
        ('open_clip', dict(module='TemporalCLIPBackbone'), "'TemporalCLIPBackbone'"),
        (
            'open_clip',
            dict(module=dict(type='ParallelTemporalAttention', blocks=[7])),
            'temporal.blocks=[7]',
        ),
        (
            'open_clip',
            dict(module=dict(type='ParallelTemporalAttention', gate='vector')),
            "temporal.gate='vector'",
        ),
        (
            'open_clip',
            dict(module=dict(type='ParallelTemporalAttention', num_heads=5)),
            'num_heads',
        ),
        ('open_clip', dict(module=dict(type='CrossFrameMessage', num_heads=5)), 'num_heads=5'),
        ('open_clip', dict(module=dict(type='NeighborFrameAttention', reach=0)), 'reach=0'),
    ],
)
def test_wrong_settings(build, tower, kwargs, culprit):
    with pytest.raises(ConfigError) as caught:
        build(tower, **kwargs)
    assert culprit in str(caught.value) and '\n' not in str(caught.value)


def test_wrong_inputs(build):
    backbone = build('open_clip')
    with pytest.raises(ValueError, match=r'\(B, C, T, H, W\)'):
        backbone(torch.randn(2, 3, 32, 32))
    with pytest.raises(ValueError, match='num_frames=5'):
        backbone.forward_from(backbone.frozen_prefix(videos('open_clip')), 5)
    finetuned = build('open_clip', trainable='all', keep_reference=False)
    with pytest.raises(ConfigError, match='keep_reference'):
        finetuned.forward_with_reference(videos('open_clip'))
    assert finetuned.reference is None


def test_patch_dropout_is_refused_between_frames(build, monkeypatch):
    from tests.test_models.test_backbones import tiny_towers

    dropping = dict(tiny_towers.TOWERS['open_clip'], patch_dropout=0.5)
    monkeypatch.setitem(tiny_towers.TOWERS, 'open_clip', dropping)
    with pytest.raises(ConfigError, match='patch_dropout'):
        build('open_clip')
    assert build('open_clip', 'FrameTransformer').embed_dim == 24


def test_parts_are_found_from_another_project(architecture):
    """The default scope of a host hides neither the backbone nor its temporal module."""
    config = dict(
        type='ovmlv.TemporalCLIPBackbone',
        model_name=architecture('open_clip'),
        num_frames=4,
        temporal=dict(type='FrameTransformer'),
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        backbone = MODELS.build(config)
    assert type(backbone.temporal).__name__ == 'FrameTransformer'
    assert config['temporal'] == dict(type='FrameTransformer')  # a config is not changed

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from ovmlv.apis import OVMLVInferencer
from ovmlv.errors import ConfigError, DataError
from ovmlv.models.backbones import TemporalCLIPBackbone
from ovmlv.registry import MODELS
from ovmlv.visualization.frame_attention import draw_attention, frame_attention, video_attention

CLIP = dict(
    embed_dim=24,
    vision_cfg=dict(image_size=32, layers=2, width=32, head_width=16, patch_size=16),
    text_cfg=dict(context_length=24, vocab_size=49408, width=32, heads=2, layers=1),
)


@pytest.fixture
def backbone(tmp_path):
    path = tmp_path / 'tiny_clip_for_attention.json'
    path.write_text(json.dumps(CLIP))

    def build(kind, **kwargs):
        torch.manual_seed(0)
        model = TemporalCLIPBackbone(str(path), num_frames=4, temporal=dict(type=kind, **kwargs))
        with torch.no_grad():  # what starts at zero would leave later layers as they are
            for p in model.parameters():
                if p.requires_grad:
                    p.add_(0.3 * torch.randn_like(p))
        return model.eval()

    return build


VIDEO = torch.randn(3, 4, 32, 32, generator=torch.Generator().manual_seed(0))


def test_weights_are_those_that_the_model_uses(backbone, monkeypatch):
    """Against the softmax inside torch's own attention, caught while the model runs."""
    model = backbone('ParallelTemporalAttention', blocks='all', num_heads=2)
    caught = []
    original = F.scaled_dot_product_attention

    def spy(q, k, v, **kwargs):
        if q.shape[2] == 4 and kwargs.get('dropout_p') == 0.0 and q.shape[0] == 5:
            eye = torch.eye(4).expand(*q.shape[:2], 4, 4)
            caught.append(original(q, k, eye))
        return original(q, k, v, **kwargs)

    monkeypatch.setattr(F, 'scaled_dot_product_attention', spy)
    found = frame_attention(model, VIDEO)
    assert list(found) == ['block 0', 'block 1'] and len(caught) == 2
    for weights, expected in zip(found.values(), caught):
        assert weights.shape == (5, 2, 4, 4)  # 4 patches and the class token
        torch.testing.assert_close(weights, expected)


@pytest.mark.parametrize(
    ('kind', 'options', 'names', 'shape'),
    [
        (
            'CrossFrameMessage',
            dict(blocks='all', num_heads=2),
            ['block 0', 'block 1'],
            (1, 2, 4, 4),
        ),
        ('FrameTransformer', dict(num_layers=2, num_heads=3), ['layer 0', 'layer 1'], (1, 3, 4, 4)),
        (
            'GridFrameTransformer',
            dict(num_layers=2, width=32, num_heads=4),
            ['layer 0', 'layer 1'],
            (1, 4, 4, 4),
        ),
    ],
)
def test_other_modules(backbone, kind, options, names, shape):
    found = frame_attention(backbone(kind, **options), VIDEO)
    assert list(found) == names
    for weights in found.values():
        assert weights.shape == shape
        torch.testing.assert_close(weights.sum(-1), torch.ones(shape[:-1]))
    first, second = found.values()
    assert not torch.equal(first, second)


def test_modules_without_attention_over_frames(backbone):
    for kind in ('FrameMean', 'NeighborFrameAttention'):
        with pytest.raises(ConfigError, match=f'{kind} has no attention over frames'):
            frame_attention(backbone(kind), VIDEO)


def test_picture(tmp_path):
    weights = {f'block {i}': torch.rand(5, 8, 4, 4).softmax(-1) for i in range(2)}
    frames = np.zeros((4, 20, 30, 3), dtype=np.uint8)
    path = draw_attention(weights, frames, tmp_path / 'attention.png', 'a video')
    assert path.read_bytes()[:4] == b'\x89PNG'
    with pytest.raises(DataError, match='over 4 frames, not 3'):
        draw_attention(weights, frames[:3], path)


def test_attention_of_a_video_by_an_inferencer():
    """The frames are those that the model saw, and the attention is that over them."""
    clip = dict(model_name='motionshapes', pretrained='motionshapes')
    model = MODELS.build(
        dict(
            type='OpenVocabRecognizer',
            backbone=dict(
                type='TemporalCLIPBackbone', **clip, num_frames=4,
                temporal=dict(type='ParallelTemporalAttention', blocks='last-1', num_heads=4),
            ),
            head=dict(type='TemplatePromptHead', **clip),
        )
    ).eval()  # fmt: skip
    pipeline = [
        dict(type='VideoInit'),
        dict(type='SampleSegmentFrames', clip_len=4, test_mode=True),
        dict(type='VideoDecode'),
        dict(type='mmaction.FormatShape', input_format='NCTHW'),
        dict(type='PackMultilabelInputs'),
    ]
    model.cfg = Config(dict(test_pipeline=pipeline))
    video = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3), np.uint8)
    attention, frames = video_attention(OVMLVInferencer(model), video, num_frames=3)
    assert frames.shape == (3, 64, 64, 3) and frames.dtype == np.uint8
    assert all((frame == video).all((1, 2, 3)).any() for frame in frames)
    inputs = torch.from_numpy(frames).permute(3, 0, 1, 2)
    expected = frame_attention(model.backbone, model.data_preprocessor.normalize(inputs))
    assert attention.keys() == expected.keys() and len(attention) == 1
    for name in expected:
        torch.testing.assert_close(attention[name], expected[name])
    again, _ = video_attention(model, video, num_frames=3)
    torch.testing.assert_close(again, attention)

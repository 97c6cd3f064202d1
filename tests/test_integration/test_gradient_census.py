"""After one step exactly the parameters that the config calls trainable have gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper

from tests.test_integration.tiny import LABELS, build_model, make_batch, model_config, write_clip

REGULARISED = dict(
    base=dict(type='AsymmetricLoss'),
    video_distill=1.0,
    text_distill=1.0,
    similarity_distill=0.1,
)
WORDS = ['house', 'tree', 'river']
CASES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    'paper': (
        dict(loss=REGULARISED, reference_vocabulary=WORDS),
        ('backbone.temporal.', 'head.readout.', 'head.prompter.', 'scorer.'),
    ),
    'as drawn': (
        dict(
            head=dict(readout=dict(type='SequenceReadout', num_tokens=2)),
            scorer=dict(init_bias=None),
            loss=dict(video_distill=1.0),
        ),
        ('backbone.temporal.', 'head.readout.', 'head.prompter.', 'scorer.log_scale'),
    ),
    'all of the tower': (
        dict(
            backbone=dict(trainable='all'),
            head=dict(type='TemplatePromptHead'),
            loss=dict(weight_l2=0.1, video_distill=1.0, base=dict(type='TwoWayLoss')),
        ),
        ('backbone.visual.', 'backbone.temporal.', 'scorer.'),
    ),
    'last block': (
        dict(
            backbone=dict(trainable=1, temporal=dict(type='NeighborFrameAttention', blocks=[1])),
            head=dict(type='CoOpPromptHead'),
            loss=dict(type='MultilabelFocalLoss'),
        ),
        ('backbone.visual.', 'backbone.temporal.', 'head.', 'scorer.'),
    ),
    'frames': (
        dict(
            backbone=dict(temporal=dict(type='FrameTransformer')),
            head=dict(readout=dict(type='SuffixReadout', num_tokens=2), noise=dict()),
            labels_per_step=4,
            scorer=dict(learnable=False),
        ),
        ('backbone.temporal.', 'head.readout.', 'head.prompter.'),
    ),
    'text alone': (
        dict(
            backbone=dict(trainable='none', temporal=None),
            head=dict(readout=dict(type='StaticReadout'), num_groups=2),
        ),
        ('head.prompter.', 'scorer.'),
    ),
    'generated and checkpointed': (
        dict(
            backbone=dict(
                trainable=1, temporal=dict(type='CrossFrameMessage'), grad_checkpointing=True
            ),
            head=dict(
                readout=dict(type='GenerateReadout', num_tokens=2, num_steps=2),
                grad_checkpointing=True,
            ),
        ),
        ('backbone.', 'head.readout.', 'head.prompter.', 'scorer.'),
    ),
}


@pytest.mark.parametrize('case', CASES)
def test_census(case, tmp_path):
    config, expected = CASES[case]
    model = build_model(model_config(write_clip(tmp_path), **config)).train()
    model.set_vocabulary(dict(classes=LABELS, label_prior=[0.3] * len(LABELS)))
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert all(name.startswith(expected) for name in trainable), sorted(trainable)
    for part in expected:
        assert any(name.startswith(part) for name in trainable), part
    frozen = {n: p.detach().clone() for n, p in model.named_parameters() if n not in trainable}
    before = {name: p.detach().clone() for name, p in trainable.items()}

    optimizer = OptimWrapper(torch.optim.SGD(trainable.values(), lr=0.1))
    optimizer.zero_grad = lambda **kwargs: None  # gradients stay to be looked at
    model.train_step(make_batch(3), optimizer)

    for name, p in model.named_parameters():
        if name in frozen:
            assert p.grad is None, name
            # Calibration sets the scorer's bias once, learnable or not.
            assert name == 'scorer.bias' or torch.equal(p, frozen[name]), name
        else:
            assert p.grad is not None, name
            assert p.grad.isfinite().all(), name
    reached = {name for name, p in trainable.items() if p.grad.any()}
    # The bias of keys moves all attention logits of a query alike: its gradient is zero.
    assert set(trainable) - reached <= {n for n in trainable if n.endswith(('bias', 'bias_k'))}
    assert all(not torch.equal(trainable[name], before[name]) for name in reached)
    model.train()
    assert all(not m.training for m in model.modules() if getattr(m, '_ovmlv_frozen', None) is True)

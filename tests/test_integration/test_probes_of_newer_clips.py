"""CoOp and frozen probes on a PE-Core with random weights: as on any other CLIP, by names alone."""

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.optim import OptimWrapper

from ovmlv.models.recognizers import OpenVocabRecognizer

CLIP = dict(model_name='PE-Core-T-16-384', pretrained=None)
LABELS = ['a dog', 'running', 'a red house']


@pytest.mark.slow
@pytest.mark.parametrize(
    ('temporal', 'head', 'trained'),
    [
        ('FrameMean', 'CoOpPromptHead', {'head.context'}),
        ('FrameMean', 'LinearProbeHead', {'head.map.weight'}),
        ('FrameTransformer', 'TemplatePromptHead', {'backbone.temporal'}),
    ],
)
def test_trains_on_frozen_pe_core(temporal, head, trained):
    torch.manual_seed(0)
    model = OpenVocabRecognizer(
        backbone=dict(
            type='TemporalCLIPBackbone', **CLIP, num_frames=2, temporal=dict(type=temporal)
        ),
        head=dict(type=head, **CLIP),
    )
    assert torch.allclose(model.head(LABELS), model.head.reference(LABELS), atol=1e-4)
    model.train().set_vocabulary(dict(classes=LABELS, label_prior=[0.3] * 3))
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    allowed = (*trained, 'scorer.')
    assert all(name.startswith(allowed) for name in parameters), sorted(parameters)
    wrapper = OptimWrapper(torch.optim.SGD(parameters.values(), lr=1e-2))
    videos = torch.randint(0, 256, (2, 3, 2, 384, 384), dtype=torch.uint8)
    samples = [
        ActionDataSample().set_gt_label(torch.tensor(row)) for row in ([1, 0, -1], [0, 1, 0])
    ]
    before = {name: p.detach().clone() for name, p in parameters.items()}
    for _ in range(2):  # what starts at zero hides what is behind it in the first step
        log = model.train_step(dict(inputs=list(videos), data_samples=samples), wrapper)
    assert log['loss'].isfinite()
    for part in trained:
        assert any(
            name.startswith(part) and not torch.equal(p, before[name])
            for name, p in parameters.items()
        ), part

"""What only a GPU can show: the same figures as on a processor, and training in bfloat16."""

import pytest
import torch
from mmaction.structures import ActionDataSample

from ovmlv.evaluation.functional import average_precision
from ovmlv.models.recognizers import OpenVocabRecognizer

pytestmark = pytest.mark.gpu

CLIP = dict(model_name='motionshapes', pretrained='motionshapes')
LABELS = ['a red circle', 'moving left', 'a blue star', 'spinning']
LLM = dict(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))
TEMPORAL = [
    dict(type='ParallelTemporalAttention'),
    dict(type='GridFrameTransformer', width=64),
    dict(type='FrameTransformer'),
]


def make(temporal, **kwargs):
    torch.manual_seed(0)
    return OpenVocabRecognizer(
        dict(type='TemporalCLIPBackbone', **CLIP, num_frames=4, temporal=temporal),
        dict(type='LLMPromptHead', **CLIP, llm=LLM, prompter=dict(width=32)),
        **kwargs,
    )


def videos(count=3):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 1, 3, 4, 64, 64), generator=generator, dtype=torch.uint8)


def batch():
    generator = torch.Generator().manual_seed(2)
    targets = torch.randint(-1, 2, (3, len(LABELS)), generator=generator)
    return dict(
        inputs=list(videos()), data_samples=[ActionDataSample().set_gt_label(t) for t in targets]
    )


@pytest.mark.parametrize('temporal', TEMPORAL, ids=lambda config: config['type'])
def test_scores_are_those_of_a_processor(temporal):
    model = make(temporal).eval()
    expected = model.predict_labels(videos(), LABELS)
    found = model.cuda().predict_labels(videos().cuda(), LABELS)
    torch.testing.assert_close(found.cpu(), expected, atol=2e-3, rtol=1e-2)


@pytest.mark.parametrize('temporal', TEMPORAL, ids=lambda config: config['type'])
def test_losses_and_gradients_are_those_of_a_processor(temporal):
    loss = dict(type='RegularizedMultilabelLoss', video_distill=1.0, ranking_distill=1.0)
    model = make(temporal, loss=loss, reference_vocabulary='training').train()
    model.set_vocabulary(LABELS)
    found = []
    for device in ('cpu', 'cuda'):
        model.to(device).zero_grad()
        data = model.data_preprocessor(batch(), True)
        losses = model(**data, mode='loss')
        total = sum(value for name, value in losses.items() if name.startswith('loss'))
        total.backward()
        squares = [p.grad.double().square().sum() for p in model.parameters() if p.grad is not None]
        found.append((total.item(), float(torch.stack(squares).sum().sqrt())))
    assert found[1] == pytest.approx(found[0], rel=2e-2)


def test_steps_in_bfloat16_lower_the_loss():
    model = make(TEMPORAL[0]).cuda().train()
    model.set_vocabulary(LABELS)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    data = model.data_preprocessor(batch(), True)
    found = []
    for _ in range(20):
        with torch.autocast('cuda', torch.bfloat16):
            losses = model(**data, mode='loss')
        optimizer.zero_grad()
        losses['loss_cls'].backward()
        optimizer.step()
        found.append(losses['loss_cls'].item())
    assert found[-1] < 0.9 * found[0] and all(map(torch.isfinite, map(torch.tensor, found)))


def test_average_precision_is_that_of_a_processor():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(500, 30, generator=generator).mul(50).round()  # with ties
    targets = torch.randint(-1, 2, (500, 30), generator=generator)
    found = average_precision(scores.cuda(), targets.cuda()).cpu()
    torch.testing.assert_close(found, average_precision(scores, targets), atol=1e-6, rtol=0)

"""FAULTS F1: everything that is kept because weights stay notices when they do not."""

import copy
import pickle

import pytest
import torch
from torch import nn

from ovmlv.models.heads import TemplatePromptHead
from ovmlv.models.llm import CausalLLM, StaticReadout, SuffixReadout
from ovmlv.models.utils.weight_watch import WeightWatch, tensor_fingerprint, tensors_of
from tests.test_models.test_heads.tiny_clip import write_tiny_clip

LABELS = ['cat', 'riding a bicycle']


def loaded(module):
    module.load_state_dict({k: v + 1 for k, v in module.state_dict().items()})


def stepped(module):
    module.requires_grad_(True)
    sum(p.sum() for p in module.parameters()).backward()
    torch.optim.SGD(module.parameters(), lr=1.0).step()


def through_data(module):
    for p in module.parameters():
        p.data.mul_(2).add_(1)


def one_value_that_trains(module):
    module[0].weight.requires_grad_(True)
    watch.changed(tensors_of(module))
    module[0].weight.data[3, 1] += 1


def in_a_buffer(module):
    module[1].running_mean += 1


watch = WeightWatch()


@pytest.mark.parametrize(
    'change',
    [loaded, stepped, through_data, in_a_buffer, one_value_that_trains, nn.Module.half,
     lambda m: m.to(torch.float64), lambda m: m.append(nn.Linear(2, 2))],
)  # fmt: skip
def test_every_change_is_seen_once(change):
    module = nn.Sequential(nn.Linear(50, 40), nn.BatchNorm1d(40)).requires_grad_(False)
    watch.changed(tensors_of(module))
    assert not watch.changed(tensors_of(module))
    digest = tensor_fingerprint(tensors_of(module))
    change(module)
    assert watch.changed(tensors_of(module)) and not watch.changed(tensors_of(module))
    assert tensor_fingerprint(tensors_of(module)) != digest


def test_what_is_no_change():
    module = nn.Linear(3, 3)
    watch.changed(tensors_of(module))
    module.eval()
    module.zero_grad()
    module(torch.randn(2, 3)).sum().backward()
    assert not watch.changed(tensors_of(module))
    assert tensor_fingerprint(tensors_of(module)) == tensor_fingerprint(
        tensors_of(copy.deepcopy(module))
    )
    for other in (copy.deepcopy(watch), pickle.loads(pickle.dumps(watch))):
        assert other.changed(tensors_of(module))


@pytest.mark.parametrize('background', [None, 'everyday'])
def test_references_of_labels_follow_the_text_tower(background, tmp_path):
    torch.manual_seed(0)
    head = TemplatePromptHead(write_tiny_clip(tmp_path), background=background)
    other = TemplatePromptHead(write_tiny_clip(tmp_path), background=background)
    before, expected = head(LABELS), other(LABELS)
    assert not torch.allclose(before, expected, atol=1e-3)
    head.text_tower.load_state_dict(other.text_tower.state_dict())
    torch.testing.assert_close(head(LABELS), expected)
    torch.testing.assert_close(head.reference(LABELS), other.reference(LABELS))


@pytest.mark.parametrize('kind', [StaticReadout, SuffixReadout])
def test_states_of_labels_follow_the_language_model(kind, tmp_path):
    config = dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4, initializer_range=0.15)
    kwargs = dict(cache_dir=str(tmp_path)) if kind is StaticReadout else {}
    llm, other = (CausalLLM(config=config, seed=seed) for seed in (1, 2))
    readout = kind(llm, **kwargs)
    fresh = kind(other)
    fresh.load_state_dict(readout.state_dict())
    before, expected = readout(llm, LABELS)[0], fresh(other, LABELS)[0]
    llm.load_state_dict(other.state_dict())
    assert not torch.allclose(before, expected, atol=1e-3)
    torch.testing.assert_close(readout(llm, LABELS)[0], expected)

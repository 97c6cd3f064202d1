"""Label embeddings are reused exactly as long as they are right."""

import copy
import pickle

import pytest
import torch
from torch import nn


@pytest.fixture
def model(make_model, labels):
    model = make_model().eval()
    model.encode_labels(labels)
    model.head.batches.clear()
    return model


def computed(model, labels):
    """Whether the labels went through the head; what comes out is right in any case."""
    out = model.encode_labels(labels)
    count = len(model.head.batches)
    with torch.no_grad():
        assert torch.allclose(out, model.head(labels), atol=1e-6)
    model.head.batches.clear()
    return count > 0


def test_kept_for_equal_weights_and_labels(model, labels):
    assert not computed(model, labels)
    assert not computed(model, tuple(labels))
    assert not computed(model, labels[::-1])
    assert not computed(model, labels[1:2])


def test_only_new_labels_are_computed(model, labels):
    model.encode_labels(['new', *labels[:1], 'newer'])
    assert model.head.batches == [['new', 'newer']]
    model.head.batches.clear()
    assert not computed(model, ['newer', labels[0], 'new'])


def in_place(head):
    with torch.no_grad():
        head.layer.weight.mul_(-1)


def through_data(head):
    head.layer.bias.data.copy_(torch.ones(8))  # as EMAHook does; the version counter stays


def replaced(head):
    head.layer.weight = nn.Parameter(torch.randn(8, 8))


def loaded(head):
    head.load_state_dict({k: torch.randn_like(v) for k, v in head.state_dict().items()})


def stepped(head):
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.1)
    head(['a']).sum().backward()
    optimizer.step()


@pytest.mark.parametrize('change', [in_place, through_data, replaced, loaded, stepped])
def test_forgotten_when_a_weight_changes(change, model, labels):
    change(model.head)
    assert computed(model, labels)
    assert not computed(model, labels)


def test_forgotten_when_a_frozen_tensor_changes(model, labels):
    model.head.layer.requires_grad_(False)
    assert computed(model, labels) and not computed(model, labels)
    in_place(model.head)
    assert computed(model, labels)


def test_forgotten_between_training_and_testing_and_unused_in_training(model, labels):
    model.train()
    assert computed(model, labels) and computed(model, labels)
    model.eval()
    assert computed(model, labels) and not computed(model, labels)


def test_autocast_has_its_own_entries(model, labels):
    with torch.autocast('cpu', dtype=torch.bfloat16):
        model.encode_labels(labels)
    assert len(model.head.batches) == 1
    model.head.batches.clear()
    assert not computed(model, labels)


def test_copies_start_without_entries(model, labels):
    assert computed(copy.deepcopy(model), labels)
    cache = pickle.loads(pickle.dumps(model.label_cache))
    assert not cache._entries


def test_labels_are_encoded_in_chunks(make_model, labels):
    model = make_model(labels_per_pass=4).eval()
    expected = make_model().eval().encode_labels(labels)
    assert torch.allclose(model.encode_labels(labels), expected, atol=1e-6)
    assert [len(batch) for batch in model.head.batches] == [4, 2]


def test_chunked_results_carry_no_graph(model, labels):
    assert not model.encode_labels(labels).requires_grad

"""Cosines that are shown lie between -1 and 1, whatever float32 makes of unit vectors."""

import pytest
import torch

from ovmlv.label_bank import EncoderIdentity, LabelBank
from ovmlv.label_bank.files import LabelBlock

SIZE = 48


@pytest.fixture(scope='module')
def vectors():
    """Unit vectors, the second half opposite to the first."""
    some = torch.randn(200, SIZE, generator=torch.Generator().manual_seed(0))
    some = torch.nn.functional.normalize(some, dim=-1)
    own = (some * some).sum(-1)
    assert own.max() > 1, 'nothing is above 1, so that nothing is tested'
    return torch.cat([some, -some])


@pytest.fixture(scope='module')
def bank(vectors):
    labels = [f'label {i}' for i in range(len(vectors))]
    encoder = EncoderIdentity('Any', '0', {}, SIZE, True)
    return LabelBank(encoder, [LabelBlock(tuple(labels), vectors)])


def test_search_shows_cosines(bank, vectors):
    found = bank.search(bank.labels, k=len(bank))
    shown = torch.tensor([[near.similarity for near in row] for row in found], dtype=torch.float64)
    assert shown.min() == -1 and shown.max() == 1
    exact = (vectors.double() @ vectors.double().T).sort(1, descending=True).values
    torch.testing.assert_close(shown, exact, atol=1e-6, rtol=0)
    assert [row[0].label for row in found] == list(bank.labels)


def test_what_is_no_number_is_not_hidden(bank):
    """A clamp that makes 1 of NaN would show a broken encoder as a perfect one."""
    broken = LabelBlock(('broken',), torch.full((1, SIZE), torch.nan))
    ((near,),) = LabelBank(bank.encoder, [broken]).search(['broken'], 1)
    assert near.similarity != near.similarity

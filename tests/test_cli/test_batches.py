"""Batches that are larger than the data."""

import pytest
from mmengine.dataset import DefaultSampler, InfiniteSampler
from torch.utils.data import DataLoader

from ovmlv.cli.batches import refuse_missing_batches
from ovmlv.errors import ConfigError

DATA = list(range(5))


def test_no_batch_is_refused():
    """FAULTS D11: training of no batch ended well."""
    loader = DataLoader(DATA, batch_size=6, sampler=DefaultSampler(DATA), drop_last=True)
    with pytest.raises(ConfigError, match='batch_size=6 and drop_last=True leave no batch of 5'):
        refuse_missing_batches(loader)


@pytest.mark.parametrize(
    'options',
    [
        dict(batch_size=6, sampler=DefaultSampler(DATA)),
        dict(batch_size=5, sampler=DefaultSampler(DATA), drop_last=True),
        dict(batch_size=6, sampler=InfiniteSampler(DATA), drop_last=True),
    ],
)
def test_batches_are_let_pass(options):
    refuse_missing_batches(DataLoader(DATA, **options))

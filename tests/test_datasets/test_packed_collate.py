"""Batches through a real worker process: the same, and in two tensors."""

from multiprocessing.reduction import ForkingPickler

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset

from ovmlv.datasets.packed_collate import packed_collate


class Videos(Dataset):
    """Videos of one size or of several, with targets."""

    def __init__(self, sizes):
        self.sizes = sizes

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        video = torch.randint(0, 256, (1, 3, 2, self.sizes[index], 4), generator=generator)
        sample = ActionDataSample(metainfo=dict(filename=f'{index}.mp4', index=index))
        sample.set_gt_label(torch.randint(-1, 2, (5,), generator=generator))
        return dict(inputs=video.to(torch.uint8), data_samples=sample)


@pytest.mark.parametrize('sizes', [[4] * 6, [4, 5, 4, 6, 4, 4]], ids=['alike', 'different'])
def test_what_arrives_is_the_same(sizes):
    videos = Videos(sizes)
    arrived = [
        list(DataLoader(videos, batch_size=3, num_workers=1, collate_fn=collate))
        for collate in (pseudo_collate, packed_collate)
    ]
    assert len(arrived[0]) == len(arrived[1]) == 2
    for expected, found in zip(*arrived, strict=True):
        for a, b in zip(expected['inputs'], found['inputs'], strict=True):
            assert torch.equal(a, b)
        for a, b in zip(expected['data_samples'], found['data_samples'], strict=True):
            assert torch.equal(a.gt_label, b.gt_label) and a.metainfo == b.metainfo
            assert a.keys() == b.keys()


def test_two_tensors_travel(monkeypatch):
    batch = packed_collate([Videos([4] * 6)[i] for i in range(6)])
    sent = []
    reduce = ForkingPickler._extra_reducers[torch.Tensor]
    monkeypatch.setitem(
        ForkingPickler._extra_reducers, torch.Tensor, lambda t: (sent.append(t.shape), reduce(t))[1]
    )
    ForkingPickler.dumps(batch)
    assert sent == [(6, 1, 3, 2, 4, 4), (6, 5)]
    assert torch.is_tensor(batch['data_samples'][0].gt_label), 'the worker keeps its own'


def test_other_batches_stay_as_they_are():
    assert packed_collate([1, 2]) == pseudo_collate([1, 2])
    assert packed_collate([dict(inputs='a'), dict(inputs='b')]) == dict(inputs=['a', 'b'])


def test_a_runner_finds_it():
    """mmengine's Runner looks functions up at the root, in no scope."""
    loader = Runner.build_dataloader(
        dict(
            dataset=Videos([4] * 6), batch_size=3, collate_fn=dict(type='ovmlv.packed_collate'),
            sampler=dict(type='DefaultSampler', shuffle=False),
        )
    )  # fmt: skip
    assert [len(batch['inputs']) for batch in loader] == [3, 3]
    assert loader.collate_fn.func is packed_collate

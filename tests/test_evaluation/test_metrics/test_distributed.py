"""Two real gloo processes give the metric of one: no sample lost, none counted twice."""

import json
import socket

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader, Dataset

from ovmlv.errors import DataError
from ovmlv.evaluation import MultilabelMetric

CASES = [
    (size, shuffle, round_up) for size in (13, 101) for shuffle in (0, 1) for round_up in (0, 1)
]


class Samples(Dataset):
    """Predictions of ``size`` videos."""

    def __init__(self, size: int) -> None:
        random = np.random.default_rng(size)
        self.targets = torch.tensor(random.integers(-1, 2, (size, 5)))
        self.scores = torch.tensor(random.random((size, 5)).round(1), dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: int) -> dict:
        return dict(
            pred_score=self.scores[index],
            gt_label=self.targets[index],
            sample_idx=index,
            filename=f'{index}.mp4',
        )


def run(size: int, shuffle: int, round_up: int, drop_last: bool = False) -> dict:
    dataset = Samples(size)
    sampler = DefaultSampler(dataset, shuffle=bool(shuffle), seed=0, round_up=bool(round_up))
    loader = DataLoader(dataset, 4, sampler=sampler, collate_fn=list, drop_last=drop_last)
    metric = MultilabelMetric()
    for batch in loader:
        metric.process(None, batch)
    return metric.evaluate(size)


def worker(rank: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2
    )
    found = [run(*case) for case in CASES]
    try:
        run(13, 0, 0, drop_last=True)
        error = None
    except DataError as e:  # on both processes, not on the main one alone
        error = str(e)
    with open(f'{folder}/{rank}.json', 'w') as file:
        json.dump(dict(metrics=found, error=error), file)
    torch.distributed.destroy_process_group()


def test_two_processes_equal_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # mmengine collects through files in the current folder
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.spawn(worker, (port, str(tmp_path)), nprocs=2)
    first, second = (json.loads((tmp_path / f'{rank}.json').read_text()) for rank in (0, 1))
    assert first == second
    assert 'different samples reached the metric but the data set has 13' in first['error']
    for case, found in zip(CASES, first['metrics'], strict=True):
        assert found['multilabel/num_samples'] == case[0]
        assert found == pytest.approx(run(*case), abs=1e-6)

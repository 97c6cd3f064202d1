"""A model and a data set for tests of the tools; configs reach them through custom_imports."""

import os
import random
import signal

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch.utils.data import Dataset

from ovmlv.registry import DATASETS, METRICS, MODELS


@DATASETS.register_module()
class ToyDataset(Dataset):
    """Noise from all three generators on fixed points, as augmentations would draw it."""

    metainfo = {'classes': ['a', 'b']}

    def __init__(self, length=23, dim=6):
        points = torch.Generator().manual_seed(3)
        self.points = torch.randn(length, dim, generator=points)

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        noise = random.random() + np.random.rand() + torch.rand(1).item()
        point = self.points[index] + 0.1 * noise
        return dict(inputs=point, targets=point.sum())


@MODELS.register_module()
class ToyModel(BaseModel):
    """Draws random numbers in training, and kills its own process at step TOY_KILL_AT."""

    def __init__(self, dim=6, dropout=0.5):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(dim, 16), torch.nn.Dropout(dropout), torch.nn.Linear(16, 1)
        )
        self.steps = 0

    def forward(self, inputs, targets, mode='tensor'):
        inputs, targets = torch.stack(list(inputs)), torch.stack(list(targets))
        out = self.layers(inputs).squeeze(-1)
        if mode == 'loss':
            self.steps += 1
            if self.steps == int(os.environ.get('TOY_KILL_AT', -1)):
                os.kill(os.getpid(), signal.SIGKILL)
            return dict(loss=(out - targets).square().mean())
        return list((out - targets).square())


@METRICS.register_module()
class ToyMetric(BaseMetric):
    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        self.results.extend(float(x) for x in data_samples)

    def compute_metrics(self, results):
        return dict(error=float(np.mean(results)), count=len(results), steps=np.int64(3))

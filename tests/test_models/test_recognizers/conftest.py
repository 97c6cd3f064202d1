"""Small encoders with the contract of the real ones."""

import hashlib

import pytest
import torch
from mmaction.structures import ActionDataSample
from torch import nn
from torch.nn.functional import normalize

from ovmlv.models.backbones import BaseVideoEncoder
from ovmlv.models.heads import BaseLabelEncoder
from ovmlv.models.recognizers import OpenVocabRecognizer


class FrameBackbone(BaseVideoEncoder):
    """One frozen and one trained layer on the frames' mean colours."""

    embed_dim, mean, std = 8, (0.5, 0.4, 0.3), (0.2, 0.2, 0.25)

    def __init__(self):
        super().__init__()
        self.frozen = nn.Linear(3, 8).requires_grad_(False)
        self.layer = nn.Linear(8, 8)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.layer(self.frozen(x.mean((3, 4)).transpose(1, 2))).mean(1)

    def forward_with_reference(self, x):
        return self(x), self.frozen(x.mean((2, 3, 4))).detach()

    def pretrained_parameter_names(self):
        return ['frozen.weight', 'frozen.bias', 'layer.weight', 'layer.bias']


class HashHead(BaseLabelEncoder):
    """A fixed random vector per label through one trained layer."""

    embed_dim, logit_scale, logit_bias = 8, 20.0, None

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.batches = []

    def vectors(self, labels):
        seeds = [
            int.from_bytes(hashlib.sha256(label.encode()).digest()[:4], 'big') for label in labels
        ]
        return torch.stack(
            [torch.randn(8, generator=torch.Generator().manual_seed(s)) for s in seeds]
        )

    def forward(self, labels):
        self.batches.append(list(labels))
        return normalize(self.layer(self.vectors(labels)), dim=-1)

    def reference(self, labels):
        return normalize(self.vectors(labels), dim=-1)


@pytest.fixture
def make_model():
    def make(**kwargs):
        torch.manual_seed(0)
        return OpenVocabRecognizer(FrameBackbone(), HashHead(), **kwargs)

    return make


@pytest.fixture
def make_batch():
    def make(num=4, classes=6, views=1, seed=0):
        generator = torch.Generator().manual_seed(seed)
        inputs = torch.rand(num, views, 3, 4, 5, 5, generator=generator)
        targets = torch.randint(-1, 2, (num, classes), generator=generator)
        samples = [
            ActionDataSample(metainfo=dict(filename=f'{i}.mp4', sample_idx=i)).set_gt_label(y)
            for i, y in enumerate(targets)
        ]
        return inputs, samples

    return make


@pytest.fixture
def labels():
    return ['dog', 'red circle', 'running', 'opening a door', 'cat', 'moving left']

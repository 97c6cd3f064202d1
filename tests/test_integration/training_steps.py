"""A few steps of training, in one process or in several, by the way that a case names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmaction.structures import ActionDataSample
from mmengine.dist import get_rank, get_world_size
from mmengine.model import MMDistributedDataParallel
from torch import Tensor, nn

from tests.test_integration.processes import in_processes
from tests.test_integration.tiny import build_model, total

PRIOR = 0.2


def batch_of(labels: list[str], num: int, seed: int) -> dict[str, Any]:
    """Random videos and targets, unknown ones among them; the first video has no known label."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(0, 256, (num, 1, 3, 4, 32, 32), dtype=torch.uint8, generator=generator)
    targets = torch.randint(-1, 2, (num, len(labels)), generator=generator)
    targets[0] = -1
    samples = [
        ActionDataSample(metainfo=dict(sample_idx=i)).set_gt_label(y) for i, y in enumerate(targets)
    ]
    return dict(inputs=list(inputs), data_samples=samples)


def share(batch: dict[str, Any]) -> dict[str, Any]:
    """The part of a batch that this process gets."""
    rank, world = get_rank(), get_world_size()
    return {k: v[rank * len(v) // world : (rank + 1) * len(v) // world] for k, v in batch.items()}


def whole(tensor: Tensor) -> Tensor:
    """The whole of a tensor that may be sharded."""
    return (tensor.full_tensor() if hasattr(tensor, 'full_tensor') else tensor).detach().clone()


def train(case: dict[str, Any]) -> dict[str, Any]:
    """Losses, gradients and weights of some steps, and scores afterwards.

    Args:
        case: ``model``, ``labels``, ``seed``, ``steps`` and ``way``: ``ddp`` or ``fsdp``.
    """
    model: Any = build_model(case['model'], case['seed'])
    model.set_vocabulary(dict(classes=case['labels'], label_prior=[PRIOR] * len(case['labels'])))
    wrapped = wrap(model, case.get('way', 'ddp'))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    names = [n for n, p in model.named_parameters() if p.requires_grad]
    losses, grads = [], {}
    for step in range(case.get('steps', 3)):
        model.train()
        batch = batch_of(case['labels'], 4, 100 * case['seed'] + step)
        data = model.data_preprocessor(share(batch))
        terms = wrapped(**data, mode='loss')
        loss = total(terms)
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.detach())
        now = dict(model.named_parameters())
        for name in names:
            assert now[name].grad is not None, name
            grads[f'{step}.{name}'] = whole(now[name].grad)
        optimizer.step()
    model.eval()
    scores = [s.pred_score for s in wrapped(**data, mode='predict')]
    weights = {n: whole(p) for n, p in model.named_parameters() if p.requires_grad}
    return dict(
        losses=torch.stack(losses), grads=grads, weights=weights, scores=torch.stack(scores)
    )


def wrap(model: nn.Module, way: str) -> nn.Module:
    """The model as it trains in several processes."""
    if get_world_size() == 1:
        return model
    if way == 'ddp':
        return MMDistributedDataParallel(model)
    from ovmlv.engine.strategies.sharded_model import shard_model

    shard_model(model, torch.distributed.init_device_mesh('cpu', (get_world_size(),)))
    return model


def train_all(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """:func:`train` of several cases, one after the other."""
    return [train(case) for case in cases]


def assert_equals_one_process(several: list[dict[str, Any]], one: dict[str, Any]) -> None:
    """Losses, gradients, weights and scores to 1e-5."""
    mean = torch.stack([found['losses'] for found in several]).mean(0)
    torch.testing.assert_close(mean, one['losses'], atol=1e-5, rtol=1e-5)
    for found in several:
        for what in ('grads', 'weights'):
            assert found[what].keys() == one[what].keys()
            for name, expected in one[what].items():
                torch.testing.assert_close(
                    found[what][name], expected, atol=1e-5, rtol=1e-4, msg=f'{what} of {name}'
                )
    scores = torch.cat([found['scores'] for found in several])
    torch.testing.assert_close(scores, one['scores'], atol=1e-5, rtol=1e-4)


def check(folder: Path, cases: list[dict[str, Any]], world: int = 2) -> None:
    """Several processes do with a share of the videos what one does with all of them."""
    one = train_all(cases)
    several = in_processes(folder, train_all, cases, world=world)
    for i, expected in enumerate(one):
        assert_equals_one_process([found[i] for found in several], expected)

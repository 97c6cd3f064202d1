"""One process of fully sharded training: ``python -m tests.test_integration.fsdp_worker RANK``."""

from __future__ import annotations

import os
import sys

from ovmlv.compat import apply

apply()

import torch  # noqa: E402
from torch.distributed.fsdp import fully_shard  # noqa: E402

from tests.test_integration.tiny import LABELS, build_model, make_batch, total  # noqa: E402


def step(config: dict, rank: int, world: int) -> dict:
    """Loss, gradients and new weights of one step on a share of four videos."""
    model = build_model(config)
    model.set_vocabulary(LABELS)
    batch = make_batch(4)
    batch = {
        key: value[rank * 4 // world : (rank + 1) * 4 // world] for key, value in batch.items()
    }
    data = model.data_preprocessor(batch)
    if world > 1:
        mesh = torch.distributed.init_device_mesh('cpu', (world,))
        fully_shard(model, mesh=mesh)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    loss = total(model(**data, mode='loss'))
    loss.backward()
    grads = {n: full(p.grad) for n, p in model.named_parameters() if p.requires_grad}
    optimizer.step()
    saved = {k: full(v) for k, v in model.state_dict().items()}
    return dict(loss=loss.detach(), grads=grads, saved=saved)


def full(tensor: torch.Tensor) -> torch.Tensor:
    """The whole of a tensor that may be sharded."""
    return (tensor.full_tensor() if hasattr(tensor, 'full_tensor') else tensor).detach().clone()


if __name__ == '__main__':
    rank, folder, port = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2')
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    torch.distributed.init_process_group('gloo', rank=rank, world_size=2)
    config = torch.load(f'{folder}/config.pt', weights_only=True)
    torch.save(step(config, rank, 2), f'{folder}/{rank}.pt')
    torch.distributed.destroy_process_group()

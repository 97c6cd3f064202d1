"""One process of fully sharded training: ``python -m tests.test_integration.fsdp_worker RANK``."""

from __future__ import annotations

from ovmlv.compat import apply

apply()

import torch  # noqa: E402
from torch.distributed.fsdp import fully_shard  # noqa: E402

from tests.test_integration.tiny import LABELS, build_model, make_batch, total  # noqa: E402
from tests.test_integration.worker import main, share  # noqa: E402


def step(config: dict, rank: int, world: int) -> dict:
    """Loss, gradients and new weights of one step on a share of four videos."""
    model = build_model(config)
    model.set_vocabulary(LABELS)
    data = model.data_preprocessor(share(make_batch(4), rank, world))
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
    main(step)

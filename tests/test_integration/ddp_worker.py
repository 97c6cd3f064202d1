"""One process of the distributed test: ``python -m tests.test_integration.ddp_worker RANK ...``."""

from __future__ import annotations

import os
import sys

from ovmlv.compat import apply

apply()

import torch  # noqa: E402
from mmengine.model import MMDistributedDataParallel  # noqa: E402

from tests.test_integration.tiny import LABELS, build_model, make_batch, total  # noqa: E402

PRIOR = [0.1, 0.2, 0.3, 0.2, 0.1]


def step(config: dict, rank: int, world: int) -> dict:
    """Loss, gradients and predictions of this process's share of a batch of four videos."""
    model = build_model(config)
    model.set_vocabulary(dict(classes=LABELS, label_prior=PRIOR))
    batch = make_batch(4)
    batch = {
        key: value[rank * 4 // world : (rank + 1) * 4 // world] for key, value in batch.items()
    }
    data = model.data_preprocessor(batch)
    runner = MMDistributedDataParallel(model) if world > 1 else model
    losses = runner(**data, mode='loss')
    loss = total(losses)
    loss.backward()
    with torch.no_grad():
        scores = [s.pred_score for s in model.eval()(**data, mode='predict')]
    return dict(
        loss=loss.detach(),
        losses={k: v.detach() for k, v in losses.items()},
        grads={n: p.grad for n, p in model.named_parameters() if p.requires_grad},
        bias=model.scorer.bias.detach(),
        scores=torch.stack(scores),
    )


if __name__ == '__main__':
    rank, folder, port = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2')
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    torch.distributed.init_process_group('gloo', rank=rank, world_size=2)
    config = torch.load(f'{folder}/config.pt', weights_only=True)
    torch.save(step(config, rank, 2), f'{folder}/{rank}.pt')
    torch.distributed.destroy_process_group()

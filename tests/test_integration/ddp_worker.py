"""One process of the distributed test: ``python -m tests.test_integration.ddp_worker RANK ...``."""

from __future__ import annotations

from ovmlv.compat import apply

apply()

import torch  # noqa: E402
from mmengine.model import MMDistributedDataParallel  # noqa: E402

from tests.test_integration.tiny import LABELS, build_model, make_batch, total  # noqa: E402
from tests.test_integration.worker import main, share  # noqa: E402

PRIOR = [0.1, 0.2, 0.3, 0.2, 0.1]


def step(config: dict, rank: int, world: int) -> dict:
    """Loss, gradients and predictions of this process's share of a batch of four videos."""
    model = build_model(config)
    model.set_vocabulary(dict(classes=LABELS, label_prior=PRIOR))
    data = model.data_preprocessor(share(make_batch(4), rank, world))
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
    main(step)

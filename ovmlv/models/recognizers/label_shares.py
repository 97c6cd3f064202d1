"""Labels of a step, shared out among the processes of distributed training.

Every process has videos of its own, but all of them compare these with the same labels. Where each
of W processes encodes all C labels, the work of the label encoder is done W times. Here, process r
encodes a share of ``ceil(C / W)`` labels, and all get all embeddings.

The gradient is that of one process. Let ``L_r`` be the loss of process r and ``f_k(theta)`` the
embeddings that process k computes. The wanted gradient is that of the mean loss::

    1/W sum_r dL_r/dtheta = 1/W sum_k (sum_r dL_r/df_k) df_k/dtheta

Distributed training (DDP as FSDP) averages the gradients of parameters over processes, which is the
``1/W sum_k`` on the right. What is left for process k is the inner sum, so the backward pass of the
gathering gives process k the sum over all processes of the gradients of its rows, and no further
factor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import all_gather_object, get_rank, get_world_size
from torch import Tensor

from ovmlv.errors import VocabularyError
from ovmlv.files import text_digest


class _GatherRows(torch.autograd.Function):
    """Rows ``(K, ...)`` of every process, one after the other ``(W K, ...)``."""

    @staticmethod
    def forward(_: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(_: Any, *grads: Tensor) -> Tensor:
        total = grads[0].contiguous().clone()
        dist.all_reduce(total)
        return total.chunk(get_world_size())[get_rank()]


class LabelShares:
    """Shares labels out where that is wanted and there are several processes.

    Everything here is a meeting of all processes: each of them must call it.

    Args:
        wanted: Whether to share labels out at all.
    """

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self._alike: Sequence[str] | None = None  # known to be those of all processes
        self._tested = False

    def of(self, labels: Sequence[str]) -> bool:
        """Whether labels of a vocabulary are shared out.

        Raises:
            VocabularyError: They shall be, but the processes have different ones.
        """
        if not self._several:
            return False
        if self._alike is not labels:
            if len(set(all_gather_object(text_digest('\n'.join(labels))))) > 1:
                raise VocabularyError(
                    'shard_labels=True: the processes have different labels, or another order of '
                    'them; give the data set classes=[...], or set shard_labels=False'
                )
            self._alike = labels
        return True

    def of_test(self, labels: Sequence[str]) -> bool:
        """:meth:`of` for the first batch of a test, of which every process has one; then False."""
        first, self._tested = not self._tested, True
        return first and self.of(labels)

    def end_test(self) -> None:
        """The next batch is again the first one of a test."""
        self._tested = False

    def mine(self, labels: Sequence[str]) -> list[str]:
        """The labels that this process encodes, as many on every process.

        Process r takes the labels ``r K .. (r + 1) K - 1`` with ``K = ceil(C / W)``. Behind the
        last label it goes on with the first: what is encoded twice is used once.

        Args:
            labels: C labels, the same on all processes.
        """
        if not self._several:
            return list(labels)
        size = -(-len(labels) // get_world_size())
        start = get_rank() * size
        return [labels[i % len(labels)] for i in range(start, start + size)]

    def gather(self, rows: Tensor, count: int) -> Tensor:
        """The embeddings ``(C, ...)`` of all labels, with the gradient of one process.

        Args:
            rows: ``(K, ...)`` of :meth:`mine`, with gradient or without.
            count: C.
        """
        if not self._several:
            return rows
        return _GatherRows.apply(rows)[:count]  # type: ignore[no-any-return, no-untyped-call]

    def encode(self, encode: Callable[[list[str]], Tensor], labels: Sequence[str]) -> Tensor:
        """Encode C labels ``(C, ...)``, each on one of the processes.

        Args:
            encode: Encodes any number of labels, each by itself.
            labels: C labels, the same on all processes.
        """
        return self.gather(encode(self.mine(labels)), len(labels))

    @property
    def _several(self) -> bool:
        return self.wanted and get_world_size() > 1

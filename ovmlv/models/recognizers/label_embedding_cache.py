"""Label embeddings that are computed once, for as long as the weights that made them stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ovmlv.models.utils.weight_watch import WeightWatch, tensors_of

_VOCABULARIES = 4


class LabelEmbeddingCache:
    """Embeddings of the last few vocabularies in evaluation mode.

    An entry holds only while the head's weights are what they were, see :class:`WeightWatch`.

    Attributes:
        hits: Labels that were asked for and known, so far.
        misses: Labels that were computed.
    """

    def __init__(self) -> None:
        self._watch = WeightWatch()
        self._entries: dict[tuple, Tensor] = {}
        self.hits = self.misses = 0

    def get(
        self,
        head: nn.Module,
        labels: Sequence[str],
        compute: Callable[[Sequence[str]], Tensor],
    ) -> Tensor:
        """The embeddings ``(C, E)`` of different labels.

        Args:
            head: Label encoder that computes them, each label by itself.
            labels: C label strings.
            compute: Function that is called with those labels that no kept vocabulary has.
        """
        if self._watch.changed(tensors_of(head), head):
            self.clear()
        entry = (tuple(labels), _precision())
        if entry in self._entries:
            self.hits += len(labels)
        else:
            embeddings = self._gather(*entry, compute)
            if len(self._entries) >= _VOCABULARIES:
                del self._entries[next(iter(self._entries))]
            # Computing may create lazy buffers of the head.
            self._watch.changed(tensors_of(head), head)
            self._entries[entry] = embeddings
        return self._entries[entry]

    def _gather(
        self,
        labels: tuple[str, ...],
        precision: tuple,
        compute: Callable[[Sequence[str]], Tensor],
    ) -> Tensor:
        """Take rows from the vocabularies that are kept, and compute the others."""
        known = {
            name: (embeddings, i)
            for (names, of), embeddings in self._entries.items()
            if of == precision
            for i, name in enumerate(names)
        }
        new = [label for label in labels if label not in known]
        self.hits, self.misses = self.hits + len(labels) - len(new), self.misses + len(new)
        if len(new) == len(labels):
            return compute(labels)
        if new:
            embeddings = compute(new)
            known.update((label, (embeddings, i)) for i, label in enumerate(new))
        return torch.stack([known[label][0][known[label][1]] for label in labels])

    def use(self) -> dict[str, int]:
        """``hits``, ``misses``, and the ``labels`` and ``bytes`` that are kept. From any thread."""
        kept = list(self._entries.values())
        return dict(
            hits=self.hits,
            misses=self.misses,
            labels=sum(map(len, kept)),
            bytes=sum(embeddings.nbytes for embeddings in kept),
        )

    def clear(self) -> None:
        """Forget everything."""
        self._entries = {}

    def __deepcopy__(self, memo: dict) -> LabelEmbeddingCache:
        return type(self)()  # a copied model has other tensors

    def __getstate__(self) -> dict:
        return {'_watch': WeightWatch(), '_entries': {}, 'hits': 0, 'misses': 0}


def _precision() -> tuple:
    return tuple(
        (device, torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
        for device in ('cpu', 'cuda')
    )

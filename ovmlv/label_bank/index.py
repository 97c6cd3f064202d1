"""An approximate index of a label bank, by FAISS."""

from __future__ import annotations

import math
import weakref
from typing import Any

import torch
from torch import Tensor

from ovmlv.errors import ConfigError, DependencyError
from ovmlv.models.contracts import Recognizer
from ovmlv.results import LabelScore

from .bank import LabelBank, check_count

#: Banks below are searched exactly.
_SMALL = 20000
#: FAISS asks for 39 vectors a cell at least.
_TRAINING_VECTORS = 64


class LabelIndex:
    """Finds the most probable labels of a bank without looking at all of them.

    Args:
        bank: The bank of labels; when the bank changes, the index can no longer be used.
        factory: Index as FAISS's ``index_factory`` reads it; None takes cells of an inverted file
            (IVF), or no cells for a small bank.
        probes: Number of cells of an inverted file that are searched; with more, the search is
            slower and misses fewer labels.
        oversample: Number of candidates that are scored exactly, for each label that is wanted.

    Examples:
        >>> import numpy as np
        >>> import torch
        >>> from ovmlv.apis import open_model
        >>> from ovmlv.datasets.motionshapes import Actor, Scene, render_clip
        >>> scene = Scene('plain', (Actor('circle', 'red', 'moving left'),))
        >>> frames = torch.from_numpy(render_clip(scene, 8, np.random.default_rng(0)))
        >>> model = open_model('motionshapes', device='cpu')
        >>> bank = LabelBank.build(model, ['blue square', 'red circle'])
        >>> LabelIndex(bank).top_k(model, frames.permute(3, 0, 1, 2)[None], k=1)[0][0].label
        'red circle'
    """

    def __init__(
        self,
        bank: LabelBank,
        factory: str | None = None,
        probes: int = 32,
        oversample: int = 8,
    ) -> None:
        faiss = _faiss()
        if not len(bank):
            raise ConfigError('the label bank is empty; add labels before it is indexed')
        cells = int(4 * math.sqrt(len(bank)))
        if factory is None:
            factory = 'Flat' if len(bank) < _SMALL else f'IVF{cells},Flat'
        try:
            self.index: Any = faiss.index_factory(
                bank.encoder.embed_dim, factory, faiss.METRIC_INNER_PRODUCT
            )
        except RuntimeError as error:
            raise ConfigError(
                f'FAISS knows no index {factory!r}; write e.g. IVF1024,Flat'
            ) from error
        if not self.index.is_trained:
            step = max(1, len(bank) // (_TRAINING_VECTORS * cells))
            self.index.train(bank.rows(torch.arange(0, len(bank), step)).numpy())
        for text in bank.chunks():
            self.index.add(text.contiguous().numpy())
        if hasattr(self.index, 'nprobe'):
            self.index.nprobe = probes
        self.oversample = oversample
        self._bank, self._revision = weakref.ref(bank), bank.revision

    @torch.no_grad()
    def top_k(self, model: Recognizer, inputs: Tensor, k: int = 20) -> list[list[LabelScore]]:
        """Like :meth:`LabelBank.top_k`; the probabilities are exact, but a label may be missed.

        Raises:
            ConfigError: The bank is gone, or was changed after it was indexed.
        """
        bank = self._bank()
        if bank is None or bank.revision != self._revision:
            raise ConfigError(
                'the label bank that was indexed is gone, or was changed since; index it again'
            )
        bank.check(model)
        model.label_parts.warn_of(bank.labels, 'an approximate index of labels')
        return bank.named(*self._best(bank, model, model.encode_views(inputs), k))

    def _best(
        self, bank: LabelBank, model: Recognizer, views: Tensor, k: int
    ) -> tuple[Tensor, Tensor]:
        """Logits ``(B, k)`` of the best labels and their numbers; -1 where there are too few.

        Logits are linear in a label's embedding, ``t . (scale v + w)``, so ``scale v + w`` is the
        query; the model scores the labels that come back.
        """
        check_count(k)
        query = views.mean(1).float()
        scale, label_bias = model.scorer.scale, model.scorer.label_bias
        if label_bias is not None and scale is not None:
            query = query * scale + label_bias
        count = min(len(bank), k * self.oversample)
        _, near = self.index.search(query.cpu().contiguous().numpy(), count)
        near = torch.from_numpy(near)
        unique, inverse = near.clamp(min=0).unique(return_inverse=True)
        text = bank.rows(unique)
        scores = model.view_logits(views, text).float().cpu().gather(1, inverse)
        # -1 stands for nothing where the cells hold too few.
        values, order = scores.masked_fill(near < 0, -torch.inf).topk(min(k, count))
        return values, near.gather(1, order)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise DependencyError('faiss is not installed: pip install faiss-cpu') from None
    return faiss

"""Calibrated logits of labels for embeddings of an index."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ovmlv.evaluation.score_calibration import Calibration
from ovmlv.models.contracts import Recognizer

#: Rows that are compared at once: of 512 numbers, they stay in the cache of a core.
_ROWS = 1024


class LabelLogits:
    """Logits of C labels, whose sigmoid is the calibrated probability.

    Where the scorer is a linear function of similarities, as ``SigmoidScorer`` is, scale, bias and
    calibration go into the vectors of the labels, so that one matrix product gives the logits.

    Args:
        model: The recognizer.
        calibration: What is applied to probabilities; None if nothing is.
        text: Embeddings of the labels ``(C, E)``.

    Attributes:
        vectors: ``(C, E)``; a window's product with them, plus ``bias``, is its logits. None if the
            scorer is not linear.
        bias: One number for all labels.
    """

    def __init__(self, model: Recognizer, calibration: Calibration | None, text: Tensor) -> None:
        self.model = model
        self.temperature = 1.0 if calibration is None else calibration.temperature
        self.shift = 0.0 if calibration is None else calibration.bias
        device = next(model.parameters()).device
        self.text = text.to(device).float()
        scorer = model.scorer
        self.vectors: Tensor | None = None
        self.bias = 0.0
        if scorer.scale is not None and scorer.bias is not None:
            vectors = self.text * scorer.scale
            if scorer.label_bias is not None:
                vectors = vectors + scorer.label_bias
            self.vectors = (vectors / self.temperature).detach().contiguous()
            self.bias = float(scorer.bias) / self.temperature + self.shift
        self._room = torch.empty(_ROWS, self.text.shape[1], device=device)

    @torch.no_grad()
    def __call__(self, embeddings: np.ndarray) -> Tensor:
        """Logits, float32 ``(n, C)`` on the CPU, of embeddings float16 ``(n, E)``."""
        result = torch.empty(len(embeddings), len(self.text))
        for start in range(0, len(embeddings), _ROWS):
            part = as_tensor(embeddings[start : start + _ROWS])
            views = self._room[: len(part)]
            views.copy_(part)
            if self.vectors is None:
                logits = self.model.view_logits(views[:, None], self.text)
                logits = logits / self.temperature + self.shift
            else:
                logits = views @ self.vectors.T
            result[start : start + _ROWS] = logits
        return result if self.vectors is None else result.add_(self.bias)


def as_tensor(values: np.ndarray) -> Tensor:
    """The same memory as a tensor; a copy of what Arrow lent, of which torch warns."""
    return torch.from_numpy(values if values.flags.writeable else values.copy())


def logit(probability: float) -> float:
    """The number whose sigmoid is ``probability``; infinite for 0 and 1."""
    if probability <= 0 or probability >= 1:
        return -math.inf if probability <= 0 else math.inf
    return math.log(probability) - math.log1p(-probability)


def largest_of(values: Tensor, video: np.ndarray, best: np.ndarray) -> None:
    """Take the largest value of each video into ``best``, in place.

    Args:
        values: ``(n, Q)``.
        video: Video of each row ``(n,)``; rows of a video mostly stand together.
        best: float32 ``(V, Q)``.
    """
    if not len(video):
        return
    starts = np.flatnonzero(np.diff(video, prepend=video[0] - 1))
    runs = np.maximum.reduceat(values.numpy(), starts, axis=0)
    np.maximum.at(best, video[starts], runs)


def labels_of(queries: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """All labels of several queries, each once."""
    return tuple(dict.fromkeys(label for labels in queries for label in labels))

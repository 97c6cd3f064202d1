"""Confidence intervals by resampling videos."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ovmlv.errors import ConfigError, DataError

from .inputs import check_inputs

# Weights of a label's videos in all resamples, for one step: a few tens of MB.
_STEP_WEIGHTS = 2**24


def resample_counts(num_videos: int, num_resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """How often each video is drawn, ``(R, N)`` int16; the sum of each row is N.

    The same arguments give the same draws, so that two models can be compared on them.

    Examples:
        >>> counts = resample_counts(num_videos=3, num_resamples=1000)
        >>> counts.shape
        (1000, 3)
        >>> set(counts.sum(1).tolist())
        {3}
    """
    if num_videos < 1 or num_resamples < 1:
        raise ConfigError(
            f'{num_videos} videos cannot be resampled {num_resamples} times; both must be >= 1'
        )
    random = np.random.default_rng(seed)
    counts = np.empty((num_resamples, num_videos), np.int16)
    for row in counts:
        row[:] = np.bincount(random.integers(num_videos, size=num_videos), minlength=num_videos)
    return counts


def bootstrap_average_precision(scores: Tensor, targets: Tensor, counts: np.ndarray) -> Tensor:
    """:func:`~ovmlv.evaluation.functional.average_precision` of each label in each resample.

    A resample gives a weight to each video. Each label is sorted once: between two positives, the
    weights of all resamples are summed together, and precision is a ratio of two such sums.

    Args:
        scores: ``(N, C)``.
        targets: ``(N, C)`` of {1, 0, -1}.
        counts: ``(R, N)`` from :func:`resample_counts`.

    Returns:
        ``(R, C)`` float64; NaN if a resample has no positive of the label. Take the mean over
        labels with :meth:`torch.Tensor.nanmean`.

    Examples:
        Both videos once, the first one twice, the second one twice:

        >>> import numpy as np
        >>> import torch
        >>> counts = np.array([[1, 1], [2, 0], [0, 2]])
        >>> scores, targets = torch.tensor([[0.9], [0.8]]), torch.tensor([[0], [1]])
        >>> bootstrap_average_precision(scores, targets, counts).tolist()
        [[0.5], [nan], [1.0]]
    """
    scores, targets = check_inputs(scores, targets)
    values, labels = scores.cpu().numpy(), targets.cpu().numpy()
    if counts.ndim != 2 or counts.shape[1] != len(values):
        raise DataError(f'counts {counts.shape} are not of {len(values)} videos')
    by_video = np.ascontiguousarray(counts.T)
    out = np.full((len(counts), values.shape[1]), np.nan)
    step = max(1, _STEP_WEIGHTS // max(len(values), 1))
    for column in range(values.shape[1]):
        known = np.flatnonzero(labels[:, column] >= 0)
        score, positive = values[known, column], labels[known, column] == 1
        if not positive.any():
            continue
        order = np.argsort(-score, kind='stable')
        score, positive, known = score[order], positive[order], known[order]
        # Groups end with the last item that has a positive's score; later items do not matter.
        found = np.unique(-score[positive])
        ends = np.searchsorted(-score, found, 'right')
        starts = np.concatenate([[0], ends[:-1]])
        last = ends[-1]
        own = np.flatnonzero(positive)
        own_starts = np.searchsorted(-score[own], found)
        for first in range(0, len(counts), step):
            part = slice(first, first + step)
            weights = by_video[known[:last], part]
            retrieved = np.add.reduceat(weights, starts, axis=0, dtype=np.int64).cumsum(0)
            weights = by_video[known[own], part]
            hits = np.add.reduceat(weights, own_starts, axis=0, dtype=np.int64)
            precision = hits.cumsum(0) / np.maximum(retrieved, 1)
            with np.errstate(invalid='ignore'):  # 0 / 0 is the NaN that is promised
                out[part, column] = (hits * precision).sum(0) / hits.sum(0)
    return torch.from_numpy(out)


def bootstrap(
    statistic: Callable[[Tensor, Tensor], Tensor | float],
    scores: Tensor,
    targets: Tensor,
    counts: np.ndarray,
) -> Tensor:
    """Any metric of this package in each resample, ``(R,)`` float64, by one call for each.

    Args:
        statistic: Function that takes ``(N, C)`` scores and targets and returns a scalar.
        scores: ``(N, C)``.
        targets: ``(N, C)`` of {1, 0, -1}.
        counts: ``(R, N)`` from :func:`resample_counts`.

    Examples:
        >>> import numpy as np
        >>> import torch
        >>> from ovmlv.evaluation.functional import f1_at_threshold
        >>> counts = np.array([[1, 1], [0, 2]])  # both videos once, the second one twice
        >>> scores, targets = torch.tensor([[0.9], [0.2]]), torch.tensor([[1], [1]])
        >>> values = bootstrap(f1_at_threshold, scores, targets, counts)
        >>> [round(value, 4) for value in values.tolist()]  # one of two found, none of two
        [0.6667, 0.0]
    """
    values = []
    for row in counts:
        drawn = torch.from_numpy(np.repeat(np.arange(len(row)), row))
        values.append(float(statistic(scores[drawn], targets[drawn])))
    return torch.tensor(values, dtype=torch.float64)


def percentile_interval(values: Tensor, confidence: float = 0.95) -> tuple[float, float]:
    """The middle part of a statistic's resamples ``(R,)``; NaN ones are left out.

    This is the percentile interval of Efron. It assumes that videos are drawn independently, so
    clips of one video should be resampled together.

    Examples:
        >>> import torch
        >>> [round(end, 4) for end in percentile_interval(torch.arange(101.0))]
        [2.5, 97.5]
    """
    if not 0 < confidence < 1:
        raise ConfigError(f'confidence {confidence} must be between 0 and 1, e.g. 0.95')
    values = values[~values.isnan()].to(torch.float64)
    if not len(values):
        return float('nan'), float('nan')
    ends = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=torch.float64)
    low, high = values.quantile(ends).tolist()
    return low, high

"""Ranks of the positives of each label, which are all that precision and recall need."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .inputs import check_inputs

# Labels are worked off in blocks that stay in the processor's cache.
_BLOCK_LABELS = 32
_TILE_ROWS = 512
# With more than one positive in this many rows, sorting all scores is faster.
_SPARSE = 8
# From this many scores on, a radix sort pays.
_MIN_RADIX = 1024

_Way = Literal['left', 'right']


class PositiveRanks(NamedTuple):
    """One entry for each positive, label after label, with ascending scores within a label.

    Attributes:
        label: ``(P,)`` column of the positive.
        score: ``(P,)`` score of the positive.
        hits: ``(P,)`` positives of the label with at least this score.
        retrieved: ``(P,)`` known entries of the label with at least this score.
        hits_above: ``(P,)`` positives with a higher score.
        retrieved_above: ``(P,)`` known entries with a higher score.
        num_positives: ``(C,)``.

    Examples:
        >>> import torch
        >>> scores, targets = torch.tensor([[0.9], [0.8], [0.7]]), torch.tensor([[1], [0], [1]])
        >>> ranks = positive_ranks(scores, targets)
        >>> [round(value, 4) for value in ranks.precision.tolist()]  # at 0.7: 2/3, at 0.9: 1/1
        [0.6667, 1.0]
        >>> [round(value, 4) for value in ranks.mean_by_label(ranks.precision).tolist()]
        [0.8333]
    """

    label: np.ndarray
    score: np.ndarray
    hits: np.ndarray
    retrieved: np.ndarray
    hits_above: np.ndarray
    retrieved_above: np.ndarray
    num_positives: np.ndarray

    @property
    def precision(self) -> np.ndarray:
        """Precision ``(P,)`` at each positive, with items of equal score retrieved together."""
        return self.hits / self.retrieved

    def mean_by_label(self, values: np.ndarray) -> Tensor:
        """Mean of ``(P,)`` values over the positives of each label, ``(C,)``; NaN without any."""
        total = np.bincount(self.label, weights=values, minlength=len(self.num_positives))
        return torch.from_numpy(total) / torch.from_numpy(self.num_positives)


def positive_ranks(scores: Tensor, targets: Tensor, above: bool = True) -> PositiveRanks:
    """Rank the positives of each label among its known entries.

    It is computed on the CPU without a loop over videos. Only positives need a rank, and as a rule
    they are few, so the scores of a label need not be sorted: see :func:`_count_at_least`.

    Args:
        scores: ``(N, C)`` scores; higher is more likely, and ``-inf`` ranks last.
        targets: ``(N, C)`` of {1, 0, -1}; -1 is unknown and ignored.
        above: Whether ``hits_above`` and ``retrieved_above`` are wanted; otherwise they are empty.

    Examples:
        The positive of 0.7 is found third and the second of its kind; that of 0.9 comes first:

        >>> import torch
        >>> scores, targets = torch.tensor([[0.9], [0.8], [0.7]]), torch.tensor([[1], [0], [1]])
        >>> ranks = positive_ranks(scores, targets)
        >>> ranks.retrieved.tolist(), ranks.hits.tolist()
        ([3, 1], [2, 1])
    """
    scores, targets = check_inputs(scores, targets)
    values, labels = scores.cpu().contiguous().numpy(), targets.cpu().contiguous().numpy()
    num_rows, num_labels = values.shape
    ways: tuple[_Way, ...] = ('left', 'right') if above else ('left',)
    table = np.zeros(2**16, dtype=bool)
    space = np.empty((_BLOCK_LABELS, num_rows), values.dtype)
    label_space = np.empty((_BLOCK_LABELS, num_rows), labels.dtype)
    # Of no label at first, so that there is something to join.
    scores_of, counts_of = [np.empty(0, values.dtype)], [np.empty((len(ways), 0), np.int64)]
    num_positives = np.zeros(num_labels, np.int64)
    for first in range(0, num_labels if num_rows else 0, _BLOCK_LABELS):
        block = _transposed(values[:, first : first + _BLOCK_LABELS], space)
        positive = _transposed(labels[:, first : first + _BLOCK_LABELS], label_space) == 1
        for i, (row, bucket) in enumerate(zip(block, _buckets(block), strict=True)):
            own = positive[i].nonzero()[0]
            num_positives[first + i] = len(own)
            if len(own):
                ranked, counts = _rank(row, bucket, own, table, ways)
                scores_of.append(ranked)
                counts_of.append(np.stack(counts))
    score, retrieved = np.concatenate(scores_of), np.concatenate(counts_of, axis=1)
    label = np.arange(num_labels).repeat(num_positives)
    stop = num_positives.cumsum()
    if labels.size and labels.min() < 0:
        # Unknown entries are -inf: they are counted for a positive of -inf alone.
        num_known = (labels >= 0).sum(0)
        np.minimum(retrieved[0], num_known[label], out=retrieved[0])

    # Equal scores of a label are one group, from its first entry to the next group's.
    new = np.ones(len(score) + 1, dtype=bool)
    new[1:-1] = (score[1:] != score[:-1]) | (label[1:] != label[:-1])
    group, edges = new[:-1].cumsum() - 1, np.flatnonzero(new)
    last = stop.take(label)
    hits = last - edges.take(group)
    hits_above = last - edges.take(group + 1) if above else last[:0]
    higher = retrieved[1] if above else retrieved[0][:0]
    return PositiveRanks(label, score, hits, retrieved[0], hits_above, higher, num_positives)


def _rank(
    row: np.ndarray, bucket: np.ndarray, own: np.ndarray, table: np.ndarray, ways: tuple[_Way, ...]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Rank the positives of a label.

    Args:
        row: ``(N,)`` scores.
        bucket: ``(N,)`` uint16, see :func:`_buckets`; it may be sorted in place.
        own: ``(P,)`` rows of the positives, one or more.
        table: See :func:`_sharing`.
        ways: What to count: ``left`` scores that are at least as high, ``right`` higher ones.

    Returns:
        Scores ``(P,)`` of the positives, ascending, and counts ``(P,)`` for each of ``ways``.
    """
    if len(own) * _SPARSE > len(row):
        return _rank_all(row, bucket, own, ways)
    own_bucket = bucket.take(own)
    shared = _sharing(bucket, own_bucket, table)
    if len(shared) * 2 > len(row):
        return _rank_all(row, bucket, own, ways)
    ranked, own_bucket = _sorted(row.take(own), own_bucket)
    return ranked, _count_at_least(row, bucket, ranked, own_bucket, shared, ways)


def _sharing(bucket: np.ndarray, own: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Rows of the scores in the buckets of positives.

    Args:
        bucket: ``(N,)`` uint16.
        own: ``(P,)`` buckets of the positives.
        table: ``(2**16,)`` bool, all False, for use during the work.
    """
    table[own] = True
    found = table.take(bucket).nonzero()[0]
    table[own] = False
    return found


def _rank_all(
    row: np.ndarray, bucket: np.ndarray, own: np.ndarray, ways: tuple[_Way, ...]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """See :func:`_rank`, where positives, or scores like theirs, are many: all are ranked."""
    order = _order(row, bucket)
    positive = np.zeros(len(row), dtype=bool)
    positive[own] = True
    ranked, places = row.take(order), positive.take(order).nonzero()[0]
    # Where the scores equal to one begin, and where they end; mostly, each is alone.
    new = ranked[1:] != ranked[:-1]
    if new.all():
        return ranked.take(places), [len(row) - places - (way == 'right') for way in ways]
    edges = np.concatenate([[0], new.nonzero()[0] + 1, [len(row)]])
    group = np.concatenate([[0], new.cumsum()]).take(places)
    return ranked.take(places), [len(row) - edges.take(group + (way == 'right')) for way in ways]


def _order(scores: np.ndarray, buckets: np.ndarray) -> np.ndarray:
    """The order that sorts scores, whose buckets are in their order.

    They are first put into the order of their buckets, by radix. NumPy's stable sort then needs
    little more than one pass, since they are nearly in order.
    """
    order = buckets.argsort(kind='stable')
    nearly = scores.take(order)
    if (nearly[1:] < nearly[:-1]).any():
        order = order.take(nearly.argsort(kind='stable'))
    return order


def _count_at_least(
    row: np.ndarray,
    bucket: np.ndarray,
    own: np.ndarray,
    own_bucket: np.ndarray,
    shared: np.ndarray,
    ways: tuple[_Way, ...],
) -> list[np.ndarray]:
    """How many scores of a label are at least (above) those of its positives, without sorting all.

    The scores are in 2**16 ordered buckets. Scores in higher buckets than a positive are counted by
    a radix sort of the bucket numbers, which is several times faster than a sort of the scores. The
    scores that share a bucket with a positive are few, and they are compared exactly.

    Args:
        row: ``(N,)`` scores.
        bucket: ``(N,)`` uint16; sorted in place.
        own: ``(P,)`` scores of the positives, ascending.
        own_bucket: ``(P,)`` their buckets.
        shared: Rows of the scores in these buckets.
        ways: See :func:`_rank`.

    Returns:
        ``(P,)`` for each of ``ways``.
    """
    near, near_bucket = _sorted(row.take(shared), bucket.take(shared))
    bucket.sort(kind='stable')  # its order is of no use any more
    outside = near_bucket.searchsorted(own_bucket, 'right')
    outside -= bucket.searchsorted(own_bucket, 'right')
    return [len(row) + outside - near.searchsorted(own, way) for way in ways]


def _sorted(scores: np.ndarray, buckets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and their buckets in ascending order; it may work in place.

    If there are many scores, see :func:`_order`.
    """
    if len(scores) < _MIN_RADIX:
        scores.sort()
        buckets.sort(kind='stable')
        return scores, buckets
    order = _order(scores, buckets)
    return scores.take(order), buckets.take(order)


def _transposed(values: np.ndarray, out: np.ndarray) -> np.ndarray:
    """``(N, C)`` -> ``(C, N)``, copied tile by tile, several times faster than in one go."""
    out = out[: values.shape[1]]
    for i in range(0, len(values), _TILE_ROWS):
        out[:, i : i + _TILE_ROWS] = values[i : i + _TILE_ROWS].T
    return out


def _buckets(values: np.ndarray) -> np.ndarray:
    """A number of 16 bits for each score, in the order of the scores, uint16.

    Most probabilities are near 0, so the buckets there are as fine as floats are: if the bits of
    floats that are not negative are read as integers, these have the order of the floats. Rows with
    negative scores (logits, cosines) get buckets of equal width.

    Args:
        values: ``(C, N)`` float32 or float64; ``-inf`` goes into the lowest bucket.
    """
    low = values.min(axis=1)
    if (low < 0).any():
        with np.errstate(all='ignore'):
            if (low == -np.inf).any():
                low = values.min(axis=1, where=values > -np.inf, initial=np.inf)
                values = np.maximum(values, low[:, None])
            distance = values - low[:, None]
            distance *= (65000 / distance.max(axis=1))[:, None]
        # No width (equal scores), or one beyond what floats hold: one bucket for all.
        distance[~np.isfinite(distance).all(axis=1)] = 0
        return distance.astype(np.uint16)
    unsigned = np.uint32 if values.itemsize == 4 else np.uint64
    values = np.abs(values)  # -0.0 is 0.0
    bits = values.view(unsigned) - values.min(axis=1).view(unsigned)[:, None]
    widths = [max(int(d).bit_length() - 16, 0) for d in bits.max(axis=1)]
    bits >>= np.array(widths, dtype=unsigned)[:, None]
    return bits.astype(np.uint16)

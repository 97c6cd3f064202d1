"""Numbers of what a server did, kept apart for each combination of labels.

They are plain numbers of one object, not those of prometheus_client: they are counted whether that
is installed or not, two servers in a process have their own, and neither a process that is a copy
of this one nor an environment variable (``PROMETHEUS_MULTIPROC_DIR``) changes where they are kept.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Labels = tuple[str, ...]


class Tally:
    """Sums that only grow. Any thread may add."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[Labels, float] = {}

    def add(self, *labels: str, by: float = 1) -> None:
        """Add to the sum of these labels."""
        with self._lock:
            self._sums[labels] = self._sums.get(labels, 0) + by

    def items(self) -> list[tuple[Labels, float]]:
        """Labels and sums, in the order of the labels."""
        with self._lock:
            return sorted(self._sums.items())


@dataclass
class _Counts:
    each: list[int]
    total: float = field(default=0.0)


class Distribution:
    """How many values lie below some bounds, and what they add up to. Any thread may add.

    Args:
        bounds: Bounds, from the smallest to the largest; a value on a bound counts as below it.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        if not bounds or list(bounds) != sorted(set(bounds)):
            raise ValueError(f'bounds {list(bounds)} must rise')
        self.bounds = tuple(map(float, bounds))
        self._lock = threading.Lock()
        self._counts: dict[Labels, _Counts] = {}

    def add(self, value: float, *labels: str) -> None:
        """Take in a value."""
        place = bisect_left(self.bounds, value)
        with self._lock:
            counts = self._counts.get(labels)
            if counts is None:
                counts = self._counts[labels] = _Counts([0] * (len(self.bounds) + 1))
            counts.each[place] += 1
            counts.total += value

    def items(self) -> Iterator[tuple[Labels, list[tuple[str, float]], float]]:
        """Labels, number of the values up to each bound (the last is ``+Inf``), and their sum."""
        with self._lock:
            found = [(k, list(c.each), c.total) for k, c in sorted(self._counts.items())]
        names = [*map(str, self.bounds), '+Inf']
        for labels, each, total in found:
            below, buckets = 0, []
            for name, count in zip(names, each, strict=True):
                below += count
                buckets.append((name, float(below)))
            yield labels, buckets, total

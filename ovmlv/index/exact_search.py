"""The best windows or videos of queries, by looking at all of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .label_logits import LabelLogits, largest_of, logit
from .one_thread import one_thread
from .query import Query
from .snapshot import CHUNK, Snapshot

#: Queries of which the best windows are found in one pass over the index.
QUERIES_AT_ONCE = 64


@dataclass(frozen=True)
class Question:
    """What is asked of an index, beside the queries.

    Attributes:
        top: Number of results of each query.
        least: Least probability of a result; an array has one for each label, of which the query
            then asks whether it is there.
        allowed: Which windows may be results, bool ``(N,)``; None allows all.
        per_video: Whether each video counts once, with its best window.
    """

    top: int
    least: float | np.ndarray | None = None
    allowed: np.ndarray | None = None
    per_video: bool = False


class QueryLogits:
    """Logits of queries from those of their labels.

    AND takes the smaller probability, OR the larger, NOT the rest to one, so that a threshold on
    the whole is that threshold on each part. A sigmoid is monotonic and odd, so all this is done on
    logits.

    Args:
        labels: C labels.
        queries: Q queries of these labels.
        least: See :class:`Question`.
    """

    def __init__(
        self,
        labels: Sequence[str],
        queries: Sequence[Query],
        least: float | np.ndarray | None = None,
    ) -> None:
        self.column = {label: i for i, label in enumerate(labels)}
        self.queries = queries
        self.plain = [self.column.get(query.label) for query in queries]
        self.least: float | Tensor | None = None
        if isinstance(least, np.ndarray):
            self.least = torch.tensor([logit(float(p)) for p in least])
        elif least is not None:
            self.least = logit(least)

    def __call__(self, logits: Tensor) -> Tensor:
        """Logits ``(n, Q)`` of ``(n, C)``; ``-inf`` where a threshold is not reached."""
        if all(query.kind == 'label' for query in self.queries):
            columns = [self.column[query.label] for query in self.queries]
            same = columns == list(range(logits.shape[1]))
            values = logits if same else logits[:, columns]
        else:
            values = torch.stack([self._joined(query, logits) for query in self.queries], 1)
        if self.least is None:
            return values
        if isinstance(self.least, float):
            return values.masked_fill(values < self.least, -torch.inf)
        reached = logits >= self.least
        true = torch.stack([self._true(query, reached) for query in self.queries], 1)
        return values.masked_fill(~true, -torch.inf)

    def _joined(self, query: Query, logits: Tensor) -> Tensor:
        return query.evaluate(
            lambda label: logits[:, self.column[label]],
            torch.minimum,
            torch.maximum,
            torch.neg,
        )

    def _true(self, query: Query, reached: Tensor) -> Tensor:
        return query.evaluate(
            lambda label: reached[:, self.column[label]],
            torch.logical_and,
            torch.logical_or,
            torch.logical_not,
        )


def search(
    snapshot: Snapshot,
    logits: LabelLogits,
    labels: Sequence[str],
    queries: Sequence[Query],
    question: Question,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The best windows of each query, and their logits, best first. Of equals, the first stands
    first.

    Args:
        snapshot: The index.
        logits: Logits of the labels.
        labels: C labels.
        queries: Q queries.
        question: What else is asked.
    """
    found = []
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        some = queries[start : start + QUERIES_AT_ONCE]
        score = _Score(logits, QueryLogits(labels, some, question.least))
        find = _best_videos if question.per_video else _best_windows
        with one_thread():
            found += find(snapshot, score, len(some), question)
    return found


@dataclass(frozen=True)
class _Score:
    """Embeddings float16 ``(n, E)`` to logits of queries ``(n, Q)``."""

    logits: LabelLogits
    queries: QueryLogits

    def __call__(self, embeddings: np.ndarray) -> Tensor:
        return self.queries(self.logits(embeddings))


def _allowed(values: Tensor, start: int, question: Question) -> Tensor:
    if question.allowed is None:
        return values
    forbidden = torch.from_numpy(~question.allowed[start : start + len(values)])
    return values.masked_fill(forbidden[:, None], -torch.inf)


def _best_windows(
    snapshot: Snapshot, score: _Score, num_queries: int, question: Question
) -> list[tuple[np.ndarray, np.ndarray]]:
    best = _Best(question.top, num_queries)
    for start, embeddings in snapshot.chunks():
        best.take(_allowed(score(embeddings), start, question), start)
    return best.sorted()


def _best_videos(
    snapshot: Snapshot, score: _Score, num_queries: int, question: Question
) -> list[tuple[np.ndarray, np.ndarray]]:
    largest = np.full((len(snapshot.videos), num_queries), -np.inf, np.float32)
    for start, embeddings in snapshot.chunks():
        values = _allowed(score(embeddings), start, question)
        largest_of(values, snapshot.video[start : start + len(values)], largest)
    best = _Best(question.top, num_queries)
    best.take(torch.from_numpy(largest), 0)
    chosen = best.sorted()
    windows = [np.empty(len(videos), np.int64) for videos, _ in chosen]
    wanted: dict[int, list[tuple[int, int]]] = {}
    for column, (videos, _) in enumerate(chosen):
        for rank, video in enumerate(videos.tolist()):
            wanted.setdefault(video, []).append((column, rank))
    for group in _groups(snapshot, sorted(wanted)):
        rows = np.concatenate([snapshot.windows_of(video) for video in group])
        scores = score(snapshot.embeddings(rows)).numpy()
        if question.allowed is not None:
            scores = np.where(question.allowed[rows, None], scores, -np.inf)
        begin = 0
        for video in group:
            end = begin + len(snapshot.windows_of(video))
            for column, rank in wanted[video]:
                windows[column][rank] = rows[begin + scores[begin:end, column].argmax()]
            begin = end
    return [(own, values) for own, (_, values) in zip(windows, chosen, strict=True)]


def _groups(snapshot: Snapshot, videos: Sequence[int]) -> Iterator[list[int]]:
    """Videos with about a chunk of windows together."""
    group: list[int] = []
    size = 0
    for video in videos:
        group.append(video)
        size += len(snapshot.windows_of(video))
        if size >= CHUNK:
            yield group
            group, size = [], 0
    if group:
        yield group


class _Best:
    """The k largest values of each of Q columns, of which the rows come part by part."""

    def __init__(self, k: int, num_columns: int) -> None:
        self.k = k
        self._floor = torch.full((num_columns,), -torch.inf)
        none = np.empty(0, np.int64)
        self._kept: list[tuple[np.ndarray, ...]] = [(none, none, np.empty(0, np.float32))]
        self._size = 0

    def take(self, values: Tensor, start: int) -> None:
        """Look at rows ``(n, Q)``, the first of which has the number ``start``."""
        # A later row that equals the last of the best stands behind it, so it may be left out.
        chosen = values > self._floor
        if int(chosen.sum()) > 2 * self.k * len(self._floor) and len(values) > self.k:
            own = values.topk(self.k, dim=0).values[-1]
            chosen &= values >= own
        rows, columns = chosen.nonzero(as_tuple=True)
        part = (columns.numpy(), rows.numpy() + start, values[rows, columns].numpy())
        self._kept.append(part)
        self._size += len(part[0])
        if self._size > 4 * self.k * len(self._floor):
            self._prune()

    def sorted(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows and values of each column, largest first."""
        self._prune()
        columns, rows, values = self._kept[0]
        at = np.searchsorted(columns, np.arange(len(self._floor) + 1))
        return [(rows[a:b], values[a:b]) for a, b in itertools.pairwise(at)]

    def _prune(self) -> None:
        columns, rows, values = (np.concatenate(parts) for parts in zip(*self._kept, strict=True))
        order = np.lexsort((rows, -values, columns))
        columns, rows, values = columns[order], rows[order], values[order]
        begins = np.searchsorted(columns, np.arange(len(self._floor) + 1))
        rank = np.arange(len(columns)) - begins[columns]
        keep = rank < self.k
        last = np.flatnonzero(rank == self.k - 1)
        self._floor[torch.from_numpy(columns[last])] = torch.from_numpy(values[last])
        self._kept = [(columns[keep], rows[keep], values[keep])]
        self._size = int(keep.sum())

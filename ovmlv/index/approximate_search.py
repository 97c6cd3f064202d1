"""The best windows of labels without looking at all of them, by an index of Lance (IVF and PQ)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ovmlv.errors import ConfigError

from .exact_search import Question, search
from .label_logits import LabelLogits, as_tensor, logit
from .lance_tables import LanceTables, lance_errors
from .one_thread import one_thread
from .query import Query
from .settings import Approximate
from .snapshot import Snapshot

#: Fewer windows are compared exactly in no time.
SMALLEST = 1000
_TOP = 100
_QUERIES = 64
_AT_ONCE = 64
#: Windows that are compared exactly, for each that is wanted: as few as will do.
_CANDIDATES = (4, 10, 40, 160)
_WINDOWS_A_PART = 8192
# Codes of four bits are made sixteen times faster than those of eight; candidates are compared
# exactly, which makes up for them.
_BITS, _DIMENSIONS_A_CODE = 4, 4
_TRAINING: dict[str, Any] = dict(max_iterations=10, sample_rate=64)


def build(tables: LanceTables, embed_dim: int, num_windows: int) -> int:
    """Make the index, or make it again; return the number of its parts.

    Raises:
        ConfigError: There are few windows.
    """
    if num_windows < SMALLEST:
        raise ConfigError(
            f'index {tables.folder} has {num_windows} windows, too few for an approximate index '
            f'(from {SMALLEST}); search it exactly'
        )
    from lancedb.index import IvfPq

    partitions = max(1, min(1024, num_windows // _WINDOWS_A_PART))
    config = IvfPq(
        distance_type='cosine',
        num_partitions=partitions,
        num_sub_vectors=_sub_vectors(embed_dim),
        num_bits=_BITS,
        **_TRAINING,
    )
    with lance_errors(tables.folder, writing=True):
        tables.windows.create_index('embedding', config=config, replace=True)
    return partitions


def search_approximately(
    snapshot: Snapshot,
    logits: LabelLogits,
    labels: Sequence[str],
    queries: Sequence[Query],
    question: Question,
    settings: Approximate,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Like :func:`~ovmlv.index.exact_search.search`; the logits are exact, but hits may be missed.

    Raises:
        ConfigError: A query has more than one label, or the scorer is not linear.
    """
    if logits.vectors is None:
        raise ConfigError('approximate search needs a scorer with scale and bias; search exactly')
    joined = next((query for query in queries if query.kind != 'label'), None)
    if joined is not None:
        raise ConfigError(
            f'approximate search takes single labels, not {str(joined)!r}; search exactly'
        )
    columns = [labels.index(query.label) for query in queries]
    vectors = logits.vectors.cpu().numpy()[columns]
    least = np.full(len(labels), np.nan) if question.least is None else question.least
    limits = np.broadcast_to(least, len(labels))[columns]
    found = []
    for start in range(0, len(queries), _AT_ONCE):
        some = vectors[start : start + _AT_ONCE]
        near = _candidates(snapshot, some, question.top, settings)
        for vector, windows, limit in zip(some, near, limits[start:], strict=False):
            if question.allowed is not None:
                windows = windows[question.allowed[windows]]
            with one_thread():
                values = _exactly(snapshot.embeddings(windows), vector, logits.bias)
            found.append(_choose(snapshot, windows, values, question, float(limit)))
    return found


def measure(
    snapshot: Snapshot,
    logits: LabelLogits,
    labels: Sequence[str],
    partitions: int,
    target: float,
    queries: str,
) -> Approximate:
    """Look at ever more parts and candidates, until the best windows are found.

    Args:
        snapshot: An index that was just built.
        logits: Logits of the labels.
        labels: Labels to search for.
        partitions: Parts of the index.
        target: Share of the 100 best windows that is wanted.
        queries: What the labels are, for people.
    """
    some = [Query.of(label) for label in labels[:_QUERIES]]
    question = Question(min(_TOP, len(snapshot)))
    truth = [set(w.tolist()) for w, _ in search(snapshot, logits, labels, some, question)]
    some_parts = sorted({n for i in range(2, 11) for n in (1 << i, 3 << (i - 1))})
    steps = [(probes, _CANDIDATES[0]) for probes in some_parts if probes < partitions]
    steps += [(partitions, candidates) for candidates in _CANDIDATES]
    for probes, candidates in steps:
        found = Approximate(partitions, probes, candidates, 0.0, queries, len(snapshot))
        near = search_approximately(snapshot, logits, labels, some, question, found)
        shares = [len(t & set(w.tolist())) / max(1, len(t)) for t, (w, _) in zip(truth, near)]
        recall = float(np.mean(shares))
        if recall >= target:
            break
    return Approximate(partitions, probes, candidates, round(recall, 4), queries, len(snapshot))


def _candidates(
    snapshot: Snapshot, vectors: np.ndarray, top: int, settings: Approximate
) -> list[np.ndarray]:
    """Windows to compare exactly for each of Q vectors; many at once cost Lance a fifth."""
    count = min(len(snapshot), top * settings.candidates)
    with lance_errors(snapshot.folder):
        query: Any = snapshot.tables.windows.search(
            list(vectors.astype(np.float32)), vector_column_name='embedding'
        )
        query = query.distance_type('cosine').nprobes(settings.probes).limit(count)
        table = query.select(['_distance']).with_row_id(True).to_arrow()
    row_ids = table['_rowid'].to_numpy()
    if 'query_index' not in table.column_names:  # of a single vector
        return [snapshot.windows_at(row_ids)]
    owner = table['query_index'].to_numpy()
    return [snapshot.windows_at(row_ids[owner == i]) for i in range(len(vectors))]


def _exactly(embeddings: np.ndarray, vector: np.ndarray, bias: float) -> np.ndarray:
    """Logits ``(n,)`` of one label; torch turns half precision into single faster than NumPy."""
    return (as_tensor(embeddings).float() @ torch.from_numpy(vector)).numpy() + bias


def _choose(
    snapshot: Snapshot,
    windows: np.ndarray,
    scores: np.ndarray,
    question: Question,
    least: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The best of the candidates, best first; ``least`` is a probability, or NaN."""
    order = np.lexsort((windows, -scores))
    if not math.isnan(least):
        order = order[scores[order] >= logit(least)]
    if question.per_video:
        _, first = np.unique(snapshot.video[windows[order]], return_index=True)
        order = order[np.sort(first)]
    order = order[: question.top]
    return windows[order], scores[order]


def _sub_vectors(embed_dim: int) -> int:
    """Number of parts of a vector, which must divide it."""
    wanted = max(1, embed_dim // _DIMENSIONS_A_CODE)
    fits = [n for n in range(wanted, 0, -1) if embed_dim % n == 0 and n % 2 == 0]
    return fits[0] if fits else math.gcd(embed_dim, 1)

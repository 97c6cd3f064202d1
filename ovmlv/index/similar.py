"""Videos that are like one another, by their mean embeddings."""

from __future__ import annotations

import numpy as np

from ovmlv.errors import ConfigError

from .find_result import DuplicatePair, SimilarVideo
from .snapshot import Snapshot

_BLOCK = 2048


def mean_embeddings(snapshot: Snapshot) -> np.ndarray:
    """Unit vectors float32 ``(V, E)``: the mean of the windows of each video."""
    sums = np.zeros((len(snapshot.videos), snapshot.embed_dim), np.float32)
    for start, embeddings in snapshot.chunks():
        video = snapshot.video[start : start + len(embeddings)]
        begins = np.flatnonzero(np.diff(video, prepend=video[0] - 1))
        np.add.at(sums, video[begins], np.add.reduceat(embeddings.astype(np.float32), begins))
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def nearest_videos(
    snapshot: Snapshot, vectors: np.ndarray, video: int, top: int
) -> list[SimilarVideo]:
    """The videos nearest to one of the index, without itself, nearest first.

    Args:
        snapshot: The index.
        vectors: See :func:`mean_embeddings`.
        video: Position of the video.
        top: Number of videos.
    """
    if top < 1:
        raise ConfigError(f'top={top} must be at least 1')
    cosines = vectors @ vectors[video]
    order = np.argsort(-cosines, kind='stable')
    digest = snapshot.videos[video].digest
    return [
        SimilarVideo(row.path, _clip(cosines[i]), row.digest == digest)
        for i in order[order != video][:top].tolist()
        for row in (snapshot.videos[i],)
    ]


def near_duplicates(snapshot: Snapshot, vectors: np.ndarray, least: float) -> list[DuplicatePair]:
    """All pairs of videos with a cosine of at least ``least``, most alike first.

    Args:
        snapshot: The index.
        vectors: See :func:`mean_embeddings`.
        least: Least cosine, above 0.
    """
    if not 0 < least <= 1:
        raise ConfigError(f'least={least:g} must be above 0 and at most 1')
    pairs: list[tuple[float, int, int]] = []
    limit = least - 1e-6  # a vector and itself make 0.9999999
    for a in range(0, len(vectors), _BLOCK):
        for b in range(0, a + 1, _BLOCK):
            cosines = vectors[a : a + _BLOCK] @ vectors[b : b + _BLOCK].T
            later, earlier = np.nonzero(cosines >= limit)
            values = cosines[later, earlier]
            for i, j, value in zip((later + a).tolist(), (earlier + b).tolist(), values.tolist()):
                if j < i:
                    pairs.append((_clip(value), i, j))
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    rows = snapshot.videos
    return [
        DuplicatePair(rows[i].path, rows[j].path, value, rows[i].digest == rows[j].digest)
        for value, i, j in pairs
    ]


def _clip(cosine: float) -> float:
    return float(min(max(cosine, -1.0), 1.0))

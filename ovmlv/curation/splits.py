"""Splits into seen and unseen labels, drawn with a seed and balanced over frequency."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain, groupby, pairwise, repeat
from typing import Any

import numpy as np

from ovmlv.datasets.base_video_dataset import BaseVideoDataset
from ovmlv.errors import ConfigError, DataError
from ovmlv.labels.words import label_key

#: Of the way in which labels are drawn: the same version, seed and counts give the same split.
SPLIT_VERSION = 1


def count_labels(datasets: Iterable[BaseVideoDataset]) -> dict[str, int]:
    """Label -> number of samples for which it is positive, over all data sets."""
    counts: dict[str, int] = {}
    for dataset in datasets:
        classes = dataset.metainfo['classes']
        total = np.zeros(len(classes), dtype=int)
        for i in range(len(dataset)):
            total += dataset.get_data_info(i)['label'] == 1
        for label, count in zip(classes, total.tolist(), strict=True):
            counts[label] = counts.get(label, 0) + count
    return counts


def balanced_split(
    counts: Mapping[str, int],
    unseen: float = 0.25,
    seed: int = 0,
    groups: Mapping[str, str] | None = None,
    keep_together: bool = True,
) -> dict[str, list[str]]:
    """Draw unseen labels so that they are as frequent as the seen ones.

    Labels are sorted by frequency and cut into as many runs as there shall be unseen labels; one of
    each run is drawn.

    Args:
        counts: Label -> number of its positives.
        unseen: Share of unseen labels, in (0, 1).
        seed: Seed of the draw.
        groups: Label -> group (such as entity or action), to balance each group by itself.
        keep_together: Whether to keep labels of the same words (``running``, ``a run``) on one
            side, so that no unseen label is a seen one in another form.

    Returns:
        ``seen`` and ``unseen``, each in the order of ``counts``.
    """
    if not 0 < unseen < 1:
        raise ConfigError(f'unseen={unseen!r} must be a share between 0 and 1')
    members: dict[Any, list[str]] = defaultdict(list)
    for label in counts:
        members[label_key(label) if keep_together else label].append(label)
    by_group: dict[str, list[list[str]]] = defaultdict(list)
    for labels in members.values():
        # Sorted, so that the draw does not depend on the order of ``counts``.
        by_group[(groups or {}).get(labels[0], '')].append(sorted(labels))
    # Not numpy's: Python promises that the numbers of a seed stay the same.
    generator = random.Random(seed)
    drawn: set[str] = set()
    for group in sorted(by_group):
        units = sorted(by_group[group], key=lambda v: (sum(counts[x] for x in v), v))
        number = round(unseen * len(units))
        edges = [round(i * len(units) / number) for i in range(number + 1)] if number else []
        for start, stop in pairwise(edges):
            place = start + int(generator.random() * (stop - start))
            drawn.update(units[place])
    split = dict(
        seen=[label for label in counts if label not in drawn],
        unseen=[label for label in counts if label in drawn],
    )
    if not split['seen'] or not split['unseen']:
        raise DataError(
            f'{len(counts)} labels and unseen={unseen:g} leave one side empty; give more labels '
            'or another share'
        )
    return split


def describe_split(split: Mapping[str, list[str]], counts: Mapping[str, int]) -> dict[str, Any]:
    """Number of labels and of their positives on each side, to see the balance."""
    return {
        side: dict(
            labels=len(labels),
            positives=sum(counts[v] for v in labels),
            median=float(np.median([counts[v] for v in labels])),
        )
        for side, labels in split.items()
    }


def record_draw(
    split: Mapping[str, list[str]], counts: Mapping[str, int], groups: Mapping[str, str]
) -> dict[str, Any]:
    """What :func:`redraw` needs beside seed and share: ``counts`` in the order of the labels, seen
    ones first (left out where all are equal), and ``groups`` as runs ``[group, length]``.
    """
    labels = [*split['seen'], *split['unseen']]
    record: dict[str, Any] = {}
    if len(set(counts.values())) > 1:
        record['counts'] = [counts[label] for label in labels]
    if groups:
        runs = groupby(labels, key=groups.__getitem__)
        record['groups'] = [[group, len(list(run))] for group, run in runs]
    return record


def redraw(table: Mapping[str, Any]) -> dict[str, list[str]]:
    """Draw the split of a file of ``make_split.py`` again, from what its ``_meta`` records.

    Args:
        table: Content of the file.

    Returns:
        The split as :func:`balanced_split` gives it; it is that of the file up to the order of
        labels.
    """
    meta, labels = table['_meta'], [*table['seen'], *table['unseen']]
    if meta['version'] != SPLIT_VERSION:
        raise DataError(
            f'the split was drawn by version {meta["version"]}; this is version {SPLIT_VERSION}'
        )
    counts = dict(zip(labels, meta.get('counts', repeat(0)), strict=False))
    runs = chain.from_iterable(repeat(group, size) for group, size in meta.get('groups', ()))
    groups = dict(zip(labels, runs, strict=False))
    return balanced_split(counts, meta['unseen_share'], meta['seed'], groups)

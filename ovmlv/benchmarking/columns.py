"""Columns of tables of results."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ovmlv.evaluation.functional import harmonic_mean

SPLITS = ('seen', 'unseen', 'novel')
PLURALS = {'entity': 'entities', 'action': 'actions'}
ALL = 'all labels'


class Column(NamedTuple):
    """A column of the table; ``better`` is +1 if more is better, and -1 if less is better."""

    group: str
    name: str
    key: str
    better: int = 1


def harmonic_means(metrics: Mapping[str, float]) -> dict[str, float]:
    """``mAP_harmonic3`` and ``mAP_harmonic3_<kind>``, the harmonic means of all three splits."""
    found = {}
    for key in metrics:
        if match := re.fullmatch(rf'mAP_{SPLITS[0]}(_.+)?', key):
            suffix = match[1] or ''
            parts = [metrics.get(f'mAP_{split}{suffix}', math.nan) for split in SPLITS]
            if not any(math.isnan(part) for part in parts):
                found[f'mAP_harmonic3{suffix}'] = harmonic_mean(*parts)
    return found


def find_columns(
    tables: Iterable[Mapping[str, float]], kinds: Sequence[str] = (), further: Sequence[str] = ()
) -> list[Column]:
    """Columns for the metrics that at least one table has.

    Each kind of labels comes first, then all labels, then the calibration error of each split.

    Args:
        tables: Metrics of ``MultilabelMetric`` without their prefix.
        kinds: Kinds of labels that get columns; by default, all.
        further: Metrics that get a column each, behind those of the kinds.
    """
    keys = {key: None for metrics in tables for key in metrics}  # ordered
    matches = [re.fullmatch(rf'mAP_(?:{"|".join(SPLITS)})_(.+)', key) for key in keys]
    kinds = kinds or list(dict.fromkeys(match[1] for match in matches if match))
    columns = []
    for kind in [*kinds, '']:
        suffix = f'_{kind}' if kind else ''
        group = PLURALS.get(kind, kind) or ALL
        columns += [Column(group, split, f'mAP_{split}{suffix}') for split in SPLITS]
        columns.append(Column(group, 'harm.', f'mAP_harmonic{suffix}'))
        columns.append(Column(group, 'harm. 3', f'mAP_harmonic3{suffix}'))
    for key in further:
        split, _, kind = key.removeprefix('mAP_').partition('_')
        known = split in SPLITS and kind
        columns.append(Column(kind if known else '', split if known else key, key))
    columns.append(Column(ALL, 'joint', 'mAP'))
    columns += [Column(ALL, key, key) for key in keys if key.startswith('F1@')][:1]
    columns.append(Column(ALL, 'ECE', 'ECE', -1))
    columns += [Column('ECE', split, f'ECE_{split}', -1) for split in SPLITS]
    return [column for column in columns if column.key in keys]


def show_percent(value: float) -> str:
    """A figure in percent; ``-`` if there is none."""
    return '-' if math.isnan(value) else f'{100 * value:.1f}'

"""Rows of metrics: average precision of all labels against a loop over scikit-learn's."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from analysis_tools.time_metrics import by_scikit_learn, parse_args, problems

from ovmlv.evaluation.functional import average_precision

from .side_by_side import Row, Side

#: Problems of ``time_metrics.py`` that have a row here, by the beginnings of their names.
_CHOSEN = ('probabilities', 'noise', '100 different scores', '0.3 positive')


def rows(args: argparse.Namespace) -> Iterator[Row]:
    """A row for each kind of scores; ``tools/analysis_tools/time_metrics.py`` has more of them."""
    sizes = parse_args(['--labels', '100', '--seed', str(args.seed)])
    for name, scores, targets in problems(sizes):
        if name.startswith(_CHOSEN):
            yield _row(name, scores, targets)


def _row(name: str, scores: np.ndarray, targets: np.ndarray) -> Row:
    pair = torch.from_numpy(scores), torch.from_numpy(targets)

    def check(found: dict[str, Any]) -> str:
        apart = np.abs(np.subtract(*found.values())).max()
        assert apart < 1e-9, apart
        return f'the same values: {apart:.0e} apart'

    theirs = Side("a loop over scikit-learn's", functools.partial(by_scikit_learn, scores, targets))
    ours = Side('ovmlv', lambda: average_precision(*pair).numpy(), goal=1 / 20)
    size = f'{scores.shape[0]:,} videos x {scores.shape[1]} labels'
    return Row(f'average precision: {name}, {size}', [theirs, ours], check)

"""Rows of metrics: average precision of all labels against a loop over scikit-learn's."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from ovmlv.evaluation.functional import average_precision

from .side_by_side import Row, Side


def rows(args: argparse.Namespace) -> Iterator[Row]:
    """A row for each kind of scores; ``tools/analysis_tools/time_metrics.py`` has more of them."""
    rng = np.random.default_rng(args.seed)
    shape = 10_000, 100
    rare = (rng.random(shape) < 0.015).astype(np.int64)
    noise = rng.random(shape, dtype=np.float32)
    probabilities = 1 / (1 + np.exp(4 - 2 * rng.normal(size=shape) - 3 * rare))
    often = (rng.random(shape) < 0.3).astype(np.int64)
    yield _row('probabilities, 1.5 % positive', probabilities.astype(np.float32), rare)
    yield _row('noise, 1.5 % positive', noise, rare)
    yield _row('100 different scores, 1.5 % positive', noise.round(2), rare)
    yield _row('noise, 30 % positive', noise, often)


def _row(name: str, scores: np.ndarray, targets: np.ndarray) -> Row:
    pair = torch.from_numpy(scores), torch.from_numpy(targets)

    def theirs() -> np.ndarray:
        columns = zip(targets.T, scores.T, strict=True)
        return np.array([average_precision_score(t, s) for t, s in columns])

    def check(found: dict[str, Any]) -> str:
        apart = np.abs(np.subtract(*found.values())).max()
        assert apart < 1e-9, apart
        return f'the same values: {apart:.0e} apart'

    ours = Side('ovmlv', lambda: average_precision(*pair).numpy(), goal=1 / 20)
    size = f'{scores.shape[0]:,} videos x {scores.shape[1]} labels'
    sides = [Side("a loop over scikit-learn's", theirs), ours]
    return Row(f'average precision: {name}, {size}', sides, check)

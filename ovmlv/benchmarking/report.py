"""A report on a suite's results: summaries, costs relative to the reference, significance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from .columns import Column, find_columns
from .results import Result
from .statistics import SeedComparison, Summary, compare_seeds, summarize
from .suite import Row, Suite

COSTS = ('trainable_parameters', 'steps', 'step_seconds', 'step_cpu_seconds', 'peak_memory_mb')


@dataclass(frozen=True)
class RowReport:
    """One row of the table.

    Attributes:
        row: The row.
        metrics: Metric -> its figures over seeds.
        cost: Cost -> its figures over seeds.
        relative: Cost -> its mean divided by that of the reference row; ``training`` is the cost of
            all steps.
        tests: Metric -> comparison with the reference.
        seeds: Seeds with a result.
    """

    row: Row
    metrics: Mapping[str, Summary]
    cost: Mapping[str, Summary]
    relative: Mapping[str, float]
    tests: Mapping[str, SeedComparison]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Report:
    """All rows that have results, the columns they have, and what is missing."""

    suite: Suite
    rows: tuple[RowReport, ...]
    columns: tuple[Column, ...]
    missing: tuple[str, ...]
    results: Mapping[str, Mapping[int, Result]]
    costs_alone: bool = False


def make_report(
    suite: Suite,
    results: Mapping[str, Mapping[int, Result]],
    measured: Mapping[str, Result] | None = None,
) -> Report:
    """Summarise results.

    Args:
        suite: The suite.
        results: Row -> seed -> result.
        measured: Row -> a result whose times of a step count instead of those of the runs. If there
            are any such results, rows without one have no times.
    """
    tables = [r['metrics'] for seeds in results.values() for r in seeds.values()]
    columns = find_columns(tables, suite.kinds, suite.further)
    costs = {name: _costs(seeds) for name, seeds in results.items()}
    if measured:
        for row in suite.rows:
            if row.name in costs:
                alone = measured.get(row.after or row.name)
                times = {} if alone is None else _costs({0: alone})
                costs[row.name] = _with_times(costs[row.name], times)
    rows = []
    for row in suite.rows:
        seeds = results.get(row.name) or {}
        if not seeds:
            continue
        names = list(dict.fromkeys(key for r in seeds.values() for key in r['metrics']))
        metrics = {
            name: summarize([r['metrics'].get(name, math.nan) for r in seeds.values()])
            for name in names
        }
        base = costs.get(suite.cost_row, {})
        relative = {
            key: value.mean / base[key].mean
            for key, value in costs[row.name].items()
            if key in base and base[key].mean > 0
        }
        if {'steps', 'step_seconds'} <= relative.keys():
            relative['training'] = relative['steps'] * relative['step_seconds']
        rows.append(
            RowReport(
                row, metrics, costs[row.name], relative, _tests(suite, row, results), tuple(seeds)
            )
        )
    missing = tuple(row.name for row in suite.rows if not results.get(row.name))
    return Report(suite, tuple(rows), tuple(columns), missing, results, bool(measured))


def _costs(seeds: Mapping[int, Result]) -> dict[str, Summary]:
    found = {
        key: summarize([r['cost'].get(key, math.nan) for r in seeds.values()]) for key in COSTS
    }
    return {key: value for key, value in found.items() if value.n}


def _with_times(cost: Mapping[str, Summary], other: Mapping[str, Summary]) -> dict[str, Summary]:
    """Costs with the times of other results."""
    kept = {key: value for key, value in cost.items() if not key.startswith('step_')}
    return {**kept, **{key: other[key] for key in other if key.startswith('step_')}}


def _tests(
    suite: Suite, row: Row, results: Mapping[str, Mapping[int, Result]]
) -> dict[str, SeedComparison]:
    if row.name == suite.reference or not results.get(suite.reference):
        return {}
    tests = {}
    for metric in suite.significance:
        test = compare_seeds(
            _by_seed(results[row.name], metric), _by_seed(results[suite.reference], metric)
        )
        if test is not None:
            tests[metric] = test
    return tests


def _by_seed(seeds: Mapping[int, Result], metric: str) -> dict[int | None, float]:
    values: dict[int | None, float] = {
        seed: r['metrics'].get(metric, math.nan) for seed, r in seeds.items()
    }
    untrained = all(not r['cost'].get('steps') for r in seeds.values())
    return {None: next(iter(values.values()))} if untrained and len(values) == 1 else values

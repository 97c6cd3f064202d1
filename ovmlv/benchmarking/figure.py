"""A picture of a report: one panel for each metric, with rows below each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ovmlv.visualization.style import COLORS, FAINT, INK, chart, save, shorten

from .report import Report
from .tables import metric_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_METRICS = ('mAP_seen', 'mAP_unseen', 'mAP_novel', 'mAP_harmonic')


def draw_report(report: Report, path: str | Path, metrics: Sequence[str] = _METRICS) -> Path | None:
    """Draw means with their standard deviations; small dots are the seeds.

    Args:
        report: The report.
        path: Picture to write.
        metrics: Metrics to draw; each has a panel if any row has it.

    Returns:
        The path, or None if there is nothing to draw.
    """
    metrics = [m for m in metrics if any(m in row.metrics for row in report.rows)]
    if not metrics:
        return None
    places, headings = _places(report)
    height = 1.0 + 0.27 * (max(places) + 1)
    size = (2.6 + 2.1 * len(metrics), height)
    with chart(1, len(metrics), size, sharey=True) as (figure, ((*axes,),)):
        for i, (ax, metric) in enumerate(zip(axes, metrics, strict=True)):
            _panel(ax, report, metric, places, COLORS[i % len(COLORS)])
        axes[0].set_yticks(places, [shorten(row.row.title, 34) for row in report.rows])
        axes[0].set_ylim(max(places) + 0.7, min([*places, *headings.values()]) - 0.7)
        for group, y in headings.items():
            axes[0].annotate(
                group, (0, y), (-6, 0), xycoords=('axes fraction', 'data'), ha='right',
                textcoords='offset points', va='center', weight='bold', color=FAINT,
                annotation_clip=False,
            )  # fmt: skip
        note = 'mAP in %; mean and standard deviation, dots below: single seeds'
        if report.suite.reference:
            note += '; dashed: ' + report.suite.row(report.suite.reference).title
        figure.supxlabel(note, fontsize=9, color=INK)
        return save(figure, path)


def draw_profile(report: Report, path: str | Path) -> Path | None:
    """Draw the rows of the suite's profile over its groups of labels, with deviations.

    Returns:
        The path, or None if there is nothing to draw.
    """
    profile = report.suite.profile
    rows = {row.row.name: row for row in report.rows}
    if profile is None or not any(name in rows for name in profile.rows):
        return None
    places = range(len(profile.metrics))
    with chart(size=(6.4, 3.6)) as (figure, ((ax,),)):
        for i, name in enumerate(profile.rows):
            if name not in rows:
                continue
            found = [rows[name].metrics.get(metric) for metric in profile.metrics]
            means = [100 * s.mean if s is not None else math.nan for s in found]
            errors = [100 * s.std if s is not None and s.n > 1 else 0.0 for s in found]
            ax.errorbar(
                places, means, yerr=errors, fmt='o-', color=COLORS[i % len(COLORS)], capsize=3,
                markersize=5, label=rows[name].row.title,
            )  # fmt: skip
        ax.set_xticks(places, list(profile.metrics.values()))
        ax.set_ylim(bottom=0)
        ax.set_title(profile.title)
        ax.set_xlabel(profile.axis)
        ax.set_ylabel('mAP in %')
        ax.grid(axis='x', visible=False)
        ax.legend()
        return save(figure, path)


def _places(report: Report) -> tuple[list[float], dict[str, float]]:
    """Heights of the rows and of the headings of groups."""
    places: list[float] = []
    headings: dict[str, float] = {}
    y, group = 0.0, ''
    for row in report.rows:
        if row.row.group != group:
            group = row.row.group
            if group and group not in headings:
                y += 0.3 if places else 0
                headings[group] = y
                y += 1
        places.append(y)
        y += 1
    return places, headings


def _panel(ax: Axes, report: Report, metric: str, places: Sequence[float], color: str) -> None:
    for row, y in zip(report.rows, places, strict=True):
        is_reference = row.row.name == report.suite.reference
        summary = row.metrics.get(metric)
        if summary is None or not summary.n:
            continue
        if is_reference:
            ax.axvline(100 * summary.mean, color=FAINT, linestyle='--', linewidth=1, zorder=1)
        seeds = [
            100 * r['metrics'].get(metric, math.nan) for r in report.results[row.row.name].values()
        ]
        if len(seeds) > 1:
            ax.plot(seeds, [y + 0.27] * len(seeds), '.', color=color, alpha=0.6, markersize=4)
        error = None if math.isnan(summary.std) else 100 * summary.std
        ax.errorbar(
            100 * summary.mean, y, xerr=error, fmt='D' if is_reference else 'o', color=color,
            markersize=6, markerfacecolor='white' if is_reference else color, capsize=3, zorder=3,
        )  # fmt: skip
    ax.set_title(metric_name(metric))
    ax.grid(axis='y', visible=False)
    ax.tick_params(axis='y', length=0)
    ax.spines['left'].set_visible(False)

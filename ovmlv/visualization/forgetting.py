"""Metrics of validation over the epochs of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ovmlv.errors import DataError
from ovmlv.files import parse_json, read_lines

from .style import COLORS, FAINT, chart, save

PREFIX = 'multilabel/'


def read_history(work_dir: str | Path) -> dict[str, dict[int, float]]:
    """Metrics of the validations of a run: metric -> step -> value.

    A run that was resumed has several log folders; if a step was validated again, the later value
    counts.

    Args:
        work_dir: Its work folder, or a ``scalars.json`` / vis_data file.
    """
    path = Path(work_dir)
    files = [path] if path.is_file() else sorted(path.glob('*/vis_data/*.json'))
    history: dict[str, dict[int, float]] = {}
    for file in files:
        if file.stem == 'config':
            continue
        for line in read_lines(file):
            try:
                row = parse_json(line, str(file))
                step = int(row['step'])
            except (ValueError, KeyError, TypeError):
                continue  # a line cut by a kill, or of something else
            for key, value in row.items():
                if key.startswith(PREFIX):
                    history.setdefault(key.removeprefix(PREFIX), {})[step] = float(value)
    if not history:
        raise DataError(
            f'{work_dir} has no validations in */vis_data; train with '
            '--cfg-options train_cfg.val_interval=1'
        )
    return history


def draw_forgetting(
    runs: Mapping[str, Mapping[str, Mapping[int, float]]],
    path: str | Path,
    metrics: Sequence[str] = ('mAP_seen', 'mAP_unseen', 'mAP_novel'),
    start: Mapping[str, float] | None = None,
) -> Path:
    """A panel for each metric, a line for each run.

    Args:
        runs: Name -> history of :func:`read_history`.
        path: Picture to write.
        metrics: Metrics to show, if any run has them.
        start: Metrics before training (zero-shot), which are step 0 of every line and a level to
            keep.
    """
    start = start or {}
    metrics = [m for m in metrics if any(m in history for history in runs.values())]
    if not metrics:
        found = sorted({m for history in runs.values() for m in history if m.startswith('mAP')})
        raise DataError(f'no run has any of the metrics asked for; they have {", ".join(found)}')
    from matplotlib.ticker import MaxNLocator

    size = (3.4 * len(metrics) + 0.6, 3.4)
    with chart(1, len(metrics), size, sharex=True) as (figure, ((*axes,),)):
        for ax, metric in zip(axes, metrics, strict=True):
            if metric in start:
                ax.axhline(100 * start[metric], color=FAINT, linestyle='--', linewidth=1)
            for i, (name, history) in enumerate(runs.items()):
                points = dict(history.get(metric, {}))
                if metric in start:
                    points.setdefault(0, start[metric])
                steps = sorted(points)
                ax.plot(
                    steps, [100 * points[s] for s in steps], 'o-', markersize=3.5, linewidth=1.5,
                    color=COLORS[i % len(COLORS)], label=name,
                )  # fmt: skip
            ax.set(title=metric.replace('mAP_', '').replace('_', ' '), xlabel='epoch')
            highest = max(float(y) for line in ax.get_lines() for y in np.asarray(line.get_ydata()))
            ax.set_ylim(0, 108 * highest / 100 or 1)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0].set_ylabel('mAP in %')
        handles, names = axes[0].get_legend_handles_labels()
        if start:
            handles.append(axes[0].plot([], [], '--', color=FAINT, linewidth=1)[0])
            names.append('before training')
        figure.legend(handles, names, loc='outside lower center', ncols=min(4, len(names)))
        return save(figure, path)

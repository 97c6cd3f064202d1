"""Text tables and the per-class file of an evaluation."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.logging import MMLogger

from ovmlv.files import write_csv
from ovmlv.plain_text import display_width, visible


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A text table: the first column is aligned left, numbers right; NaN is shown as ``-``.

    Floats have 4 digits. Control characters in labels are shown as escapes, so that each row is one
    line.

    Examples:
        >>> print(text_table(['labels', 'all'], [['seen', .5], ['unseen', float('nan')]]))
        labels     all
        ------  ------
        seen    0.5000
        unseen       -
    """

    def show(value: object) -> str:
        if isinstance(value, float):
            return '-' if math.isnan(value) else f'{value:.4f}'
        return '' if value is None else visible(str(value))

    cells = [[show(v) for v in row] for row in [header, *rows]]
    widths = [max(display_width(row[i]) for row in cells) for i in range(len(header))]
    cells.insert(1, ['-' * w for w in widths])
    lines = [
        '  '.join(
            f'{c}{" " * (w - display_width(c))}' if i == 0 else f'{" " * (w - display_width(c))}{c}'
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    return '\n'.join(line.rstrip() for line in lines)


def group_table(metrics: Mapping[str, float], splits: Sequence[str], others: Sequence[str]) -> str:
    """The mAP of each group: rows are splits (all, seen, ..., harmonic), columns other attributes.

    Args:
        metrics: Metrics by name, ``mAP``, ``mAP_seen``, ``mAP_seen_action``, ...
        splits: Values of the axis ``split``.
        others: Values of the other axes.

    Returns:
        The table as text. A cell without labels shows ``-``.
    """
    rows = []
    for split in [None, *splits, *(['harmonic'] if 'mAP_harmonic' in metrics else [])]:
        keys = ['_'.join(p for p in ('mAP', split, other) if p) for other in [None, *others]]
        rows.append([split or 'all', *(float(metrics.get(k, math.nan)) for k in keys)])
    return text_table(['mAP', 'all', *others], rows)


def write_per_class(path: str | Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """Write the per-class rows as CSV.

    Args:
        path: The file. If there is a current log file, a relative path starts in its folder, which
            is the run's folder in the work dir.
        rows: One mapping for each class, all with the same keys.

    Returns:
        The path of the file.
    """
    path = Path(path)
    handlers = MMLogger.get_current_instance().handlers
    log_files = [h.baseFilename for h in handlers if isinstance(h, logging.FileHandler)]
    if not path.is_absolute() and log_files:
        path = Path(log_files[0]).parent / path
    return write_csv(path, rows, ['label'])

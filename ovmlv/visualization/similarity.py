"""Cosines of labels before and after training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .style import FAINT, INK, SPLIT_COLORS, chart, save, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def choose_labels(
    classes: Sequence[str], attributes: Mapping[str, Sequence[str]], num: int
) -> list[int]:
    """A selection of labels, grouped by split and by the axes after it.

    Args:
        classes: C labels.
        attributes: Axis -> value of each.
        num: Most labels to choose; each split gets its share.
    """
    splits = list(attributes.get('split') or [''] * len(classes))
    axes = [values for axis, values in attributes.items() if axis != 'split']
    chosen = []
    names = list(dict.fromkeys(splits))
    for split in names:
        members = [i for i, s in enumerate(splits) if s == split]
        members.sort(key=lambda i: [axis[i] for axis in axes])
        count = min(len(members), max(1, num // len(names)))
        chosen += [members[j] for j in np.linspace(0, len(members) - 1, count).round().astype(int)]
    return chosen


def draw_similarity(
    before: np.ndarray,
    after: np.ndarray,
    labels: Sequence[str],
    path: str | Path,
    splits: Sequence[str] = (),
) -> Path:
    """Draw three maps: cosines before and after, and their change.

    Args:
        before: Unit vectors ``(C, E)``.
        after: Unit vectors ``(C, E)``.
        labels: C labels.
        path: Picture to write.
        splits: Split of each label; labels of one split are next to each other.
    """
    maps = [np.clip(v @ v.T, -1, 1) for v in (before, after)]  # float32 goes beyond
    maps.append(maps[1] - maps[0])
    off = ~np.eye(len(labels), dtype=bool)
    reach = max(float(np.abs(maps[2]).max()), 0.05)
    low = min(float(m.min()) for m in maps[:2])
    side = 1.2 + 0.16 * len(labels)
    with chart(1, 3, (3 * side + 2.8, side + 1.3)) as (figure, ((*axes,),)):
        for ax, values, title in zip(axes, maps, ('before', 'after', 'change'), strict=True):
            change = title == 'change'
            image = ax.imshow(
                values, cmap='RdBu_r' if change else 'viridis', interpolation='nearest',
                vmin=-reach if change else low, vmax=reach if change else 1.0,
            )  # fmt: skip
            mean = float(values[off].mean()) if off.any() else 0.0
            ax.set_title(f'{title}: mean {mean:+.2f}' if change else f'{title}: mean {mean:.2f}')
            _label_axes(ax, labels, splits, ax is axes[0])
            bar = figure.colorbar(image, ax=ax, shrink=0.75, aspect=30)
            bar.outline.set_visible(False)
        if splits:
            names = list(dict.fromkeys(splits))
            handles = [ax.plot([], [], 's', color=_color(n, names), label=n)[0] for n in names]
            figure.legend(handles=handles, loc='outside lower center', ncols=len(names))
        return save(figure, path)


def _label_axes(ax: Axes, labels: Sequence[str], splits: Sequence[str], with_text: bool) -> None:
    names = [shorten(label, 26) for label in labels]
    places = range(len(labels))
    ax.set_xticks(places, names, rotation=90, fontsize=6.5)
    ax.set_yticks(places, names if with_text else [], fontsize=6.5)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    distinct = list(dict.fromkeys(splits))
    for ticks in (ax.get_xticklabels(), ax.get_yticklabels() if with_text else ()):
        for tick, split in zip(ticks, splits):
            tick.set_color(_color(split, distinct))
    for i in range(1, len(splits)):
        if splits[i] != splits[i - 1]:
            ax.axhline(i - 0.5, color='white', linewidth=1.5)
            ax.axvline(i - 0.5, color='white', linewidth=1.5)


def _color(split: str, names: Sequence[str]) -> str:
    return SPLIT_COLORS.get(split, INK if len(names) < 2 else FAINT)

"""Groups of labels that are reported apart: seen, unseen, entities, seen entities, ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, tensor

from ovmlv.errors import ConfigError

# Shown first and in this order; other values follow in order of first appearance.
_USUAL_ORDER = ('seen', 'unseen', 'novel')
SPLIT_AXIS = 'split'
# What stands behind `mAP_` in other metrics.
_TAKEN = ('micro', 'weighted', 'harmonic', 'charades', 'ci_low', 'ci_high')


@dataclass(frozen=True)
class LabelGroup:
    """Some labels, and the names under which they are reported.

    Attributes:
        split: Value on the axis ``split``, or None for all values.
        other: Value on one other axis (``kind``: ``action``), or None for all values.
        mask: ``(C,)`` bool.
    """

    split: str | None
    other: str | None
    mask: Tensor

    @property
    def name(self) -> str:
        """``seen``, ``action``, ``seen_action``; empty for all labels."""
        return '_'.join(part for part in (self.split, self.other) if part)


def label_groups(attributes: Mapping[str, Sequence[str]], num_classes: int) -> list[LabelGroup]:
    """All labels, the values of each axis, and the values of ``split`` crossed with each other
    axis.

    Args:
        attributes: ``class_attributes`` of the data set: axis -> value of each class.
        num_classes: Number of classes (C).

    Returns:
        Groups with distinct names; the first one has all labels. Empty crossings are left out.

    Raises:
        ConfigError: An axis has the wrong length, or two groups have the same name.
    """
    for axis, values in attributes.items():
        if len(values) != num_classes:
            raise ConfigError(
                f'class_attributes[{axis!r}] has {len(values)} values for {num_classes} classes; '
                'give one value a class'
            )
    groups = [LabelGroup(None, None, _mask([True] * num_classes))]
    splits = attributes.get(SPLIT_AXIS, [])
    groups += [
        LabelGroup(split, None, _mask([v == split for v in splits]))
        for split in ordered_values(splits)
    ]
    for axis, values in attributes.items():
        if axis == SPLIT_AXIS:
            continue
        for value in ordered_values(values):
            mask = _mask([v == value for v in values])
            groups.append(LabelGroup(None, value, mask))
            groups += [
                LabelGroup(g.split, value, g.mask & mask)
                for g in list(groups)
                if g.split and not g.other and bool((g.mask & mask).any())
            ]
    names = [g.name for g in groups]
    for name in names:
        if names.count(name) > 1 or name in _TAKEN:
            raise ConfigError(
                f'class_attributes: the group name {name!r} is taken twice; rename one of the '
                'values'
            )
    return groups


def split_masks(meta: Mapping[str, Any] | None, harmonic: Sequence[str]) -> dict[str, Tensor]:
    """Columns ``(C,)`` bool of each of two values of ``split``; empty if not both are there."""
    values = ((meta or {}).get('class_attributes') or {}).get(SPLIT_AXIS, [])
    found = {name: _mask([v == name for v in values]) for name in harmonic if name in values}
    return found if len(found) == len(harmonic) else {}


def ordered_values(values: Sequence[str]) -> list[str]:
    """Distinct values: seen, unseen, novel first, the others as they come."""
    distinct = list(dict.fromkeys(values))
    return [v for v in _USUAL_ORDER if v in distinct] + [
        v for v in distinct if v not in _USUAL_ORDER
    ]


def _mask(values: Sequence[bool]) -> Tensor:
    return tensor(list(values)).bool()

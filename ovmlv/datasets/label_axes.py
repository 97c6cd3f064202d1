"""Vocabularies of several kinds of labels: verbs, nouns and actions of the same videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ovmlv.errors import ConfigError
from ovmlv.labels import clean_label

from .formats.official_files import spoken

AXES = ('verb', 'noun', 'action')


def check_axes(name: str, axes: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of labels that a data set shall have, if they are known."""
    if isinstance(axes, str) or not axes or any(axis not in AXES for axis in axes):
        raise ConfigError(f'{name}: axes={axes!r} must be a list of some of {", ".join(AXES)}')
    return tuple(dict.fromkeys(axes))


class AxisLabels:
    """Label strings of each kind, none of them twice.

    If a word is both verb and noun ("water"), the word alone is the verb; the noun gets its hint
    ("water (drinks)") or its kind.

    Args:
        names: Kind -> key -> name, in the order of the columns.
        hints: Kind -> key -> hint, such as a category.
    """

    def __init__(
        self,
        names: Mapping[str, Mapping[object, str]],
        hints: Mapping[str, Mapping[object, str]] | None = None,
    ) -> None:
        self.kind_of: dict[str, str] = {}
        self._labels: dict[tuple[str, object], str] = {}
        for kind, table in names.items():
            for key, name in table.items():
                label = clean_label(spoken(name), f'{kind} class {name!r}')
                if label in self.kind_of:
                    hint = (hints or {}).get(kind, {}).get(key) or kind
                    label = f'{label} ({hint})'
                if label in self.kind_of:
                    raise ConfigError(f'two classes are {label!r}; rename one in the class files')
                self.kind_of[label] = kind
                self._labels[kind, key] = label

    @property
    def labels(self) -> list[str]:
        """All labels, in the order of their columns."""
        return list(self.kind_of)

    def get(self, kind: str, key: object) -> str | None:
        """The label of a class; None if its kind has no columns."""
        return self._labels.get((kind, key))

    def some(self, *keys: tuple[str, object]) -> tuple[str, ...]:
        """Labels of those classes whose kind has columns."""
        return tuple(label for key in keys if (label := self.get(*key)) is not None)

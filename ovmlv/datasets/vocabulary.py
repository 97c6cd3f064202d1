"""Label lists, splits and attributes of labels: which columns a data set has."""

from __future__ import annotations

import json
import os.path as osp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ovmlv.errors import ConfigError, DataError, VocabularyError

from .annotation import unlisted_label_error

#: axis -> label -> value, e.g. ``{'split': {'a dog': 'seen'}, 'kind': {'a dog': 'entity'}}``
LabelAttributes = dict[str, dict[str, str]]


@dataclass
class LabelVocabulary:
    """All labels of a data set with their attributes.

    Attributes:
        labels: Every label that may occur, without duplicates.
        attributes: axis -> label -> value; the axis ``split`` holds seen / unseen / ...
    """

    labels: list[str]
    attributes: LabelAttributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_unique(self.labels, 'classes')
        self.index = {label: i for i, label in enumerate(self.labels)}
        known = self.index
        for axis, values in self.attributes.items():
            for label in values:
                if label not in known:
                    raise unlisted_label_error(label, self.labels, f'label_split ({axis})')
        splits = self.attributes.get('split')
        missing = [label for label in self.labels if splits is not None and label not in splits]
        if missing:
            raise VocabularyError(
                f'label_split: {len(missing)} of {len(self.labels)} classes are in no split '
                f'(first: {missing[0]!r}); list each class in one'
            )

    def select(
        self, label_set: str | Sequence[str] | Mapping[str, str | Sequence[str]]
    ) -> list[str]:
        """Labels that become columns.

        Args:
            label_set: ``all``; one or several values of the axis ``split``; or a mapping from axes
                to values, all of which must hold (``dict(split='seen', kind='action')``).

        Returns:
            The labels, in the order of the vocabulary.
        """
        if label_set == 'all':
            return list(self.labels)
        wanted = dict(label_set) if isinstance(label_set, Mapping) else dict(split=label_set)
        selected = list(self.labels)
        for axis, values in wanted.items():
            values = [values] if isinstance(values, str) else list(values)
            if axis not in self.attributes:
                raise ConfigError(
                    f'label_set={label_set!r} needs the axis {axis!r}, but label_split has '
                    f'{sorted(self.attributes) or "none"}; give label_split'
                )
            present = set(self.attributes[axis].values())
            for value in values:
                if value not in present:
                    raise ConfigError(
                        f'label_set={label_set!r}: no label has {axis} {value!r}; there are '
                        f"{sorted(present)} and 'all'"
                    )
            selected = [label for label in selected if self.attributes[axis].get(label) in values]
        if not selected:
            raise ConfigError(f'label_set={label_set!r} selects no label')
        return selected

    def attribute_columns(self, labels: Sequence[str]) -> dict[str, list[str]]:
        """axis -> value of each of ``labels``; ``other`` where a label has none."""
        return {
            axis: [values.get(label, 'other') for label in labels]
            for axis, values in self.attributes.items()
        }


def load_labels(source: str | Sequence[str], root: str = '') -> list[str]:
    """Labels from a list, a text file (one a line) or a JSON list.

    Args:
        source: The list, or a path; a relative path is looked for under ``root`` first.
        root: ``data_root`` of the data set.
    """
    name = source if isinstance(source, str) else 'classes'
    if isinstance(source, str):
        path = find_file(source, root, 'classes')
        labels = load_json(path) if path.endswith('.json') else _read_lines(path)
    else:
        labels = source
    if not isinstance(labels, Sequence) or isinstance(labels, str):
        raise DataError(f'{name}: expected a list of labels, found {type(labels).__name__}')
    for i, label in enumerate(labels):
        if not isinstance(label, str) or not label.strip():
            raise VocabularyError(
                f'{name}: entry {i + 1} is {label!r}; each label is a non-empty string'
            )
    labels = [label.strip() for label in labels]
    check_unique(labels, name)
    if not labels:
        raise VocabularyError(f'{name}: there are no labels; give at least one')
    return labels


def load_label_attributes(source: str | Mapping, root: str = '') -> LabelAttributes:
    """Splits and other attributes of labels.

    Args:
        source: One of, in a JSON file or directly:

            - ``{"seen": [...], "unseen": [...]}``: split -> its labels. In a config each list may
              also be a path of a text or JSON list.
            - ``{"a dog": {"split": "seen", "kind": "entity"}, ...}``: label -> its attributes.

            An entry ``_meta`` says where the split comes from (``make_split.py`` writes one) and is
            passed over.
        root: ``data_root`` of the data set.

    Returns:
        axis -> label -> value.
    """
    name = source if isinstance(source, str) else 'label_split'
    table = load_json(find_file(source, root, 'label_split')) if isinstance(source, str) else source
    if isinstance(table, Mapping):
        table = {key: value for key, value in table.items() if key != '_meta'}
    if not isinstance(table, Mapping) or not table:
        raise DataError(
            f'{name}: expected {{"seen": [...], ...}} or {{"label": {{"split": "seen"}}}}'
        )
    attributes: LabelAttributes = {}
    if all(isinstance(v, Mapping) for v in table.values()):
        for label, values in table.items():
            for axis, value in values.items():
                if not isinstance(value, str) or not value:
                    raise DataError(f'{name}: {axis!r} of {label!r} is {value!r}, not a string')
                attributes.setdefault(axis, {})[label.strip()] = value
        return attributes
    if not all(isinstance(v, (str, Sequence)) for v in table.values()):
        raise DataError(
            f'{name}: give lists of labels only, or attributes of labels only, not both'
        )
    split_of: dict[str, str] = {}
    for split, labels in table.items():
        for label in load_labels(labels, root):
            if label in split_of:
                raise VocabularyError(
                    f'{name}: label {label!r} is in both {split_of[label]!r} and {split!r}; keep '
                    'it in one'
                )
            split_of[label] = split
    return dict(split=split_of)


def rename_labels(attributes: LabelAttributes, aliases: Mapping[str, str]) -> LabelAttributes:
    """The same attributes with each label that is an alias under its own name."""
    return {
        axis: {aliases.get(label, label): value for label, value in values.items()}
        for axis, values in attributes.items()
    }


def check_unique(labels: Sequence[str], name: str) -> None:
    """Raise VocabularyError if a label occurs twice."""
    first: dict[str, int] = {}
    for i, label in enumerate(labels):
        if label in first:
            raise VocabularyError(
                f'{name}: label {label!r} occurs twice (entries {first[label] + 1} and {i + 1}); '
                'remove one'
            )
        first[label] = i


def find_file(path: str, root: str, what: str) -> str:
    """``root/path`` if that exists, else ``path``; DataError naming both if neither does."""
    candidates = [path] if osp.isabs(path) or not root else [osp.join(root, path), path]
    for candidate in candidates:
        if osp.isfile(candidate):
            return candidate
    raise DataError(f'{what}: file {" or ".join(candidates)} not found; correct the path')


def load_json(path: str) -> Any:
    """Content of a JSON file; a byte order mark is dropped."""
    try:
        with open(path, encoding='utf-8-sig') as file:
            return json.load(file)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f'{path}: no valid JSON ({error}); correct the file') from None


def _read_lines(path: str) -> list[str]:
    try:
        with open(path, encoding='utf-8-sig') as file:  # universal newlines: CRLF is fine
            return [line.strip() for line in file if line.strip()]
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: no UTF-8 text ({error}); save it as UTF-8') from None

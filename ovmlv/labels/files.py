"""Lists, splits and attributes of labels, which decide on the columns of a data set."""

from __future__ import annotations

import os.path as osp
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ovmlv.errors import ConfigError, DataError, VocabularyError, shown
from ovmlv.files import parse_json, read_json, read_text, split_lines
from ovmlv.tables import read_csv_rows

from .checks import check_labels, unique_labels, unlisted_label_error

#: axis -> label -> value, e.g. ``{'split': {'a dog': 'seen'}, 'kind': {'a dog': 'entity'}}``
LabelAttributes = dict[str, dict[str, str]]
#: The column of a CSV file that holds labels.
COLUMN = 'label'


@dataclass
class LabelVocabulary:
    """All labels of a data set with their attributes.

    Attributes:
        labels: Every label that may occur, without duplicates.
        attributes: axis -> label -> value; the axis ``split`` holds seen / unseen / ...

    Examples:
        >>> splits = dict(split={'a dog': 'seen', 'a cat': 'unseen', 'running': 'seen'})
        >>> vocabulary = LabelVocabulary(['a dog', 'a cat', 'running'], splits)
        >>> vocabulary.select('seen')
        ['a dog', 'running']
        >>> vocabulary.attribute_columns(['a cat', 'running'])
        {'split': ['unseen', 'seen']}
    """

    labels: list[str]
    attributes: LabelAttributes = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.labels = list(unique_labels(self.labels, 'classes'))
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
            label_set: Choice of labels: ``all``; one or several values of the axis ``split``; or a
                mapping from axes to values, all of which must hold
                (``dict(split='seen', kind='action')``).

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
        """Axis -> value of each of ``labels``; ``other`` if a label has none."""
        return {
            axis: [values.get(label, 'other') for label in labels]
            for axis, values in self.attributes.items()
        }


def load_labels(source: str | Sequence[str], root: str = '', name: str = 'classes') -> list[str]:
    """Labels from a list or a file, each of them once.

    A file holds one label a line (empty lines are skipped), a JSON list whatever its suffix is, or,
    if it ends in ``.csv`` or ``.tsv``, a column with the header ``label``.

    Args:
        source: The list, or a path; a relative path is looked for under ``root`` first.
        root: ``data_root`` of the data set.
        name: What the labels are, for messages about a list.

    Raises:
        DataError: There is no such file, or it has another form.
        VocabularyError: A label cannot be used or is there twice, or there is no label.

    Examples:
        >>> import pathlib
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, 'labels.txt').write_text('a dog\\n running\\n')
        ...     print(load_labels('labels.txt', root=folder))
        ['a dog', 'running']
    """
    if not isinstance(source, str):
        return list(unique_labels(source, name))
    path = find_file(source, root, name)
    labels, lines = _read_list(path)
    return list(unique_labels(labels, path, lines))


def _read_list(path: str) -> tuple[list, list[int] | None]:
    """The entries of a file unchanged, and the lines of those entries that have a line."""
    suffix = osp.splitext(path)[1].lower()
    if suffix in ('.csv', '.tsv'):
        separator = '\t' if suffix == '.tsv' else ','
        mend = f'call the column of the labels {COLUMN!r}, or write a label a line into a .txt file'
        rows = list(read_csv_rows(path, (COLUMN,), separator, mend))
        lines = [int(where.rpartition(':')[2]) for where, _ in rows]
        return [row[COLUMN] for _, row in rows], lines
    text = read_text(path, 'file of labels')
    content = parse_json(text, path) if suffix == '.json' else _json_list(text, path)
    if content is None and suffix != '.json':
        numbered = [(n, line) for n, line in enumerate(split_lines(text), 1) if line.strip()]
        return [line for _, line in numbered], [n for n, _ in numbered]
    if not isinstance(content, list):
        raise DataError(f'{path}: expected a list of labels, found {type(content).__name__}')
    return content, None


def _json_list(text: str, path: str) -> list | None:
    """The JSON list of a file with another suffix; None if the text is not a JSON list."""
    if text.lstrip()[:1] != '[':
        return None
    try:
        content = parse_json(text, path)
    except DataError:
        return None  # labels may start with a bracket: "[something] falls"
    return content if isinstance(content, list) else None


def load_label_attributes(source: str | Mapping, root: str = '') -> LabelAttributes:
    """Splits and other attributes of labels.

    Args:
        source: One of the following, in a JSON file or directly:

            - ``{"seen": [...], "unseen": [...]}``: split -> its labels. In a config, each list may
              also be a path of a file, see :func:`load_labels`.
            - ``{"a dog": {"split": "seen", "kind": "entity"}, ...}``: label -> its attributes.

            An entry ``_meta`` says where the split comes from (``make_split.py`` writes one) and is
            skipped.
        root: ``data_root`` of the data set.

    Returns:
        axis -> label -> value.

    Examples:
        >>> load_label_attributes({'seen': ['a dog'], 'unseen': ['a cat']})
        {'split': {'a dog': 'seen', 'a cat': 'unseen'}}
        >>> load_label_attributes({'a dog': {'split': 'seen', 'kind': 'entity'}})
        {'split': {'a dog': 'seen'}, 'kind': {'a dog': 'entity'}}
    """
    name, table = 'label_split', source
    if isinstance(source, str):
        name = source
        table = read_json(find_file(source, root, 'label_split'), 'file of a label split')
    if isinstance(table, Mapping):
        table = {key: value for key, value in table.items() if key != '_meta'}
    if not isinstance(table, Mapping) or not table:
        raise DataError(
            f'{name}: expected {{"seen": [...], ...}} or {{"label": {{"split": "seen"}}}}'
        )
    if all(isinstance(v, Mapping) for v in table.values()):
        return _attributes_of_labels(table, name)
    if not all(isinstance(v, (str, Sequence)) for v in table.values()):
        raise DataError(
            f'{name}: give lists of labels only, or attributes of labels only, not both'
        )
    split_of: dict[str, str] = {}
    for split, labels in table.items():
        if not isinstance(split, str) or not split.strip():
            raise DataError(f'{name}: {split!r} is no name of a split; give a string')
        for label in load_labels(labels, root, f'{name}: {split!r}'):
            if label in split_of:
                raise VocabularyError(
                    f'{name}: label {label!r} is in both {split_of[label]!r} and {split!r}; keep '
                    'it in one'
                )
            split_of[label] = split
    return dict(split=split_of)


def _attributes_of_labels(table: Mapping, name: str) -> LabelAttributes:
    attributes: LabelAttributes = {}
    for label, values in zip(unique_labels(list(table), name), table.values(), strict=True):
        for axis, value in values.items():
            if not isinstance(axis, str) or not isinstance(value, str) or not value:
                raise DataError(f'{name}: {axis!r} of {label!r} is {value!r}, not a string')
            attributes.setdefault(axis, {})[label] = value
    return attributes


def rename_labels(attributes: LabelAttributes, aliases: Mapping[str, str]) -> LabelAttributes:
    """The same attributes, where each label that is an alias has its own name."""
    renamed: LabelAttributes = {}
    for axis, values in attributes.items():
        renamed[axis] = {aliases.get(label, label): value for label, value in values.items()}
        if len(renamed[axis]) < len(values):
            twice = next(k for k in values if k in aliases and aliases[k] in values)
            raise VocabularyError(
                f'label_split ({axis}): {twice!r} and {aliases[twice]!r} are the same label; '
                'remove one'
            )
    return renamed


def find_file(path: str, root: str, what: str) -> str:
    """``root/path`` if that exists, else ``path``; if neither exists, a DataError names both."""
    candidates = [path] if osp.isabs(path) or not root else [osp.join(root, path), path]
    for candidate in candidates:
        if osp.isfile(candidate):
            return candidate
    names = ' or '.join(v if v.isprintable() else shown(v) for v in candidates)
    raise DataError(f'{what}: file {names} not found; correct the path')


def read_reference_vocabulary(source: str | Sequence[str]) -> tuple[str, ...]:
    """Labels of a list or a file, see :func:`load_labels`, for the distillation of similarities.

    Examples:
        >>> read_reference_vocabulary(['a dog', ' running'])
        ('a dog', 'running')
    """
    labels = tuple(load_labels(source, name='reference_vocabulary'))
    if len(labels) < 2:
        raise ConfigError(
            f'reference_vocabulary has {len(labels)} labels; similarities need at least 2'
        )
    return labels


def without_training_labels(reference: Iterable[str], training: Iterable[str]) -> tuple[str, ...]:
    """The reference labels that are not training labels, whatever their case.

    To distil what the frozen model gives for a training label would work against the training.

    Examples:
        >>> without_training_labels(['a dog', 'Running', 'a cat'], training=['running'])
        ('a dog', 'a cat')
    """
    reference = check_labels(reference)
    taken = {label.casefold() for label in check_labels(training)}
    left = tuple(label for label in reference if label.casefold() not in taken)
    if len(left) < 2:
        raise ConfigError(
            f'reference_vocabulary: {len(left)} of {len(reference)} labels are no training labels; '
            'give labels that the training set does not have'
        )
    if len(left) < len(reference):
        from mmengine.logging import MMLogger  # this package is also used without it

        MMLogger.get_current_instance().info(
            f'reference_vocabulary: {len(reference) - len(left)} of {len(reference)} labels are '
            'training labels and left out'
        )
    return left

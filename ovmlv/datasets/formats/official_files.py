"""What the official files of several data sets have in common: lists of classes."""

from __future__ import annotations

import os.path as osp
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ovmlv.datasets.cells import expect, whole_number
from ovmlv.errors import DataError, shown
from ovmlv.files import read_json, read_lines
from ovmlv.labels import clean_label, unique_labels
from ovmlv.tables import read_csv_lists


@dataclass
class ClassNames:
    """The classes of a data set, in the order of their ids.

    Attributes:
        names: Names as the class file writes them.
        labels: Labels as the model reads them.
        path: Path of the file, for messages.

    Examples:
        >>> from ovmlv.datasets.formats.official_files import ClassNames
        >>> classes = ClassNames(['brush_hair', 'jump'], ['brush hair', 'jump'], 'classes.txt')
        >>> classes.by_index(0, 'list.txt:1'), classes.index('Brush hair', 'list.txt:2')
        ('brush hair', 0)
    """

    names: list[str]
    labels: list[str]
    path: str

    def __post_init__(self) -> None:
        self.names = [clean_label(name, f'{self.path}: class') for name in self.names]
        self.labels = list(unique_labels(self.labels, self.path))
        self._index = {name: i for i, name in enumerate(self.names)}
        loose: dict[str, list[int]] = {}
        for i, name in enumerate(self.names):
            loose.setdefault(_loose(name), []).append(i)
        self._loose = {name: found[0] for name, found in loose.items() if len(found) == 1}

    def by_index(self, index: int, where: str) -> str:
        """The label of an id that starts at 0."""
        if not 0 <= index < len(self.labels):
            raise DataError(
                f'{where}: label index {index} is outside 0..{len(self.labels) - 1} of '
                f'{self.path}; use the class file of the same release'
            )
        return self.labels[index]

    def index(self, name: str, where: str) -> int:
        """The id of a name; case and ``_`` for a blank matter only where they decide."""
        name = clean_label(name, f'{where}: class')
        found = self._index.get(name, self._loose.get(_loose(name)))
        if found is None:
            raise DataError(
                f'{where}: class {shown(name)} is not in {self.path}; use the class file of the '
                'same release'
            )
        return found

    def by_name(self, name: str, where: str) -> str:
        """The label of a name, see :meth:`index`."""
        return self.labels[self.index(name, where)]


def read_class_names(path: str) -> list[str]:
    """Names of a class file, in the order of their ids.

    The content of the file tells which of these forms it has: one name a line; ``1 Name`` (UCF101;
    ids from 0 or 1); ``name,0`` (Moments in Time); a CSV with the header ``id,name``; JSON, a list
    or ``{"name": "0"}`` (Something-Something).

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets.formats.official_files import read_class_names
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'classInd.txt').write_text('1 Archery\\n2 Basketball')
        ...     print(read_class_names(f'{root}/classInd.txt'))
        ['Archery', 'Basketball']
    """
    read = _json_entries if path.lower().endswith('.json') else _text_entries
    by_id: dict[int, str] = {}
    for where, name, number in read(path):
        index = whole_number(number, where, 'class id')
        if index in by_id:
            raise DataError(f'{where}: class {shown(name)} has the id {index} of {by_id[index]!r}')
        by_id[index] = clean_label(name, where)
    first = min(by_id, default=0)
    if not by_id or first > 1 or max(by_id) - first + 1 != len(by_id):
        raise DataError(
            f'{path}: {len(by_id)} class ids do not count from 0 or 1 without gaps; use the '
            'published class file'
        )
    return list(unique_labels([by_id[i] for i in sorted(by_id)], path))


def load_class_names(
    path: str, label_of: Callable[[str], str], names: Sequence[str] | None = None
) -> ClassNames:
    """Classes of a file (or ``names``) with their labels.

    Examples:
        >>> from ovmlv.datasets.formats.official_files import load_class_names, spoken
        >>> load_class_names('classes.txt', spoken, names=['ApplyLipstick', 'jump']).labels
        ['apply lipstick', 'jump']
    """
    names = list(names or read_class_names(path))
    return ClassNames(names, [label_of(name) for name in names], osp.basename(path))


def spoken(name: str) -> str:
    """A class name as it is said within a sentence.

    ``ApplyEyeMakeup`` -> "apply eye makeup", ``brush_hair`` -> "brush hair", ``adult+male+singing``
    -> "adult male singing", ``snuggling/cuddling`` -> "snuggling or cuddling", ``turn-on`` -> "turn
    on", ``board:chopping`` -> "chopping board" (EPIC-Kitchens writes the noun first).

    Examples:
        >>> from ovmlv.datasets.formats.official_files import spoken
        >>> spoken('HorseRiding'), spoken('snuggling/cuddling'), spoken('board:chopping')
        ('horse riding', 'snuggling or cuddling', 'chopping board')
    """
    name = re.sub(r'(?<=[a-z])(?=[A-Z])', ' ', name)
    first, *rest = name.split(':')
    name = ' '.join([*rest, first])
    name = name.replace('/', ' or ')
    return ' '.join(re.split(r'[\s_+-]+', name.lower())).strip()


def _loose(name: str) -> str:
    return name.casefold().replace('_', ' ')


def _text_entries(path: str) -> list[tuple[str, str, Any]]:
    """``file:line``, name and id of the classes of a text or CSV file."""
    lines = [(f'{path}:{n}', v) for n, v in enumerate(read_lines(path), 1) if v.strip()]
    texts = [line for _, line in lines]
    if texts and re.fullmatch(r'(?i)\W?id\W?,\W?name\W?', texts[0].strip()):
        rows = list(read_csv_lists(path))[1:]
        for where, row in rows:
            if len(row) != 2:
                raise DataError(f'{where}: the row is not "id,name"; quote names with a comma')
        return [(where, name, number) for where, (number, name) in rows]
    if texts and all(re.match(r'\d+\s+\S', line) for line in texts):
        pairs = [(where, line.strip().split(None, 1)) for where, line in lines]
        return [(where, name, number) for where, (number, name) in pairs]
    if texts and all(re.search(r',\s*\d+\s*$', line) for line in texts):
        pairs = [(where, line.rsplit(',', 1)) for where, line in lines]
        return [(where, name, number) for where, (name, number) in pairs]
    return [(where, line, i) for i, (where, line) in enumerate(lines)]


def _json_entries(path: str) -> list[tuple[str, Any, Any]]:
    """``file: entry n``, name and id of the classes of a JSON file."""
    content = expect(read_json(path), (dict, list), path, '{"name": "0", ...} or a list of names')
    entries = content.items() if isinstance(content, dict) else zip(content, range(len(content)))
    return [(f'{path}: entry {n}', *entry) for n, entry in enumerate(entries, 1)]

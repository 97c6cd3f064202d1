"""What the official files of several data sets have in common: CSV rows and class files."""

from __future__ import annotations

import csv
import json
import os.path as osp
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from ovmlv.errors import DataError

from .vocabulary import check_unique


@contextmanager
def open_text(path: str) -> Iterator[TextIO]:
    """A text file as UTF-8 with its own line ends; a byte order mark is dropped."""
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            yield file
    except FileNotFoundError:
        raise DataError(f'{path}: file not found; correct the path or data_root') from None
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: no UTF-8 text ({error}); save it as UTF-8') from None


def read_csv_rows(path: str, required: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """``file:line`` and cells of each row of a CSV file with a header; every cell is a string.

    Args:
        path: The file.
        required: Columns that it must have.
    """
    with open_text(path) as file:
        reader = csv.DictReader(file, strict=True)
        try:
            header = reader.fieldnames or []
            missing = [name for name in required if name not in header]
            if missing:
                raise DataError(
                    f'{path}:1: no column {missing[0]!r} among {list(header)}; use the published '
                    'file'
                )
            for row in reader:
                where = f'{path}:{reader.line_num}'
                if None in row or None in row.values():
                    raise DataError(
                        f'{where}: the row has not {len(header)} fields; restore the published file'
                    )
                yield where, row
        except csv.Error as error:
            raise DataError(f'{path}:{reader.line_num}: no valid CSV ({error})') from None


def read_csv_lists(path: str) -> Iterator[tuple[str, list[str]]]:
    """``file:line`` and cells of each row of a CSV file without a header."""
    with open_text(path) as file:
        reader = csv.reader(file, strict=True)
        try:
            for row in reader:
                if row:
                    yield f'{path}:{reader.line_num}', row
        except csv.Error as error:
            raise DataError(f'{path}:{reader.line_num}: no valid CSV ({error})') from None


@dataclass
class ClassNames:
    """The classes of a data set, in the order of their ids.

    Attributes:
        names: As the class file writes them.
        labels: As the model reads them.
        path: For messages.
    """

    names: list[str]
    labels: list[str]
    path: str

    def __post_init__(self) -> None:
        check_unique(self.labels, self.path)
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
        """The id of a name; case and ``_`` for a blank do not matter where they decide nothing."""
        found = self._index.get(name, self._loose.get(_loose(name)))
        if found is None:
            raise DataError(
                f'{where}: class {name!r} is not in {self.path}; use the class file of the same '
                'release'
            )
        return found

    def by_name(self, name: str, where: str) -> str:
        """The label of a name, see :meth:`index`."""
        return self.labels[self.index(name, where)]


def read_class_names(path: str) -> list[str]:
    """Names of a class file, in the order of their ids.

    The forms that data sets use, told apart by their content: a name a line; ``1 Name`` (UCF101;
    ids from 0 or 1); ``name,0`` (Moments in Time); a CSV with the header ``id,name``; JSON, a list
    or ``{"name": "0"}`` (Something-Something).
    """
    with open_text(path) as file:
        text = file.read()
    if path.lower().endswith('.json'):
        entries = _json_entries(text, path)
    else:
        lines = [line for line in text.splitlines() if line.strip()]
        if lines and re.fullmatch(r'(?i)\W?id\W?,\W?name\W?', lines[0].strip()):
            entries = [(row[1], row[0]) for row in list(csv.reader(lines))[1:] if len(row) == 2]
            if len(entries) != len(lines) - 1:
                raise DataError(f'{path}: not every row is "id,name"; quote names with a comma')
        elif lines and all(re.match(r'\d+\s+\S', line) for line in lines):
            entries = [(w[1], w[0]) for w in (line.strip().split(None, 1) for line in lines)]
        elif lines and all(re.search(r',\s*\d+\s*$', line) for line in lines):
            entries = [(w[0], w[1]) for w in (line.rsplit(',', 1) for line in lines)]
        else:
            entries = [(line, str(i)) for i, line in enumerate(lines)]
    by_id: dict[int, str] = {}
    for name, number in entries:
        name = name.strip()
        if not number.strip().isdecimal() or not name or int(number) in by_id:
            raise DataError(f'{path}: class {name!r} with id {number!r} is no name with a new id')
        by_id[int(number)] = name
    first = min(by_id, default=0)
    if not by_id or first > 1 or max(by_id) - first + 1 != len(by_id):
        raise DataError(
            f'{path}: {len(by_id)} class ids do not count from 0 or 1 without gaps; use the '
            'published class file'
        )
    names = [by_id[i] for i in sorted(by_id)]
    check_unique(names, path)
    return names


def load_class_names(
    path: str, label_of: Callable[[str], str], names: Sequence[str] | None = None
) -> ClassNames:
    """Classes of a file (or ``names``) with their labels."""
    names = list(names or read_class_names(path))
    return ClassNames(names, [label_of(name) for name in names], osp.basename(path))


def spoken(name: str) -> str:
    """A class name as it is said within a sentence.

    ``ApplyEyeMakeup`` -> "apply eye makeup", ``brush_hair`` -> "brush hair", ``adult+male+singing``
    -> "adult male singing", ``snuggling/cuddling`` -> "snuggling or cuddling", ``turn-on`` -> "turn
    on", ``board:chopping`` -> "chopping board" (EPIC-Kitchens writes the noun first).
    """
    name = re.sub(r'(?<=[a-z])(?=[A-Z])', ' ', name)
    first, *rest = name.split(':')
    name = ' '.join([*rest, first])
    name = name.replace('/', ' or ')
    return ' '.join(re.split(r'[\s_+-]+', name.lower())).strip()


def _loose(name: str) -> str:
    return name.casefold().replace('_', ' ')


def _json_entries(text: str, path: str) -> list[tuple[str, str]]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f'{path}:{error.lineno}: no valid JSON ({error.msg})') from None
    if isinstance(content, dict):
        return [(str(name), str(number)) for name, number in content.items()]
    if isinstance(content, list):
        return [(str(name), str(i)) for i, name in enumerate(content)]
    raise DataError(f'{path}: expected {{"name": "0", ...}} or a list of names')

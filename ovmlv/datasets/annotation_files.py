"""Generic annotation files: JSONL, JSON, CSV / TSV with a header, and mmaction2's text lists."""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, TextIO

from ovmlv.errors import DataError

from .annotation import VideoAnnotation

JSON_KEYS = ('video', 'labels', 'unknown', 'negatives', 'segment', 'video_id', 'extra')
CSV_COLUMNS = ('video', 'labels', 'unknown', 'negatives', 'start', 'end', 'video_id')


def read_annotation_file(
    path: str, delimiter: str = ';', classes: Sequence[str] | None = None
) -> list[VideoAnnotation]:
    """Read an annotation file; its suffix says which format it has.

    Args:
        path: ``.jsonl``, ``.json``, ``.csv``, ``.tsv`` or ``.txt``.
        delimiter: Between the labels of a CSV cell.
        classes: Names for the indices of a ``.txt`` list.

    Raises:
        DataError: The file is missing, has another format, or a row is malformed (``file:line``).
    """
    readers: dict[str, Callable[[TextIO], Iterator[VideoAnnotation]]] = {
        '.jsonl': lambda f: _read_jsonl(f, path),
        '.json': lambda f: _read_json(f, path),
        '.csv': lambda f: _read_csv(f, path, ',', delimiter),
        '.tsv': lambda f: _read_csv(f, path, '\t', delimiter),
        '.txt': lambda f: _read_list(f, path, classes),
    }
    suffix = PurePath(path).suffix.lower()
    if suffix not in readers:
        raise DataError(f'{path}: annotation files end in {", ".join(readers)}, not {suffix!r}')
    try:
        # utf-8-sig drops the byte order mark of spreadsheet programs; newline='' is what csv asks
        # for.
        with open(path, encoding='utf-8-sig', newline='') as file:
            return list(readers[suffix](file))
    except FileNotFoundError:
        raise DataError(
            f'{path}: annotation file not found; correct ann_file or data_root'
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: no UTF-8 text ({error}); save it as UTF-8') from None


def _read_jsonl(file: TextIO, path: str) -> Iterator[VideoAnnotation]:
    """One JSON object a line."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f'{path}:{number}: no valid JSON ({error.msg} at column {error.colno}); write '
                'one object a line'
            ) from None
        yield _from_object(row, f'{path}:{number}')


def _read_json(file: TextIO, path: str) -> Iterator[VideoAnnotation]:
    """One JSON list of the same objects."""
    try:
        rows = json.load(file)
    except json.JSONDecodeError as error:
        raise DataError(f'{path}:{error.lineno}: no valid JSON ({error.msg})') from None
    if not isinstance(rows, list):
        raise DataError(f'{path}: expected a list of objects, found {type(rows).__name__}')
    for number, row in enumerate(rows, 1):
        yield _from_object(row, f'{path}: entry {number}')


def _from_object(row: Any, where: str) -> VideoAnnotation:
    if not isinstance(row, dict):
        raise DataError(
            f'{where}: expected an object {{"video": ..., "labels": [...]}}, found '
            f'{type(row).__name__}'
        )
    _check_names(row, JSON_KEYS, ('video', 'labels'), where)
    return VideoAnnotation(**row, where=where)


def _read_csv(file: TextIO, path: str, separator: str, delimiter: str) -> Iterator[VideoAnnotation]:
    """A header and a row for each video; labels of one cell are separated by ``delimiter``."""
    reader = csv.DictReader(file, delimiter=separator, strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or []]
        _check_names(header, CSV_COLUMNS, ('video', 'labels'), f'{path}:1', extra_is_fine=True)
        reader.fieldnames = header
        for row in reader:
            where = f'{path}:{reader.line_num}'
            if None in row or None in row.values():
                found = (
                    len(header) + len(row[None])
                    if None in row
                    else sum(v is not None for v in row.values())
                )
                raise DataError(
                    f'{where}: {found} fields, but the header has {len(header)}; put fields that '
                    f'contain {separator!r} in double quotes'
                )
            yield _from_cells(row, where, delimiter)
    except csv.Error as error:
        raise DataError(f'{path}:{reader.line_num}: no valid CSV ({error})') from None


def _from_cells(row: dict[str, str], where: str, delimiter: str) -> VideoAnnotation:
    def split(cell: str) -> tuple[str, ...]:
        return tuple(cell.split(delimiter)) if cell.strip() else ()

    start, end = row.get('start', '').strip(), row.get('end', '').strip()
    if bool(start) != bool(end):
        raise DataError(f'{where}: a segment needs both start and end (found {start!r}, {end!r})')
    negatives = row.get('negatives')
    return VideoAnnotation(
        video=row['video'],
        labels=split(row['labels']),
        unknown=split(row.get('unknown', '')),
        # An empty cell states nothing; only a filled one makes the row's other labels unknown.
        negatives=split(negatives) if negatives and negatives.strip() else None,
        segment=(start, end) if start else None,  # converted and checked there
        video_id=row.get('video_id', ''),
        where=where,
        extra={k: v for k, v in row.items() if k not in CSV_COLUMNS},
    )


def read_list_lines(file: TextIO, path: str) -> Iterator[tuple[str, str, list[int]]]:
    """``file:line``, video and numbers of the lines ``path number number ...``.

    The path may contain blanks; there may be no number.
    """
    for number, line in enumerate(file, 1):
        words = line.split()
        if not words:
            continue
        count = 0
        while count < len(words) - 1 and words[-1 - count].lstrip('-').isdecimal():
            count += 1
        video = line.strip()
        for _ in range(count):  # from the right, so that blanks inside the path stay as they are
            video = video.rsplit(None, 1)[0]
        yield f'{path}:{number}', video, [int(v) for v in words[len(words) - count :]]


def _read_list(file: TextIO, path: str, classes: Sequence[str] | None) -> Iterator[VideoAnnotation]:
    """mmaction2's lists: ``path index index ...``, where the path may contain blanks."""
    if classes is None:
        raise DataError(f'{path}: a .txt list has label indices; give classes to name them')
    for where, video, indices in read_list_lines(file, path):
        for index in indices:
            if not 0 <= index < len(classes):
                raise DataError(
                    f'{where}: label index {index} is outside 0..{len(classes) - 1}; correct it '
                    'or classes'
                )
        yield VideoAnnotation(video, [classes[i] for i in indices], where=where)


def _check_names(
    names: Any,
    known: Sequence[str],
    required: Sequence[str],
    where: str,
    extra_is_fine: bool = False,
) -> None:
    """Refuse missing and misspelt names; where further ones are fine (CSV), near misses alone."""
    for name in required:
        if name not in names:
            near = difflib.get_close_matches(name, list(map(str, names)), n=1, cutoff=0.6)
            hint = f'did you mean {near[0]!r}?' if near else f'found {list(names)}'
            raise DataError(f'{where}: {name!r} is missing; {hint}')
    for name in names:
        if name in known:
            continue
        near = difflib.get_close_matches(
            str(name), known, n=1, cutoff=0.8 if extra_is_fine else 0.6
        )
        if near or not extra_is_fine:
            hint = f'did you mean {near[0]!r}?' if near else f'known are {list(known)}.'
            raise DataError(f'{where}: unknown name {name!r}; {hint} Put other data under "extra"')

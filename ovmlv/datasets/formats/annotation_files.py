"""Generic annotation files: JSONL, JSON, CSV / TSV with a header, and mmaction2's text lists."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, cast

from ovmlv.datasets.annotation import VideoAnnotation
from ovmlv.datasets.cells import item, whole_number
from ovmlv.datasets.video_names import SUFFIXES
from ovmlv.errors import DataError, shown
from ovmlv.files import read_json, read_json_lines, read_lines
from ovmlv.tables import read_csv_lists, read_csv_rows

JSON_KEYS = ('video', 'labels', 'unknown', 'negatives', 'segment', 'video_id', 'extra')
CSV_COLUMNS = ('video', 'labels', 'unknown', 'negatives', 'start', 'end', 'video_id')

# Lines of lists, "path number number ...": the last number with the path before it; what follows
# the suffix of a video; a last word that wants to be a number but is none.
_LAST_NUMBER = re.compile(r'(.*\S)\s+(-?\d+)', re.ASCII | re.DOTALL)
_BEHIND = re.compile(rf'(?i)(?:{"|".join(map(re.escape, SUFFIXES))})(?=[^\w.])\s*(.+)$')
_NUMBER_LIKE = re.compile(r'(?i)[\s,]([-+]*(?:[\d.][\d.,eE+-]*|nan|inf))$', re.ASCII)
_HUGE = 10**18


def read_annotation_file(
    path: str, delimiter: str = ';', classes: Sequence[str] | None = None
) -> list[VideoAnnotation]:
    """Read an annotation file; its suffix says which format it has.

    Args:
        path: A file that ends in ``.jsonl``, ``.json``, ``.csv``, ``.tsv`` or ``.txt``.
        delimiter: Text between the labels of a CSV cell.
        classes: Names for the indices of a ``.txt`` list.

    Raises:
        DataError: The file is missing, has another format, or a row is malformed (``file:line``).

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets.formats.annotation_files import read_annotation_file
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'a.csv').write_text('video,labels\\na.mp4,a dog;running\\n')
        ...     rows = read_annotation_file(f'{root}/a.csv')
        >>> rows[0].video, rows[0].labels
        ('a.mp4', ('a dog', 'running'))
    """
    readers: dict[str, Callable[[], Iterator[VideoAnnotation]]] = {
        '.jsonl': lambda: _read_jsonl(path),
        '.json': lambda: _read_json(path),
        '.csv': lambda: _read_csv(path, ',', delimiter),
        '.tsv': lambda: _read_csv(path, '\t', delimiter),
        '.txt': lambda: _read_list(path, classes),
    }
    suffix = PurePath(path).suffix.lower()
    if suffix not in readers:
        raise DataError(f'{path}: annotation files end in {", ".join(readers)}, not {suffix!r}')
    return list(readers[suffix]())


def _read_jsonl(path: str) -> Iterator[VideoAnnotation]:
    """One JSON object a line."""
    for where, row in read_json_lines(path, 'annotation file'):
        yield _from_object(row, where)


def _read_json(path: str) -> Iterator[VideoAnnotation]:
    """One JSON list of the same objects."""
    rows = read_json(path, 'annotation file')
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
    for key, kind in (('video_id', str), ('extra', dict)):
        if key in row:
            item(row, key, kind, where)
    return VideoAnnotation(**row, where=where)


def _read_csv(path: str, separator: str, delimiter: str) -> Iterator[VideoAnnotation]:
    """A header and a row for each video; labels of one cell are separated by ``delimiter``."""
    header = next(read_csv_lists(path, separator), ('', []))[1]
    names = [name.strip() for name in header]
    _check_names(names, CSV_COLUMNS, ('video', 'labels'), f'{path}:1', extra_is_fine=True)
    for where, row in read_csv_rows(path, ('video', 'labels'), separator):
        yield _from_cells(row, where, delimiter)


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
        # Converted and checked there.
        segment=cast(tuple[float, float], (start, end)) if start else None,
        video_id=row.get('video_id', ''),
        where=where,
        extra={k: v for k, v in row.items() if k not in CSV_COLUMNS},
    )


def read_list_lines(path: str) -> Iterator[tuple[str, str, list[int]]]:
    """``file:line``, video and numbers of the lines ``path number number ...``.

    The path may contain blanks; there may be no number.

    Raises:
        DataError: Something that is not a number follows the path (``a.mp4,0``, ``a.mp4 --1``).

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets.formats.annotation_files import read_list_lines
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'a.txt').write_text('my videos/a.mp4 0 3')
        ...     print([(video, numbers) for _, video, numbers in read_list_lines(f'{root}/a.txt')])
        [('my videos/a.mp4', [0, 3])]
    """
    for number, line in enumerate(read_lines(path, 'annotation file'), 1):
        where, video = f'{path}:{number}', line.strip()
        if not video:
            continue
        found: list[int] = []
        # From the right, so that blanks inside the path stay as they are.
        while match := _LAST_NUMBER.fullmatch(video):
            video = match[1]
            found.insert(0, whole_number(match[2], where, 'label index', minimum=-_HUGE))
        if rest := _behind_path(video):
            raise DataError(
                f'{where}: {shown(rest)} behind the video is no label index; write "path index '
                'index ..." with blanks between them'
            )
        yield where, video, found


def _behind_path(video: str) -> str:
    """What follows the path in a line, if the end of the path can be seen."""
    name = posixpath.basename(video)
    if posixpath.splitext(name)[1].lower() in SUFFIXES:
        return ''
    match = _BEHIND.search(name) or _NUMBER_LIKE.search(name)
    return match[1] if match else ''


def _read_list(path: str, classes: Sequence[str] | None) -> Iterator[VideoAnnotation]:
    """mmaction2's lists: ``path index index ...``, where the path may contain blanks."""
    if classes is None:
        raise DataError(f'{path}: a .txt list has label indices; give classes to name them')
    for where, video, indices in read_list_lines(path):
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
    """Refuse missing and misspelt names; in CSV, where others are allowed, only near misses."""
    for name in required:
        if name not in names:
            near = difflib.get_close_matches(name, list(map(str, names)), n=1, cutoff=0.6)
            hint = f'did you mean {near[0]!r}?' if near else f'found {shown(list(names))}'
            raise DataError(f'{where}: {name!r} is missing; {hint}')
    for name in names:
        if name in known:
            continue
        near = difflib.get_close_matches(
            str(name), known, n=1, cutoff=0.8 if extra_is_fine else 0.6
        )
        if near or not extra_is_fine:
            hint = f'did you mean {near[0]!r}?' if near else f'known are {list(known)}.'
            raise DataError(
                f'{where}: unknown name {shown(name)}; {hint} Put other data under "extra"'
            )

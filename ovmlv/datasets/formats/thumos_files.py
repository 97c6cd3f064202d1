"""The text files of THUMOS14 and MultiTHUMOS: one for each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ovmlv.datasets.cells import seconds
from ovmlv.errors import DataError, shown
from ovmlv.files import read_lines


def read_class_file(path: Path) -> list[tuple[str, str, float, float]]:
    """``file:line``, video, start and end of each line ``video_validation_0000901  6.2 7.8``."""
    rows = []
    for number, line in enumerate(read_lines(path), 1):
        words = line.split()  # two blanks after the name in THUMOS14, one in MultiTHUMOS
        if not words:
            continue
        where = f'{path}:{number}'
        if len(words) != 3:
            raise DataError(f'{where}: {shown(line.strip())} is not "video start end"')
        start, end = (seconds(words[i], where, what) for i, what in ((1, 'start'), (2, 'end')))
        rows.append((where, words[0], start, end))
    return rows


def class_files(folder: str, suffixes: Sequence[str]) -> dict[str, Path]:
    """Class -> its file in a folder, by name. ``BaseballPitch_val.txt`` with the suffix ``_val`` is
    the file of ``BaseballPitch``; ``readme.txt`` is of no class.

    Raises:
        DataError: There is no such file.
    """
    found: dict[str, Path] = {}
    for path in sorted(Path(folder).glob('*.txt')):
        for suffix in suffixes:
            name = path.stem.removesuffix(suffix)
            if path.stem.endswith(suffix) and name[:1].isupper():
                found[name] = path
    if not found:
        names = ' or '.join(f'Class{suffix}.txt' for suffix in suffixes)
        raise DataError(f'{folder}: no file {names} in this folder; extract the published zip file')
    return found

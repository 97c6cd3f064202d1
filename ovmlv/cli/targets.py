"""Checks of the places that commands write to, made before a model is loaded."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from ovmlv.errors import ConfigError, OutputError

# What a build of a bank that was killed before its index was written leaves.
_OF_BANK = re.compile(r'chunk-[0-9a-f]{32}\.safetensors|\..*')


def check_target(path: Path, flag: str) -> bool:
    """Look at the place that results shall be written to, without touching it.

    Returns:
        Whether the place is a pipe, terminal or other stream rather than a file.

    Raises:
        ConfigError: The place is a folder, a disk or a socket, or no file can be made there.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        parent = next((p for p in path.absolute().parents if p.exists()), Path('/'))
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            what = 'is read-only' if parent.is_dir() else 'is no folder'
            raise ConfigError(
                f'{path} cannot be written ({parent} {what}); name another file'
            ) from None
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise ConfigError(f'{path} cannot be written ({reason}); name another file') from None
    if stat.S_ISDIR(mode):
        raise ConfigError(f'{flag} {path} is a folder; name a file')
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return True
    if not stat.S_ISREG(mode):
        raise ConfigError(f'{flag} {path} is no regular file, pipe or terminal; name another')
    if not os.access(path, os.W_OK):
        raise ConfigError(f'{path} cannot be written (no permission); name another file')
    # /dev/stdout of a redirected command is a file of somebody else's.
    return path.absolute().parts[1:2] in (('dev',), ('proc',))


def refuse_unwritable(path: str | Path, flag: str, folder: bool = False) -> None:
    """Refuse a place where no file (or folder) can be written whole, before a model is loaded.

    Raises:
        ConfigError: The place is a device or a pipe, or a folder instead of a file or the reverse.
    """
    path = Path(path)
    if folder and os.path.isdir(path):
        return
    if check_target(path, flag) or (folder and os.path.exists(path)):
        what = 'folder' if folder else 'regular file'
        raise ConfigError(f'{flag} {path} is no {what}; name another')


def refuse_other_folder(path: str | Path, flag: str) -> None:
    """Refuse to write a label bank among other things.

    Raises:
        ConfigError: The folder holds more than a bank, or than what an interrupted build left.
    """
    from ovmlv.label_bank.files import INDEX

    refuse_unwritable(path, flag, folder=True)
    folder = Path(path)
    if not folder.is_dir() or (folder / INDEX).exists():
        return
    other = next((p.name for p in folder.iterdir() if not _OF_BANK.fullmatch(p.name)), None)
    if other is not None:
        raise ConfigError(f'{path} holds other things ({other}); give a new or empty folder')


def refuse_inputs(path: str | Path | None, flag: str, inputs: Iterable[Any]) -> None:
    """Refuse to write onto a file that is read.

    Raises:
        ConfigError: The path is one of the inputs (others than paths are passed over).
    """
    if path is None or not os.path.isfile(path):
        return
    for entry in inputs:
        if (
            isinstance(entry, (str, Path))
            and os.path.isfile(entry)
            and os.path.samefile(path, entry)
        ):
            raise ConfigError(f'{flag} {path} is {entry}, which is read; name another file')


def open_target(path: Path) -> IO[bytes]:
    """Open for appending without a buffer, so that what was written is in the file at once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open('ab', buffering=0)
    except OSError as error:
        raise OutputError(
            f'{path} cannot be written ({error.strerror}); name another file'
        ) from None


def write_all(file: IO[bytes], path: Path, data: bytes) -> None:
    """Write all bytes.

    Raises:
        OutputError: For example, the disk is full; what was written before stays.
    """
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f'{path} cannot be written ({error.strerror}); what was written before is kept'
        ) from None

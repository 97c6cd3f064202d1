"""Text and JSON files that people write, and files that are either whole or not there.

All code that reads a user's text or writes a result goes through here, so that a byte order mark, a
foreign encoding, JSON that is nested too deep, a full disk or a kill means the same everywhere.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import DataError, OutputError, OvmlvError

_PIECE = 1 << 20
_LINE_END = re.compile(r'\r\n|\n|\r')

# --- reading -------------------------------------------------------------------------------------


def read_text(path: str | Path, what: str = 'file') -> str:
    """A whole UTF-8 text file with its own line ends; a byte order mark is dropped.

    Args:
        path: The file.
        what: What the file is for the user, for messages ("annotation file").

    Raises:
        DataError: The file is missing, cannot be read, or is not UTF-8 text.
    """
    try:
        # newline='' keeps a carriage return inside a quoted cell, which csv asks for.
        with open(path, encoding='utf-8-sig', newline='') as file:
            return file.read()
    except FileNotFoundError:
        raise DataError(f'{path}: {what} not found; correct the path') from None
    except UnicodeDecodeError as error:
        raise DataError(f'{path}: no UTF-8 text ({error}); save it as UTF-8') from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise DataError(f'{path}: {what} cannot be read ({_reason(error)})') from None


def split_lines(text: str) -> list[str]:
    """Lines as editors count them: they end at LF, CRLF or CR.

    ``str.splitlines`` also cuts at U+2028, U+0085 and six other characters that may be inside a
    label or a JSON string.

    Examples:
        >>> split_lines('a dog\\r\\na cat\\u2028\\n')
        ['a dog', 'a cat\\u2028']
    """
    lines = _LINE_END.split(text)
    return lines[:-1] if not lines[-1] else lines


def read_lines(path: str | Path, what: str = 'file') -> list[str]:
    """The lines of a text file, see :func:`read_text` and :func:`split_lines`."""
    return split_lines(read_text(path, what))


def parse_json(text: str | bytes, where: str, line: int | None = None) -> Any:
    """JSON of any origin.

    Args:
        text: The text to parse.
        where: The file (or request), for messages.
        line: The line of the file, if the text is a single line of it; otherwise messages name the
            parser's line.

    Raises:
        DataError: The text is not JSON, is nested too deep, has a key twice in one object, or has a
            number of thousands of digits.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            for twice, _ in pairs:
                if twice in seen:
                    break
                seen.add(twice)
            raise DataError(f'{place}: the key {twice[:80]!r} stands twice in one object')
        return found

    place = where if line is None else f'{where}:{line}'
    try:
        if isinstance(text, bytes):
            text = text.decode('utf-8-sig')
        return json.loads(text, object_pairs_hook=unique)
    except DataError:
        raise
    except json.JSONDecodeError as error:
        place = f'{where}:{error.lineno if line is None else line}'
        raise DataError(f'{place}: no valid JSON ({error.msg} at column {error.colno})') from None
    except RecursionError:
        raise DataError(f'{place}: no usable JSON (nested too deep)') from None
    except ValueError as error:  # no UTF-8, or a number beyond Python's limit of digits
        raise DataError(f'{place}: no valid JSON ({_reason(error)})') from None


def read_json(path: str | Path, what: str = 'file') -> Any:
    """Content of a JSON file, see :func:`read_text` and :func:`parse_json`."""
    return parse_json(read_text(path, what), str(path))


def read_json_lines(path: str | Path, what: str = 'file') -> Iterator[tuple[str, Any]]:
    """``file:line`` and value of each line of a JSON lines file; empty lines are skipped."""
    for number, line in enumerate(read_lines(path, what), 1):
        if line.strip():
            yield f'{path}:{number}', parse_json(line, str(path), number)


def file_digest(path: str | Path, algorithm: Callable[[], Any] = hashlib.sha256) -> str:
    """Hexadecimal digest of a file, read piece by piece.

    In the names here a *digest* is of bytes or of a text, a *fingerprint* is of a model's weights.
    """
    digest = algorithm()
    with open(path, 'rb') as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def text_digest(text: str) -> str:
    """Hexadecimal digest of a text, which may hold any character.

    Examples:
        >>> text_digest('a dog')[:8]
        '7dbdf68a'
    """
    return hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()


# --- writing -------------------------------------------------------------------------------------


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends without an error.

    No reader ever sees half a file, and no kill leaves one. The suffix is kept, for writers that
    depend on it, and the permissions are those that the umask gives a new file, whatever the writer
    set.

    Raises:
        OutputError: The file cannot be written, because of a full disk, a read-only folder, or a
            folder or a device in its place.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    # Two processes of other machines or containers may have the same number.
    own = f'{os.getpid()}-{secrets.token_hex(4)}'
    scratch = path.with_name(f'.{path.stem[:100]}.{own}{path.suffix}')
    try:
        if path.exists() and not path.is_file():
            raise OutputError(f'{path} is no regular file and is not replaced; name another')
        path.parent.mkdir(parents=True, exist_ok=True)
        yield scratch
        scratch.chmod(0o666 & ~_umask())
        scratch.replace(path)
    except OSError as error:
        if isinstance(error, OvmlvError) or not _of_file(error, scratch, path):
            raise
        raise OutputError(f'{path} cannot be written: {_reason(error)}') from None
    finally:
        with suppress(OSError):
            scratch.unlink()


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its place when the block ends without an error.

    What was at ``path`` before is removed only then. Permissions are those of the umask, whatever
    the writers of single files set.
    """
    path = Path(path)
    try:
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f'.{target.name[:100]}-', dir=target.parent))
    except OSError as error:
        raise OutputError(f'{path} cannot be written: {_reason(error)}') from None
    try:
        yield scratch
        for part in (scratch, *scratch.rglob('*')):
            if not part.is_symlink():
                part.chmod((0o777 if part.is_dir() else 0o666) & ~_umask())
        if target.is_dir():
            shutil.rmtree(target)
        scratch.replace(target)
    except OSError as error:
        if isinstance(error, OvmlvError) or not _of_file(error, scratch, target):
            raise
        raise OutputError(f'{path} cannot be written: {_reason(error)}') from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_text(path: str | Path, text: str) -> Path:
    """Write a text file whole, see :func:`whole_file`."""
    with whole_file(path) as scratch:
        scratch.write_text(text, encoding='utf-8')
    return Path(path)


def write_json(path: str | Path, value: Any, **options: Any) -> Path:
    """Write JSON with a line end, see :func:`whole_file`; ``options`` are those of json.dumps."""
    return write_text(path, json.dumps(value, **options) + '\n')


def write_csv(
    path: str | Path, rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()
) -> Path:
    """Write rows of the same keys as CSV with a header; without rows, it has ``columns``."""
    with whole_file(path) as scratch, open(scratch, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0] if rows else columns))
        writer.writeheader()
        writer.writerows(rows)
    return Path(path)


def _umask() -> int:
    # There is no way to ask without setting; two threads that do it at once set the same value.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _of_file(error: OSError, *paths: Path) -> bool:
    """Whether the error is about one of the files (or names none, as for a full disk)."""
    names: Sequence[Any] = (error.filename, error.filename2)
    return all(name is None for name in names) or any(
        str(name) == str(path) or str(path.parent) == str(name) or str(path) in str(name)
        for path in paths
        for name in names
        if name is not None
    )


def _reason(error: Exception) -> str:
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__

"""Where results go; a run that was killed can go on in the same file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO

from ovmlv import files
from ovmlv.errors import ConfigError, DataError

from .result_formats import Format, Table

if TYPE_CHECKING:
    from ovmlv.apis import TagResult


class OutputFile:
    """A file of results, or stdout.

    Beside a file FILE stands FILE.run.json with the settings of the run, so that one of other
    settings does not go on with it.

    Args:
        path: The file; None is ``stdout``.
        stdout: The stream for None.
        style: How results are written.
        resume: Go on with a file.
        overwrite: Replace a file.
    """

    def __init__(
        self,
        path: str | None,
        stdout: TextIO,
        style: Format,
        resume: bool = False,
        overwrite: bool = False,
    ) -> None:
        if path is None and (resume or overwrite):
            raise ConfigError(f'--{"resume" if resume else "overwrite"} needs --output FILE')
        if resume and isinstance(style, Table):
            raise ConfigError('--resume needs the format jsonl or csv; a table is for people')
        self.stdout, self.style, self.resume = stdout, style, resume
        self.path = None if path is None else Path(path)
        self._file: IO[bytes] | None = None
        self._settings: dict[str, Any] = {}
        if self.path is None:
            return
        if self.path.is_dir():
            raise ConfigError(f'--output {path} is a folder; name a file')
        if self._size() and not (resume or overwrite):
            raise ConfigError(f'{path} exists; --resume goes on with it, --overwrite replaces it')
        self._file = _open(self.path, 'ab')
        _lock(self._file, self.path)

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._file is None:
            return
        self._file.close()
        if kind is not None and self._size() <= len(self.style.header):
            # Nothing was tagged, as where the model cannot be loaded.
            self.path.unlink()
            _note_of(self.path).unlink(missing_ok=True)
        elif self._settings:
            # A kill leaves it without this, and the last rows of a .csv file are looked at.
            self._note(whole=kind is None, size=self._size())

    def begin(self, settings: Mapping[str, Any]) -> set[str]:
        """Mend the file and give the absolute paths of the videos in it.

        Args:
            settings: What results depend on, as plain values.

        Raises:
            ConfigError: It was begun with other settings.
            DataError: It holds something else.
        """
        if self._file is None:
            self.stdout.write(self.style.header)
            return set()
        videos: list[str] = []
        note = self._read_note() if self.resume and self._size() else {}
        size = 0
        if self.resume:
            _compare(note.get('settings') or {}, settings, self.path)
            whole = bool(note.get('whole')) and note.get('size') == self._size()
            videos, size = self.style.written(self.path, whole)
        here = os.getcwd()
        begun = note.get('folder', here)
        if begun != here and not all(map(os.path.isabs, videos)):
            raise ConfigError(f'{self.path} was begun in {begun}; resume it there')
        self._file.truncate(size)
        self._settings = dict(settings)
        self._note(whole=False)
        if size == 0 and self.style.header:
            self._write(self.style.header)
        return set(map(os.path.abspath, videos))

    def add(self, result: TagResult) -> None:
        """Write a result."""
        text = self.style.text(result)
        if self._file is not None:
            self._write(text)
            return
        write_text(self.stdout, text)
        self.stdout.flush()

    def _write(self, text: str) -> None:
        self._file.write(text.encode('utf-8', 'surrogateescape'))
        self._file.flush()

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def _note(self, **values: Any) -> None:
        content = dict(settings=self._settings, folder=os.getcwd(), **values)
        files.write_json(_note_of(self.path), content, indent=1)

    def _read_note(self) -> dict[str, Any]:
        path = _note_of(self.path)
        if not path.is_file():
            return {}
        try:
            return dict(json.loads(path.read_text(encoding='utf-8')))
        except (ValueError, TypeError):
            raise DataError(f'{path} is damaged; remove it to resume without checks') from None


class ReportFile:
    """The videos that could not be read, with the reasons; also on stderr.

    Args:
        path: JSON lines; None writes no file.
        output: Where the results go.
    """

    def __init__(self, path: str | None, output: str | None) -> None:
        if (
            path is not None
            and output is not None
            and Path(path).resolve() == Path(output).resolve()
        ):
            raise ConfigError(f'--report {path} is --output, too; name another file')
        self.path = None if path is None else Path(path)
        if self.path is not None and self.path.is_dir():
            raise ConfigError(f'--report {path} is a folder; name a file')
        self.count = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> ReportFile:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()

    def begin(self) -> None:
        """Replace the report of an earlier run."""
        if self.path is not None:
            self._file = _open(self.path, 'wb')

    def add(self, video: str, error: str) -> None:
        """Write a line."""
        self.count += 1
        write_text(sys.stderr, f'{error}\n')
        if self._file is not None:
            # Escapes, so that a file name that is no UTF-8 comes back the same.
            self._file.write(json.dumps(dict(video=video, error=error)).encode() + b'\n')
            self._file.flush()


def write_text(stream: TextIO, text: str) -> None:
    """Write what a terminal's encoding may not have."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or 'utf-8'
        stream.write(text.encode(encoding, 'backslashreplace').decode(encoding))


def _open(path: Path, mode: str) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open(mode)
    except OSError as error:
        raise ConfigError(
            f'{path} cannot be written ({error.strerror}); name another file'
        ) from None


def _lock(file: IO[bytes], path: Path) -> None:
    """Keep a second run out, until this one ends in whatever way; not on Windows."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ConfigError(f'another run is writing {path}; wait for it') from None
    except OSError:  # file systems without locks
        pass


def _note_of(path: Path) -> Path:
    return path.with_name(f'{path.name}.run.json')


def _compare(before: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    for name in now:
        if name in before and before[name] != now[name]:
            flag = name.replace('_', '-')
            raise ConfigError(
                f'{path} was begun with other --{flag} ({before[name]}, now {now[name]}); give the '
                'same, or another --output'
            )

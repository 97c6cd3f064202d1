"""Where results go; a run that was killed can go on in the same file."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO

from ovmlv import files
from ovmlv.errors import ConfigError, DataError, OutputError
from ovmlv.plain_text import message_line
from ovmlv.utils.file_lock import lock_file
from ovmlv.utils.terminal import Terminal

from .result_formats import Format, Table

if TYPE_CHECKING:
    from ovmlv.apis import TagResult


class OutputFile:
    """A file of results, or stdout.

    What is in the file changes at :meth:`begin`, so that a run which fails earlier leaves it as it
    is. Beside a file FILE stands FILE.run.json with the settings of the run, so that one of other
    settings does not go on with it. Pipes and terminals are written through.

    Args:
        path: The file; None is ``stdout``.
        stdout: Where results go for None.
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
        self.stdout, self.style = Terminal(stdout), style
        self.resume, self.overwrite = resume, overwrite
        self.path = None if path is None else Path(path)
        self._file: IO[bytes] | None = None
        self._settings: dict[str, Any] = {}
        self._begun = False
        self._kept = 0  # bytes of the file that an earlier run wrote
        self._made = False
        if self.path is None:
            return
        self.is_stream = check_target(self.path, '--output')
        if self.is_stream and resume:
            raise ConfigError(f'--resume needs a file to go on with; --output {path} is none')
        if not self.is_stream:
            self._refuse_existing()

    def __enter__(self) -> OutputFile:
        if self.path is not None and not self.is_stream:
            self._made = not os.path.lexists(self.path)
            self._file = open_target(self.path)
            lock_file(self._file, f'another run is writing {self.path}; wait for it')
            self._refuse_existing()  # again: another run may have been quicker
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._file is None:
            return
        if not self.is_stream:
            self._end(failed=kind is not None)
        self._file.close()

    def look(self, settings: Mapping[str, Any]) -> set[str]:
        """Look at the file, and give the absolute paths of the videos in it.

        Args:
            settings: What results depend on, as plain values.

        Raises:
            ConfigError: It was begun with other settings.
            DataError: It holds something else.
        """
        videos: list[str] = []
        if self.path is not None and self.resume and self._size():
            note = self._read_note()
            _compare(note.get('settings') or {}, settings, self.path)
            whole = bool(note.get('whole')) and note.get('size') == self._size()
            videos, self._kept = self.style.written(self.path, whole)
            here = os.getcwd()
            begun = note.get('folder', here)
            if begun != here and not all(map(os.path.isabs, videos)):
                raise ConfigError(f'{self.path} was begun in {begun}; resume it there')
        self._settings = dict(settings)
        return set(map(os.path.abspath, videos))

    def begin(self) -> None:
        """Open the file, take off what a kill left or what is to be replaced, and write the head.

        Raises:
            OutputError: It cannot be written.
        """
        if self.path is None:
            self.style.write(self.stdout, self.style.header)
            return
        self._begun = True
        if self.is_stream:
            self._file = open_target(self.path)
        else:
            self._file.truncate(self._kept)
            self._note(whole=False)
        if self._kept == 0 and self.style.header:
            self._write(self.style.header)

    def add(self, result: TagResult) -> None:
        """Write a result."""
        text = self.style.text(result)
        if self._file is not None:
            self._write(text)
            return
        self.style.write(self.stdout, text)
        self.stdout.flush()

    def _refuse_existing(self) -> None:
        if self._size() and not (self.resume or self.overwrite):
            if self._file is not None:
                self._file.close()
            raise ConfigError(
                f'{self.path} exists; --resume goes on with it, --overwrite replaces it'
            )

    def _write(self, text: str) -> None:
        write_all(self._file, self.path, text.encode('utf-8', 'surrogateescape'))

    def _end(self, failed: bool) -> None:
        if not self._begun or (failed and self._size() <= len(self.style.header)):
            # Nothing was tagged: what this run made goes, an empty file of the user's stays.
            if self._begun:
                self._file.truncate(0)
                _note_of(self.path).unlink(missing_ok=True)
            if self._made:
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(self._file.fileno()), self.path.stat()):
                        self.path.unlink()
            return
        # A kill leaves it without this, and the last rows of a .csv file are looked at. A full disk
        # does the same.
        try:
            self._note(whole=not failed, size=self._size())
        except OutputError:
            if not failed:
                raise

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
            return dict(files.read_json(path))
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
        if self.path is not None:
            check_target(self.path, '--report')
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
            self._file = open_target(self.path)
            if stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                self._file.truncate(0)

    def add(self, video: str, error: str) -> None:
        """Write a line."""
        self.count += 1
        Terminal(sys.stderr).write(f'{message_line(error)}\n')
        if self._file is not None:
            # Escapes, so that a file name that is no UTF-8 comes back the same.
            line = json.dumps(dict(video=video, error=error)).encode() + b'\n'
            write_all(self._file, self.path, line)


def check_target(path: Path, flag: str) -> bool:
    """Look at what results shall be written to, without touching it.

    Returns:
        Whether it is a pipe, terminal or other stream rather than a file.

    Raises:
        ConfigError: It is a folder, a disk or a socket, or no file can be made there.
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
        ConfigError: It is a device or a pipe, or a folder instead of a file or the reverse.
    """
    path = Path(path)
    if folder and os.path.isdir(path):
        return
    if check_target(path, flag) or (folder and os.path.exists(path)):
        what = 'folder' if folder else 'regular file'
        raise ConfigError(f'{flag} {path} is no {what}; name another')


def open_target(path: Path) -> IO[bytes]:
    """Open for appending, without a buffer: what was written is there."""
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
        OutputError: The disk is full, say; what was written before stays.
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

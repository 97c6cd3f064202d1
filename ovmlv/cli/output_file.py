"""The file that results go to; a run that was killed can go on in the same file."""

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
from .targets import check_target, open_target, write_all

if TYPE_CHECKING:
    from ovmlv.apis import TagResult


class OutputFile:
    """A file of results, or stdout.

    The content of the file changes only at :meth:`begin`, so that a run which fails earlier leaves
    it as it is. Beside a file FILE, the file FILE.run.json holds the settings of the run, so that a
    run with other settings does not go on with it. Pipes and terminals are written through.

    Args:
        path: The file; None means ``stdout``.
        stdout: The stream for results if ``path`` is None.
        style: How results are written.
        resume: Whether to go on with an existing file.
        overwrite: Whether to replace an existing file.
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
            settings: Settings that results depend on, as plain values.

        Raises:
            ConfigError: The file was begun with other settings.
            DataError: The file holds something else.
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
        """Open the file, remove what a kill left or what is to be replaced, and write the head.

        Raises:
            OutputError: The file cannot be written.
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
        self.add_part(self.style.text(result))

    def add_part(self, part: Any) -> None:
        """Write what :func:`~.result_formats.written_part` made of results."""
        if self._file is not None:
            self._write(part)
            return
        self.style.write(self.stdout, part)
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
        path: The file of JSON lines; None writes no file.
        output: The file that the results go to.
    """

    def __init__(self, path: str | None, output: str | None) -> None:
        if (
            path is not None
            and output is not None
            and Path(path).resolve() == Path(output).resolve()
        ):
            raise ConfigError(f'--report {path} is --output, too; name another file')
        self.path = None if path is None else Path(path)
        if self.path is not None and not check_target(self.path, '--report'):
            self._refuse_other_content()
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
                lock_file(self._file, f'another run is writing {self.path}; wait for it')
                self._file.truncate(0)

    def _refuse_other_content(self) -> None:
        if not self.path.is_file():
            return
        with self.path.open('rb') as file:
            line = file.readline(1 << 20)
        try:
            known = not line or set(files.parse_json(line, str(self.path))) == {'video', 'error'}
        except (DataError, TypeError):
            known = False
        if not known:
            raise ConfigError(f'--report {self.path} holds something else; name another file')

    def add(self, video: str, error: str) -> None:
        """Write a line."""
        self.count += 1
        Terminal(sys.stderr).write(f'{message_line(error)}\n')
        if self._file is not None:
            # Escapes, so that a file name that is no UTF-8 comes back the same.
            line = json.dumps(dict(video=video, error=error)).encode() + b'\n'
            write_all(self._file, self.path, line)


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

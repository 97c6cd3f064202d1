"""The one place where commands write to a terminal or to a stream in place of it."""

from __future__ import annotations

import codecs
import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any, TextIO

from ovmlv.plain_text import visible

_BEYOND_ASCII = re.compile('[^\x00-\x7f]')


class Terminal(io.TextIOBase):
    """A stream that takes any text, whatever its encoding, and never fails at a character.

    Text for people (:meth:`write`) shows control characters as escapes, and also characters that
    the encoding lacks. Data for programs is never altered: it goes out as UTF-8
    (:meth:`write_data`), or as JSON that is valid in every encoding (:meth:`write_json`).

    Args:
        stream: Stream that the text goes to; of another Terminal, its stream is taken.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream: TextIO = stream.stream if isinstance(stream, Terminal) else stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Encoding of the stream; UTF-8 if it is held in memory."""
        return getattr(self.stream, 'encoding', None) or 'utf-8'

    def write(self, text: str) -> int:
        """Write text for people."""
        write_text(self.stream, visible(text, keep='\n\t'))
        return len(text)

    def write_data(self, text: str) -> None:
        """Write data for programs, such as CSV or a list of labels, as UTF-8.

        Bytes of file names that are not UTF-8 are written unchanged.
        """
        buffer = getattr(self.stream, 'buffer', None)
        if buffer is None:  # held in memory
            write_text(self.stream, text)
            return
        self.stream.flush()  # what was written as text stands before
        buffer.write(text.encode('utf-8', 'surrogateescape'))

    def write_json(self, text: str) -> None:
        """Write JSON; another encoding than UTF-8 gets escapes instead of its own bytes."""
        if not _is_utf8(self.encoding):
            text = ascii_json(text)
        self.write_data(text)

    def flush(self) -> None:
        """Write out all that is buffered."""
        self.stream.flush()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self.stream.isatty()

    def fileno(self) -> int:
        """File descriptor of the stream."""
        return self.stream.fileno()

    def writable(self) -> bool:
        """Always true."""
        return True


def ascii_json(text: str) -> str:
    """The same JSON in ASCII, since in JSON, other characters occur only within strings."""

    def escape(match: re.Match[str]) -> str:
        units = match[0].encode('utf-16-be', 'surrogatepass')
        return ''.join(f'\\u{units[i : i + 2].hex()}' for i in range(0, len(units), 2))

    return _BEYOND_ASCII.sub(escape, text)


def write_text(stream: TextIO, text: str) -> None:
    """Write a text with escapes for characters that the stream's encoding lacks."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or 'utf-8'
        stream.write(text.encode(encoding, 'backslashreplace').decode(encoding))


@contextlib.contextmanager
def lenient(*streams: Any) -> Iterator[None]:
    """Let ``print`` write escapes for what a stream's encoding lacks, while the block runs."""
    changed = []
    for stream in streams:
        before = getattr(stream, 'errors', None)
        if before == 'strict' and hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
            changed.append(stream)
    try:
        yield
    finally:
        for stream in changed:
            with contextlib.suppress(ValueError):  # closed
                stream.reconfigure(errors='strict')


def _is_utf8(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding).name == 'utf-8'
    except LookupError:
        return False

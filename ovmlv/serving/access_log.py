"""The log of requests: one JSON object in a line for each of them."""

from __future__ import annotations

import json
import logging
import sys
import time
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, TextIO

from ovmlv.errors import OutputError

LOG = logging.getLogger('ovmlv.serving')
#: Seconds between complaints about a log that cannot be written.
_QUIET = 60.0


class AccessLog:
    """A file of lines, or a stream. Its lines are ASCII, whatever clients sent.

    A file that was moved or removed meanwhile, as ``logrotate`` does it, is opened anew.

    Args:
        file: Path of the file, which grows; or a stream, None for stdout.
        targets: Whether to write the address that was asked for, with its query. It holds the ids
            of videos, which are the keys to them, and the labels that people looked for.

    Raises:
        OutputError: The file cannot be opened.
    """

    def __init__(self, file: str | Path | TextIO | None = None, targets: bool = False) -> None:
        self.targets = targets
        self._complained = -_QUIET
        self._handler: logging.StreamHandler
        if isinstance(file, (str, Path)):
            try:
                self._handler = WatchedFileHandler(file, encoding='utf-8')
            except OSError as error:
                raise OutputError(
                    f'the access log {file} cannot be written ({error.strerror}); name another file'
                ) from None
        else:
            self._handler = logging.StreamHandler(sys.stdout if file is None else file)
        self._handler.handleError = self._complain  # type: ignore

    def write(self, **entry: Any) -> None:
        """Write a line. A full disk is no reason to answer nobody: it is told in the other log."""
        record = logging.LogRecord('', logging.INFO, '', 0, json.dumps(entry), None, None)
        self._handler.handle(record)

    def _complain(self, _: logging.LogRecord) -> None:
        if time.monotonic() - self._complained >= _QUIET:
            self._complained = time.monotonic()
            LOG.error('the access log cannot be written: %s', sys.exc_info()[1])

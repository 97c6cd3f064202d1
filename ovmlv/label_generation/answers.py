"""Answers that are kept as they come, so that generation can go on after a stop."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ovmlv.errors import DataError, OutputError
from ovmlv.files import parse_json, split_lines, write_text

# How such a file begins, as json writes it.
_HEAD = b'{"settings": '


class AnswerFile:
    """A JSONL file: settings in its first line, then one answer a line.

    Args:
        path: The file; it is made if there is none.
        settings: Settings that the answers depend on. A file with other settings is refused.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.answers: dict[tuple[str, int], str] = {}
        settings = json.loads(json.dumps(settings))
        whole = self.path.read_bytes() if self.path.is_file() else b''
        lines = whole[: whole.rfind(b'\n') + 1]
        if not lines and _HEAD.startswith(whole[: len(_HEAD)]):  # new, or cut within its first line
            write_text(self.path, json.dumps(dict(settings=settings)) + '\n')
            return
        try:
            texts = enumerate(split_lines(lines.decode('utf-8')), 1)
            head, *rows = [parse_json(text, str(path), number) for number, text in texts]
            found = dict(head['settings'])
            self.answers = {(str(r['source']), int(r['draw'])): str(r['answer']) for r in rows}
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise DataError(f'{path} is no file of answers ({error}); remove it') from None
        if len(lines) < len(whole):  # the process was killed while it wrote
            os.truncate(self.path, len(lines))
        if found != settings:
            keys = {*found, *settings}
            other = sorted(k for k in keys if found.get(k) != settings.get(k))
            raise DataError(
                f'{path} has answers made with other settings ({", ".join(other)}); remove it or '
                'name another --out'
            )

    def get(self, source: str, draw: int) -> str | None:
        """An answer that is there already."""
        return self.answers.get((source, draw))

    def add(self, source: str, draw: int, answer: str) -> None:
        """Keep an answer."""
        self.answers[source, draw] = answer
        row = dict(source=source, draw=draw, answer=answer)
        try:
            with open(self.path, 'a', encoding='utf-8') as file:
                file.write(json.dumps(row, ensure_ascii=False) + '\n')
        except OSError as error:
            raise OutputError(f'{self.path} cannot be written: {error.strerror}') from None

"""Results of videos as text, and which videos such text holds already."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovmlv.errors import ConfigError, DataError
from ovmlv.plain_text import visible
from ovmlv.utils.terminal import Terminal

if TYPE_CHECKING:
    from ovmlv.apis import TagResult

_LEVELS = ' ▁▂▃▄▅▆▇█'


@dataclass(frozen=True)
class Choice:
    """Which labels of a result are written, and what about them.

    Attributes:
        top_k: Number of labels, best first; None takes all of them.
        threshold: Least probability of a label that is written.
        present: Whether only labels that reach their own threshold are written.
        timeline: Whether the windows are kept.
        timings: Whether the timings are kept.
    """

    top_k: int | None = None
    threshold: float | None = None
    present: bool = False
    timeline: bool = False
    timings: bool = False

    def of(self, result: TagResult) -> TagResult:
        """The result with the chosen labels alone, best first."""
        import numpy as np

        limits: Any = 0.0 if self.threshold is None else self.threshold
        if self.present:
            limits = 0.5 if result.thresholds is None else result.thresholds
        order = np.argsort(-result.probabilities, kind='stable')
        order = order[(result.probabilities >= limits)[order]][: self.top_k]
        windows = result.windows if self.timeline else ()
        return replace(
            result,
            labels=tuple(result.labels[i] for i in order),
            probabilities=result.probabilities[order],
            thresholds=None if result.thresholds is None else result.thresholds[order],
            windows=windows,
            window_probabilities=result.window_probabilities[:, order] if windows else None,
            timings=result.timings if self.timings else None,
        )


class JsonLines:
    """One JSON object in a line for each video."""

    name = 'jsonl'
    header = ''
    write = staticmethod(Terminal.write_json)

    def text(self, result: TagResult) -> str:
        """The line of a video."""
        line = result.to_json()
        try:
            line.encode()
        except UnicodeEncodeError:  # a file name that is no UTF-8: JSON can escape it
            line = json.dumps(result.to_dict(), allow_nan=False)
        return line + '\n'

    def written(self, path: Path, whole: bool) -> tuple[list[str], int]:
        """Videos that a file holds, and the bytes that they take; half a line does not count.

        Args:
            path: An earlier output.
            whole: Whether the run that wrote it came to its end.
        """
        videos, size = [], 0
        with path.open('rb') as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b'\n'):
                    break
                try:
                    videos.append(json.loads(line)['video'])
                except (ValueError, KeyError, TypeError):
                    raise _no_result(path, number) from None
                size += len(line)
        return videos, size


class Csv:
    """A row for each video and label, or with a timeline for each video, label and window.

    A video without labels has one row with empty cells.
    """

    name = 'csv'
    write = staticmethod(Terminal.write_data)

    def __init__(self, timeline: bool) -> None:
        self.columns = ('video', 'label', 'probability', *(('start', 'end') if timeline else ()))
        self.header = csv_text([self.columns])

    def text(self, result: TagResult) -> str:
        """The rows of a video."""
        rows: list[Sequence[Any]] = []
        for column, (label, p) in enumerate(result.top()):  # labels are in this order already
            if not result.windows:
                rows.append((result.video, label, f'{p:.6g}'))
            for window, q in zip(result.windows, result.timeline[column].tolist()):
                rows.append((result.video, label, f'{q:.6g}', window.start, window.end))
        return csv_text(rows or [(result.video, *[''] * (len(self.columns) - 1))])

    def written(self, path: Path, whole: bool) -> tuple[list[str], int]:
        """As for :class:`JsonLines`; a killed run's last video may lack rows and does not count."""
        videos: dict[str, int] = {}  # each with where it begins
        size = 0
        with path.open('rb') as file:
            lines = _CountedLines(file)
            for number, row in enumerate(csv.reader(lines), 1):
                if not lines.ended:
                    break
                if number == 1 and tuple(row) != self.columns:
                    raise DataError(
                        f'{path} has the columns {",".join(row)}, not {",".join(self.columns)}; '
                        'give another --output'
                    )
                if len(row) != len(self.columns):
                    raise _no_result(path, number)
                if number > 1:
                    videos.setdefault(row[0], size)
                size = lines.size
        if videos and not whole:
            size = videos.popitem()[1]
        return list(videos), size


class Table:
    """A table for people: the video, its labels with bars, and lines of blocks for a timeline."""

    name = 'table'
    header = ''
    write = staticmethod(Terminal.write)

    def text(self, result: TagResult) -> str:
        """The table of a video."""
        lines = [result.table(), *(['  (none)'] if not result.labels else [])]
        if result.windows:
            first, last = result.windows[0], result.windows[-1]
            lines.append(
                f'  {len(result.windows)} windows, {first.start:g} to {last.end:g} s, '
                'one sign for each'
            )
            for label, row in zip(result.labels, result.timeline.tolist()):
                signs = ''.join(_LEVELS[round(p * (len(_LEVELS) - 1))] for p in row)
                lines.append(f'  |{signs}|  {visible(label)}')
        if result.timings is not None:
            t = result.timings
            lines.append(f'  decoded in {t.decode:.2f} s, encoded in {t.encode:.2f} s')
        return '\n'.join(lines) + '\n'


class Parquet:
    """A row for each video and label, or for each window, as a file that is written whole.

    A video without labels has no row. It cannot go to a terminal, nor go on where a run ended; see
    :class:`~ovmlv.cli.parquet_output.ParquetOutput`.
    """

    name = 'parquet'

    def __init__(self, timeline: bool) -> None:
        self.timeline = timeline


ENDINGS = {
    '.jsonl': 'jsonl',
    '.json': 'jsonl',
    '.csv': 'csv',
    '.txt': 'table',
    '.parquet': 'parquet',
}
#: What can be printed, and what can be written.
FORMATS = ('table', 'jsonl', 'csv')
FILE_FORMATS = (*FORMATS, 'parquet')
Format = JsonLines | Csv | Table


def written_part(results: Iterable[TagResult], style: Format | Parquet) -> str | list[tuple]:
    """What is written of some results: text, or rows of Parquet."""
    if isinstance(style, Parquet):
        from ovmlv.index.parquet_file import result_rows

        return [row for result in results for row in result_rows(result, style.timeline)]
    return ''.join(map(style.text, results))


def choose_format(name: str | None, output: str | None, timeline: bool = False) -> Format | Parquet:
    """The format of that name, or the one that the ending of a file stands for."""
    name = format_name(name, output)
    if name == 'parquet':
        return Parquet(timeline)
    if name == 'csv':
        return Csv(timeline)
    return JsonLines() if name == 'jsonl' else Table()


def format_name(name: str | None, output: str | None) -> str:
    """One of :data:`FILE_FORMATS`: that name, or what the ending of a file stands for."""
    if name is None:
        name = 'table'
        if output is not None:
            ending = Path(output).suffix.lower()
            if ending not in ENDINGS:
                raise ConfigError(
                    f'--output {output}: the ending tells no format; name one by --format, or '
                    f'end it with {", ".join(ENDINGS)}'
                )
            name = ENDINGS[ending]
    if name == 'parquet' and output is None:
        raise ConfigError('--format parquet needs --output FILE')
    return name


def write_rows(
    out: Terminal, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Plain rows in one of :data:`FORMATS`."""
    if name == 'jsonl':
        for row in rows:
            line = dict(zip(columns, row, strict=True))
            out.write_json(json.dumps(line, ensure_ascii=False) + '\n')
    elif name == 'csv':
        out.write_data(csv_text([columns, *rows]))
    else:
        from ovmlv.evaluation.metrics.report import text_table

        out.write(text_table(columns, rows) + '\n')


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows of a .csv file."""
    buffer = io.StringIO(newline='')
    csv.writer(buffer, lineterminator='\n').writerows(rows)
    return buffer.getvalue()


class _CountedLines:
    """Lines of a binary file as text, with the bytes that were read."""

    def __init__(self, file: Iterable[bytes]) -> None:
        self.file = file
        self.size = 0
        self.ended = True

    def __iter__(self) -> Iterator[str]:
        for line in self.file:
            self.size += len(line)
            self.ended = line.endswith(b'\n')
            yield line.decode('utf-8', 'surrogateescape')


def _no_result(path: Path, line: int) -> DataError:
    return DataError(f'{path}: line {line} is no result; remove it, or give another --output')

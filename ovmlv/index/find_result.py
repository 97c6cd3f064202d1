"""What an index answers."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ovmlv.errors import DependencyError
from ovmlv.results import Window

from .lance_tables import arrow

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Columns of hits as a table.
COLUMNS = dict(
    query='string', video='string', start='float64?', end='float64?', probability='float64'
)


@dataclass(frozen=True)
class Hit:
    """A part of a video that an index found.

    Attributes:
        video: Absolute path.
        window: Seconds from the start of the video; None if the index has no times for it.
        probability: Calibrated probability of the whole query.
        probabilities: Label of the query -> its calibrated probability there.
        number: Number of the window, for :meth:`FindResult.thumbnails`.

    Examples:
        >>> hit = Hit('/videos/a.mp4', Window(4.0, 8.0), 0.9, {'a dog': 0.9})
        >>> hit.window.start, hit.to_dict()['end']
        (4.0, 8.0)
    """

    video: str
    window: Window | None
    probability: float
    probabilities: Mapping[str, float]
    number: int = -1

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(
            video=self.video,
            start=None if self.window is None else self.window.start,
            end=None if self.window is None else self.window.end,
            probability=self.probability,
            labels=dict(self.probabilities),
        )


@dataclass(frozen=True)
class FindResult:
    """Hits of a query, best first.

    Attributes:
        query: The query as text.
        hits: The hits.
        recall: Share of the best windows that the approximate index found when it was made; None
            if all windows were looked at.

    Examples:
        >>> result = FindResult('a dog', (Hit('a.mp4', None, 0.9, {'a dog': 0.9}),))
        >>> len(result), result[0].video, [hit.probability for hit in result]
        (1, 'a.mp4', [0.9])
    """

    query: str
    hits: tuple[Hit, ...]
    recall: float | None = None
    _thumbnails: Callable[[Sequence[int]], list[bytes | None]] | None = field(
        default=None, repr=False, compare=False
    )

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __getitem__(self, number: int) -> Hit:
        return self.hits[number]

    def thumbnails(self) -> list[bytes | None]:
        """A JPEG file of each hit; None where the index has none."""
        if self._thumbnails is None:
            return [None] * len(self.hits)
        return self._thumbnails([hit.number for hit in self.hits])

    def to_json(self) -> str:
        """A line of JSON for each hit."""
        lines = (json.dumps(dict(query=self.query, **hit.to_dict())) for hit in self.hits)
        return ''.join(f'{line}\n' for line in lines)

    def rows(self) -> list[tuple[Any, ...]]:
        """A row of :data:`COLUMNS` for each hit."""
        hits = (dict(hit.to_dict(), query=self.query) for hit in self.hits)
        return [tuple(hit[name] for name in COLUMNS) for hit in hits]

    def to_csv(self, header: bool = True) -> str:
        """A line of CSV for each hit.

        Args:
            header: Whether a line with the names of the columns stands before.
        """
        buffer = io.StringIO(newline='')
        lines = ([tuple(COLUMNS)] if header else []) + [
            (*row, float(f'{probability:.6g}')) for *row, probability in self.rows()
        ]
        csv.writer(buffer, lineterminator='\n').writerows(lines)
        return buffer.getvalue()

    def to_arrow(self) -> pa.Table:
        """A table with the columns ``query``, ``video``, ``start``, ``end``, ``probability``."""
        pa = arrow()
        columns = dict(query=pa.string(), video=pa.string(), start=pa.float64(), end=pa.float64(),
                       probability=pa.float64())  # fmt: skip
        rows = [dict(query=self.query, **hit.to_dict()) for hit in self.hits]
        arrays = [pa.array([row[name] for row in rows], kind) for name, kind in columns.items()]
        return pa.table(arrays, names=list(columns))

    def to_pandas(self) -> pd.DataFrame:
        """The table of :meth:`to_arrow` for pandas."""
        try:
            import pandas  # noqa: F401
        except ImportError:
            raise DependencyError('to_pandas needs pandas: pip install pandas') from None
        return self.to_arrow().to_pandas()


@dataclass(frozen=True)
class SimilarVideo:
    """A video that is like another one.

    Attributes:
        video: Absolute path.
        similarity: Cosine of the mean embeddings, 1 for the same.
        same_file: Whether both files have the same content.

    Examples:
        >>> SimilarVideo('/videos/a.mp4', 0.98, False).similarity
        0.98
    """

    video: str
    similarity: float
    same_file: bool


@dataclass(frozen=True)
class DuplicatePair:
    """Two videos that are nearly the same.

    Attributes:
        video: Absolute path of the one that came into the index later.
        earlier: Absolute path of the other.
        similarity: Cosine of the mean embeddings, 1 for the same.
        same_file: Whether both files have the same content.

    Examples:
        >>> DuplicatePair('/b.mp4', '/a.mp4', 1.0, True).earlier
        '/a.mp4'
    """

    video: str
    earlier: str
    similarity: float
    same_file: bool


def window_of(start: float, end: float) -> Window | None:
    """A window, if both of its times are known."""
    return None if math.isnan(start) or math.isnan(end) else Window(float(start), float(end))

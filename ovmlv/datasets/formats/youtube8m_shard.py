"""What the labels of a shard of YouTube-8M are made from, scanned once and remembered."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.logging import MMLogger

from ovmlv.datasets.cells import finite_number
from ovmlv.errors import DataError, OutputError
from ovmlv.files import text_digest, whole_file

from .tf_example import parse_example
from .tfrecord import scan_records

SEGMENT_SECONDS = 5
#: Changes with what is kept, so that what an older version has kept is not read.
_VERSION = 1


class Rating(NamedTuple):
    """What a rater says of a label in a segment.

    Attributes:
        start: First second.
        end: Last second, exclusive.
        label: Index in the vocabulary.
        confirmed: Whether the label was seen.
    """

    start: int
    end: int
    label: int
    confirmed: bool


class ShardRecord(NamedTuple):
    """A record without its features.

    Attributes:
        offset: First byte of the record in the shard.
        name: Id of the record.
        labels: Indices in the vocabulary.
        num_frames: Of frame-level features; 0 for those of whole videos.
        ratings: What is said of its segments; empty unless it was asked for.
    """

    offset: int
    name: str
    labels: list[int]
    num_frames: int
    ratings: list[Rating]


class ShardScans:
    """Reads shards, and remembers what was found in them.

    Args:
        folder: Folder in which to remember it. A shard is scanned anew if its size or the time of
            its last change is another. With None, or where nothing can be written, nothing is
            remembered.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder

    def read(self, path: str, check: bool = True, segments: bool = False) -> list[ShardRecord]:
        """The records of a shard, in their order.

        Args:
            path: The TFRecord file.
            check: Whether to check payloads against their checksums.
            segments: Whether ratings of segments are read.

        Raises:
            DataError: A record is damaged, or none of YouTube-8M; the message has file and byte.
        """
        kept = None if self.folder is None else _place(path, check, segments, self.folder)
        found = _load(kept) if kept is not None and kept.is_file() else None
        if found is not None:
            return found
        records = [
            _record(offset, payload, f'{path}: record at byte {offset}', segments)
            for offset, payload in scan_records(path, check)
        ]
        if kept is not None:
            try:
                _save(kept, records)
            except OutputError as error:
                self.folder = None  # said once, not for each of thousands of shards
                MMLogger.get_current_instance().warning(
                    f'scans of shards are not remembered: {error}'
                )
        return records


def _record(offset: int, payload: bytes, where: str, segments: bool) -> ShardRecord:
    try:
        context, lists = parse_example(payload)
        ids = context['id']
        if not isinstance(ids, list):
            raise ValueError('the id is a number')
        name = ids[0].decode('ascii')
        labels = _integers(context, 'labels', where)
    except (KeyError, IndexError, ValueError) as error:  # a DataError is a ValueError
        raise DataError(
            f'{where} is no record of YouTube-8M ({type(error).__name__}: {error})'
        ) from None
    num_frames = min((len(steps) for steps in lists.values()), default=0)
    ratings = _ratings(context, where) if segments else []
    return ShardRecord(offset, name, labels, num_frames, ratings)


def _ratings(context: Mapping[str, Any], where: str) -> list[Rating]:
    labels = _integers(context, 'segment_labels', where)
    starts = _integers(context, 'segment_start_times', where)
    ends = _integers(context, 'segment_end_times', where)
    scores = [
        finite_number(score, where, 'segment score')
        for score in np.asarray(context.get('segment_scores', ()), dtype=object).tolist()
    ]
    ends = ends or [start + SEGMENT_SECONDS for start in starts]
    columns: list[list] = [starts, ends, labels, scores]
    if len({len(column) for column in columns}) > 1:
        raise DataError(f'{where}: segment labels, times and scores differ in number')
    return [
        Rating(start, end, label, score >= 0.5)
        for start, end, label, score in zip(*columns, strict=True)
    ]


def _integers(context: Mapping[str, Any], key: str, where: str) -> list[int]:
    """An integer feature of a record; empty where it has none.

    Raises:
        DataError: The feature is of floats or bytes.
    """
    values = context.get(key, [])
    if len(values) and not (isinstance(values, np.ndarray) and values.dtype == np.int64):
        raise DataError(f'{where}: {key} are no integers; download the shard again')
    return np.asarray(values, dtype=np.int64).tolist()


# --- remembering ----------------------------------------------------------------------------------


def _place(path: str, check: bool, segments: bool, scan_dir: str) -> Path:
    """Where the scan of a shard in its present state is kept."""
    try:
        state = os.stat(path)
    except OSError as error:
        raise DataError(f'{path}: shard cannot be read ({error.strerror or error})') from None
    parts = (_VERSION, os.path.realpath(path), state.st_size, state.st_mtime_ns, check, segments)
    digest = text_digest(repr(parts))[:32]
    return Path(scan_dir) / f'{Path(path).stem}-{digest}.npz'


def _save(place: Path, records: list[ShardRecord]) -> None:
    """Keep records as arrays, which hold no code."""
    ratings = [rating for record in records for rating in record.ratings]
    arrays: dict[str, Any] = dict(
        offset=np.array([record.offset for record in records], np.int64),
        name=np.array([record.name for record in records], np.str_),
        num_frames=np.array([record.num_frames for record in records], np.int64),
        num_labels=np.array([len(record.labels) for record in records], np.int64),
        labels=np.array([i for record in records for i in record.labels], np.int64),
        num_ratings=np.array([len(record.ratings) for record in records], np.int64),
        ratings=np.array(ratings, np.int64).reshape(-1, len(Rating._fields)),
    )
    with whole_file(place) as scratch, open(scratch, 'wb') as file:
        np.savez(file, **arrays)


def _load(place: Path) -> list[ShardRecord] | None:
    """What :func:`_save` kept; None if the file is damaged, which is then written anew."""
    try:
        with np.load(place, allow_pickle=False) as arrays:
            return list(_unpacked(arrays))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        MMLogger.get_current_instance().warning(
            f'{place} is damaged ({type(error).__name__}) and is made anew'
        )
        return None


def _unpacked(arrays: Mapping[str, np.ndarray]) -> Iterator[ShardRecord]:
    labels, ratings = arrays['labels'].tolist(), arrays['ratings'].tolist()
    columns = [arrays[key].tolist() for key in ('offset', 'name', 'num_frames')]
    stops = [arrays[key].cumsum().tolist() for key in ('num_labels', 'num_ratings')]
    if any(
        (stop[-1] if stop else 0) != len(values)
        for stop, values in zip(stops, (labels, ratings), strict=True)
    ):
        raise ValueError('its parts do not fit together')
    first_label = first_rating = 0
    for offset, name, num_frames, last_label, last_rating in zip(*columns, *stops, strict=True):
        yield ShardRecord(
            offset,
            name,
            labels[first_label:last_label],
            num_frames,
            [Rating(s, e, i, bool(y)) for s, e, i, y in ratings[first_rating:last_rating]],
        )
        first_label, first_rating = last_label, last_rating

"""YouTube-8M (Abu-El-Haija et al., 2016) and YouTube-8M Segments (2019), without TensorFlow."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError, DataError, shown
from ovmlv.files import read_lines
from ovmlv.labels import clean_label
from ovmlv.registry import DATASETS
from ovmlv.tables import read_csv_rows

from .annotation import VideoAnnotation
from .base_video_dataset import BaseVideoDataset
from .cells import whole_number
from .formats.youtube8m_shard import ShardRecord, ShardScans
from .video_names import VideoNames

# A pair of ids in either form; a line has one or more of the second.
_ID_PAIR = re.compile(r'(?:i\s*\(\s*)?"?([\w-]{4})"?\s*[,\s]\s*"?([\w-]{11})"?', re.ASCII)
_ID_LINE = re.compile(rf'\s*(?:{_ID_PAIR.pattern}\s*\)?\s*;?\s*)*', re.ASCII)
# Columns of index and name, by the file.
_COLUMNS = (('Index', 'Name'), ('label_id', 'label_name'))


@dataclass(frozen=True)
class EntityVocabulary:
    """The classes of a file.

    Attributes:
        names: Index -> name, in the order of the indices; None for classes that are left out.
        verticals: Name -> first vertical; empty if the file has none.
        partial: Whether further classes exist (``segment_vocabulary.csv``).
    """

    names: dict[int, str | None]
    verticals: dict[str, str]
    partial: bool


@DATASETS.register_module()
class YouTube8MDataset(BaseVideoDataset):
    r"""6.1 million videos with 3 of 3,862 labels each: features (TFRecord) or raw videos.

    Reads the TFRecord shards, video level (``id``, ``labels``, ``mean_rgb``, ``mean_audio``) or
    frame level (a row a second), and ``vocabulary.csv``, ``label_names_2018.csv`` or
    ``segment_vocabulary.csv``. Samples of features have ``record``; let
    :class:`LoadRecordFeatures` read it. Known traps:

    - ``Index`` is not the row number of ``vocabulary.csv``, and in ``segment_vocabulary.csv`` it is
      neither sorted nor 0..999.
    - ``label_names_2018.csv`` is not valid CSV: names hold bare commas and quotes, so only the
      first comma separates.
    - 56 entities have no name: they are left out, or get their Knowledge Graph id (``unnamed``).
    - ``id`` is four characters in all shards since 2018 and not the id at YouTube, which must be
      looked up (``id_file``). Half of the videos are no longer there.
    - The order of the features changes from record to record.
    - Segments: rated ones only, of 5 s; a rating can be negative, and labels without one are
      unknown. Some start after the last frame: they are left out.

    Every shard is read once (labels, checksums), which takes about 0.3 ms for a video-level record;
    with ``scan_dir``, what was found is remembered for further starts.

    Args:
        ann_file: A shard, or a pattern of shards (``video/train*.tfrecord``).
        class_file: The vocabulary, relative to ``data_root``. With ``segment_vocabulary.csv`` only
            its 1,000 classes exist: other labels are left out.
        source: Kind of sample: ``feature`` for a record, ``video`` for the file of a raw video that
            is labelled by its record.
        units: Unit of a sample: ``video``, or ``segment`` for a rated segment (of frame-level
            records of 2019).
        file_format: Form of the path of a raw video, from ``{id}``.
        id_file: Lines with the id of a record and that at YouTube, as ``ABCD,dQw4w9WgXcQ`` or
            ``i("ABCD","dQw4w9WgXcQ");`` (what data.yt8m.org answers). Records that are not in it
            are left out. Without it ``{id}`` is the id of the record.
        unnamed: What to do with entities that have no name: ``drop`` them, or take their ``id``.
        check_crc: Whether to check the payloads at the start; in any case, they are checked when a
            sample is read.
        scan_dir: Folder, relative to ``data_root``, in which to remember what was read of each
            shard. A shard that changes is read anew. With None, all are read at each start.
        **kwargs: See :class:`BaseVideoDataset`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import YouTube8MDataset
        >>> record = b'\n\x21\n\x0e\n\x02id\x12\x08\n\x06\n\x04ABCD'  # an Example of protobuf
        >>> record += b'\n\x0f\n\x06labels\x12\x05\x1a\x03\n\x01\x02'
        >>> shard = b'\x23' + bytes(7) + b'\xb0\x9fwC' + record + b'v\x89\xf2\xa2'  # and CRCs
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'a.tfrecord').write_bytes(shard)
        ...     _ = Path(root, 'vocabulary.csv').write_text('Index,Name\n2,Lighthouse\n0,Coffee\n')
        ...     data = YouTube8MDataset('*.tfrecord', data_root=root)
        >>> data.metainfo['classes'], data.get_data_info(0)['label'].tolist()
        (['Coffee', 'Lighthouse'], [0, 1])
    """

    DOWNLOAD = (
        'get the shards and vocabulary.csv as https://research.google.com/youtube8m/download.html '
        'says, or correct data_root, ann_file, class_file or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'video/train*.tfrecord',
        class_file: str = 'vocabulary.csv',
        source: str = 'feature',
        units: str = 'video',
        file_format: str = '{id}.mp4',
        id_file: str | None = None,
        unnamed: str = 'drop',
        check_crc: bool = True,
        scan_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        for key, value, allowed in (
            ('source', source, ('feature', 'video')),
            ('units', units, ('video', 'segment')),
            ('unnamed', unnamed, ('drop', 'id')),
        ):
            if value not in allowed:
                raise ConfigError(
                    f'YouTube8MDataset: {key}={value!r} is not one of {", ".join(allowed)}'
                )
        if kwargs.get('classes') is not None:
            raise ConfigError('YouTube8MDataset: classes come from class_file; leave classes out')
        self.class_file, self.id_file = class_file, id_file
        self.source, self.units, self.unnamed = source, units, unnamed
        self.file_format, self.check_crc, self.scan_dir = file_format, check_crc, scan_dir
        self.statistics: Counter[str] = Counter()
        super().__init__(ann_file=ann_file, **kwargs)

    def required_paths(self) -> dict[str, str]:
        """The class file, the file of ids, and the folder of raw videos."""
        paths = super().required_paths()
        del paths['annotation file']
        if self.source == 'feature':
            paths.pop('video folder', None)
        if self.id_file is not None:
            paths['id file'] = self.resolve(self.id_file)
        return {**paths, 'class file': self.resolve(self.class_file)}

    def read_annotations(self) -> list[VideoAnnotation]:
        """Records, or their rated segments; it also fills :attr:`statistics`."""
        shards = sorted(glob.glob(self.ann_file))
        if not shards:
            raise DataError(f'YouTube8MDataset: no shard {self.ann_file} found; {self.DOWNLOAD}')
        vocabulary = read_vocabulary(self.resolve(self.class_file), self.unnamed)
        self.classes_source = [v for v in vocabulary.names.values() if v is not None]
        self.file_attributes = dict(vertical=vocabulary.verticals) if vocabulary.verticals else {}
        youtube = None if self.id_file is None else _read_ids(self.resolve(self.id_file))
        self._name_of = VideoNames(self.data_prefix.get('video', ''))
        self.statistics.clear()
        annotations: list[VideoAnnotation] = []
        scans = ShardScans(None if self.scan_dir is None else self.resolve(self.scan_dir))
        for shard in shards:
            for record in scans.read(shard, self.check_crc, self.units == 'segment'):
                self.statistics['records'] += 1
                annotations += self._samples(shard, record, vocabulary, youtube)
        MMLogger.get_current_instance().info(
            f'{self.ann_file}: {len(shards)} shards, '
            + ', '.join(f'{k} {v}' for k, v in self.statistics.items())
        )
        return annotations

    def _samples(
        self,
        shard: str,
        record: ShardRecord,
        vocabulary: EntityVocabulary,
        youtube: Mapping[str, str] | None,
    ) -> Iterator[VideoAnnotation]:
        """The samples of one record."""
        where = f'{shard}: record at byte {record.offset}'
        if youtube is not None and record.name not in youtube:
            self.statistics['without_youtube_id'] += 1
            return
        youtube_id = record.name if youtube is None else youtube[record.name]
        raw = self.source == 'video'
        common: dict[str, Any] = dict(
            video=self._name_of(self.file_format.format(id=youtube_id)) if raw else shard,
            video_id=youtube_id,
            where=where,
            extra={} if raw else dict(record=(shard, record.offset)),
        )
        if self.units == 'video':
            yield VideoAnnotation(labels=self._labels(record.labels, vocabulary, where), **common)
            return
        rated: dict[tuple[float, float], dict[int, bool]] = {}
        for start, end, label, confirmed in record.ratings:
            labels = rated.setdefault((float(start), float(end)), {})
            labels[label] = labels.get(label, False) or confirmed
        for span, labels in rated.items():
            if span[0] >= record.num_frames:
                self.statistics['segments_past_end'] += 1
                continue
            positive = self._labels([i for i, y in labels.items() if y], vocabulary, where)
            negative = self._labels([i for i, y in labels.items() if not y], vocabulary, where)
            self.statistics['segments'] += 1
            yield VideoAnnotation(labels=positive, negatives=negative, segment=span, **common)

    def _labels(self, indices: list[int], vocabulary: EntityVocabulary, where: str) -> list[str]:
        """Names of vocabulary indices, without those that have none."""
        names = vocabulary.names
        for index in indices:
            if index not in names and not vocabulary.partial and self.unlisted == 'raise':
                raise DataError(
                    f"{where}: label {index} is not in {self.class_file}; use the release's own, "
                    "or set unlisted='drop'"
                )
        return [name for name in map(names.get, indices) if name is not None]


def read_vocabulary(path: str, unnamed: str = 'drop') -> EntityVocabulary:
    """The vocabulary of a file in one of its three forms."""
    lines = read_lines(path)
    header = lines[0].strip().split(',') if lines else []
    columns = next((c for c in _COLUMNS if set(c) <= set(header)), None)
    if columns is None:
        raise DataError(
            f'{path}:1: the header is {header}, not that of vocabulary.csv, '
            'segment_vocabulary.csv or label_names_2018.csv'
        )
    rows: Iterator[tuple[str, dict[str, str]]]
    if columns[0] == 'label_id':  # no valid CSV
        rows = (
            (f'{path}:{i}', dict(zip(header, line.split(',', 1), strict=False)))
            for i, line in enumerate(lines[1:], 2)
            if line.strip()
        )
    else:
        rows = read_csv_rows(path, columns)
    names: dict[int, str | None] = {}
    verticals: dict[str, str] = {}
    for where, row in rows:
        index, name = whole_number(row[columns[0]], where, 'index'), row.get(columns[1], '').strip()
        if index in names:
            raise DataError(f'{where}: {index} is no new index; restore the published file')
        entity = row.get('KnowledgeGraphId', name)
        if not name or name.startswith(('/m/', '/g/')):
            name = entity if unnamed == 'id' else ''
        name = clean_label(name, where) if name.strip() else ''
        names[index] = name or None
        if name and row.get('Vertical1'):
            verticals[name] = row['Vertical1']
    return EntityVocabulary(
        dict(sorted(names.items())), verticals, 'PositiveSegmentCount' in header
    )


def _read_ids(path: str) -> dict[str, str]:
    """Id of a record -> id at YouTube."""
    found: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), 1):
        where = f'{path}:{number}'
        if not _ID_LINE.fullmatch(line):
            raise DataError(
                f'{where}: {shown(line)} is not "ABCD,dQw4w9WgXcQ" or i("ABCD","dQw4w9WgXcQ"); '
                'give ids of records and of YouTube'
            )
        for record, video in _ID_PAIR.findall(line):
            if found.setdefault(record, video) != video:
                raise DataError(
                    f'{where}: the record {record} is {video} here and {found[record]} before; '
                    'remove one'
                )
    if not found:
        raise DataError(f'{path}: no line as ABCD,dQw4w9WgXcQ; give ids of records and of YouTube')
    return found

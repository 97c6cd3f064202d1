"""Charades (Sigurdsson et al., ECCV 2016) from its official files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ovmlv.errors import DataError, shown
from ovmlv.files import read_lines
from ovmlv.labels import clean_label
from ovmlv.registry import DATASETS
from ovmlv.tables import PUBLISHED, read_csv_rows

from .base_segment_dataset import BaseSegmentDataset
from .cells import finite_number, seconds
from .segments import Segment, Timeline
from .video_names import VideoNames

COLUMNS = (
    'id',
    'subject',
    'scene',
    'quality',
    'relevance',
    'verified',
    'script',
    'objects',
    'descriptions',
    'actions',
    'length',
)


@DATASETS.register_module()
class CharadesDataset(BaseSegmentDataset):
    r"""157 actions in 9,848 videos of about 30 s, several a video.

    Reads ``Charades_v1_train.csv`` / ``Charades_v1_test.csv`` and ``Charades_v1_classes.txt`` byte
    for byte as published (CSV with CRLF, quoted where a field holds a comma; ``actions`` is ``c092
    11.90 21.20;c147 0.00 12.60``); a video is ``{id}.mp4``. What the files hold, and what is done
    about it (:attr:`statistics` counts each case):

    - ids such as ``83654`` or ``07E49`` look like numbers: they stay strings.
    - Rows without actions (174 train, 49 test): videos whose labels are all negative, flagged
      ``official_unlabeled`` for the official mAP, see
      :func:`~ovmlv.evaluation.functional.charades_average_precision`.
    - The same class several times in a row is one label.
    - Nearly a third of the segments end after ``length`` (by up to 1.54 s): they are cut at the end
      of the video.
    - Seven train segments start after they end. For whole videos the label counts. As segments
      they are dropped or swapped, see ``inverted``.
    - Empty ``quality``, ``relevance`` and ``objects`` become None or empty lists.

    ``label_split`` may name labels by their ids (``c000``) in place of their strings.

    For localisation as in the official ``Charades_v1_localize.m``, use
    ``units='point', num_points=25`` with :class:`FrameLevelMetric`.

    Args:
        ann_file: ``Charades_v1_train.csv`` or ``Charades_v1_test.csv``.
        class_file: ``Charades_v1_classes.txt``, relative to ``data_root``.
        data_prefix: ``video``: folder of the videos.
        label_format: Form of the label string, from ``{name}`` ("Holding some clothes") and
            ``{id}`` ("c000").
        lowercase: Whether label strings are in lower case.
        **kwargs: See :class:`BaseSegmentDataset` (``units``, ``inverted``, ...) and
            :class:`BaseVideoDataset`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import CharadesDataset
        >>> names = 'id,subject,scene,quality,relevance,verified,script,objects,descriptions'
        >>> rows = f'{names},actions,length\n07E49,S1,Attic,,,Yes,,,,c001 5.00 11.40,10.50\n'
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'a.csv').write_text(rows)
        ...     _ = Path(root, 'classes.txt').write_text('c000 Waving a flag\nc001 Jumping\n')
        ...     data = CharadesDataset('a.csv', 'classes.txt', data_root=root, units='segment')
        >>> data.get_data_info(0)['segment'], data.get_data_info(0)['label'].tolist()
        ((5.0, 10.5), [0, 1])
    """

    DOWNLOAD = (
        'get Charades.zip (annotations) and Charades_v1_480.zip (videos) from '
        'https://prior.allenai.org/projects/charades and put their files there, or correct '
        'data_root, ann_file, class_file or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'Charades_v1_train.csv',
        class_file: str = 'Charades_v1_classes.txt',
        data_prefix: Mapping[str, str] = dict(video='Charades_v1_480'),
        label_format: str = '{name}',
        lowercase: bool = False,
        **kwargs: Any,
    ) -> None:
        self.class_file = class_file
        self.label_format, self.lowercase = label_format, lowercase
        super().__init__(
            ann_file=ann_file, data_prefix=data_prefix, label_style='official', **kwargs
        )

    def required_paths(self) -> dict[str, str]:
        """The paths of any data set, and the class file."""
        return {**super().required_paths(), 'class file': self.resolve(self.class_file)}

    def read_timelines(self) -> list[Timeline]:
        """The rows of :attr:`ann_file`."""
        label_of = self._read_classes(self.resolve(self.class_file))
        self.classes_source, self.label_aliases = list(label_of.values()), label_of
        self._name_of = VideoNames(self.data_prefix.get('video', ''))
        timelines: list[Timeline] = []
        seen: dict[str, str] = {}
        for where, row in read_csv_rows(self.ann_file, COLUMNS):
            if not row['id']:
                raise DataError(f'{where}: the row has no id; {PUBLISHED}')
            if row['id'] in seen:
                raise DataError(
                    f'{where}: id {shown(row["id"])} is already in {seen[row["id"]]}; remove one'
                )
            seen[row['id']] = where
            timelines.append(self._timeline(row, where, label_of))
        return timelines

    def _read_classes(self, path: str) -> dict[str, str]:
        """Class id -> label string, in the order of the file."""
        labels: dict[str, str] = {}
        for number, line in enumerate(read_lines(path), 1):
            class_id, _, name = line.strip().partition(' ')
            if not class_id:
                continue
            if not name.strip() or class_id in labels:
                raise DataError(
                    f'{path}:{number}: {shown(line.strip())} is not "c000 Name" with a new id'
                )
            label = self.label_format.format(id=class_id, name=name)
            labels[class_id] = clean_label(
                label.lower() if self.lowercase else label, f'{path}:{number}'
            )
        return labels

    def _timeline(self, row: dict[str, str], where: str, label_of: Mapping[str, str]) -> Timeline:
        """One row."""
        actions = _parse_actions(row['actions'], where)
        for class_id, _, _ in actions:
            if class_id not in label_of:
                raise DataError(
                    f'{where}: class {shown(class_id)} is not in {self.class_file}; the class file '
                    'must be of the same release'
                )
        if not row['length']:
            raise DataError(f'{where}: length is empty; give the length of the video in seconds')
        length = seconds(row['length'], where, 'length')
        segments = [Segment((label_of[i],), start, end) for i, start, end in actions]
        return Timeline(
            video=self._name_of(f'{row["id"]}.mp4'),
            segments=segments,
            duration=length,
            video_id=row['id'],
            where=where,
            extra=dict(
                subject=row['subject'],
                scene=row['scene'],
                quality=_number(row['quality'], 'quality', where),
                relevance=_number(row['relevance'], 'relevance', where),
                verified=row['verified'] == 'Yes',
                length=length,
            ),
            video_extra=dict(
                # Of the official classification script alone; its localisation has no such rule.
                official_unlabeled=not actions,
                script=row['script'],
                objects=[v for v in row['objects'].split(';') if v],
                descriptions=[v for v in row['descriptions'].split(';') if v],
                actions=[(s.labels[0], s.start, s.end) for s in segments],
            ),
        )


def _parse_actions(cell: str, where: str) -> list[tuple[str, float, float]]:
    """``c092 11.90 21.20;c147 0.00 12.60`` -> class, start, end of each."""
    actions = []
    for entry in cell.split(';') if cell else ():
        words = entry.split(' ')
        if len(words) != 3 or not words[0]:
            raise DataError(f'{where}: action {shown(entry)} is not "class start end"')
        start, end = (seconds(words[i], where, f'action {shown(entry)}: time') for i in (1, 2))
        actions.append((words[0], start, end))
    return actions


def _number(cell: str, name: str, where: str) -> float | None:
    """A number, or None for an empty field."""
    return finite_number(cell, where, name) if cell else None

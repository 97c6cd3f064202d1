"""Charades (Sigurdsson et al., ECCV 2016) from its official files."""

from __future__ import annotations

import csv
import math
import os.path as osp
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError, DataError
from ovmlv.registry import DATASETS

from .annotation import VideoAnnotation
from .base_video_dataset import BaseVideoDataset

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


@dataclass(frozen=True)
class Action:
    """One entry of the column ``actions``, as it stands there."""

    name: str
    start: float
    end: float


@DATASETS.register_module()
class CharadesDataset(BaseVideoDataset):
    """157 actions in 9,848 videos of about 30 s, several a video.

    Reads ``Charades_v1_train.csv`` / ``Charades_v1_test.csv`` and ``Charades_v1_classes.txt`` byte
    for byte as published (CSV with CRLF, quoted where a field holds a comma; ``actions`` is ``c092
    11.90 21.20;c147 0.00 12.60``); a video is ``{id}.mp4``. What the files hold, and what is done
    about it (:attr:`statistics` counts each case):

    - ids such as ``83654`` or ``07E49`` look like numbers: they stay strings.
    - Rows without actions (174 train, 49 test): videos whose labels are all negative, flagged
      ``official_unlabeled`` for the official mAP, see
      :func:`~ovmlv.evaluation.functional.charades_average_precision`.
    - The same class several times in a row: one label.
    - Nearly a third of the segments end after ``length`` (by up to 1.54 s): cut at the end of the
      video.
    - Seven train segments start after they end. For whole videos the label counts. As segments
      they are dropped or swapped, see ``inverted``.
    - Empty ``quality``, ``relevance``, ``objects``: None or empty lists.

    Args:
        ann_file: ``Charades_v1_train.csv`` or ``Charades_v1_test.csv``.
        class_file: ``Charades_v1_classes.txt``, relative to ``data_root``.
        data_prefix: ``video``: folder of the videos.
        units: ``video``: a sample is a video, positive for each class in its row. ``segment``: a
            sample is an annotated segment, positive for its class and every class that covers at
            least half of it; classes that cover less of it are unknown. Videos without segments
            then have no sample.
        inverted: For ``units='segment'``: ``drop`` or ``swap`` segments with start > end.
        label_format: Label string, from ``{name}`` ("Holding some clothes") and ``{id}`` ("c000").
        lowercase: Whether label strings are in lower case.
        kwargs: See :class:`BaseVideoDataset`.
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
        units: str = 'video',
        inverted: str = 'drop',
        label_format: str = '{name}',
        lowercase: bool = False,
        **kwargs: Any,
    ) -> None:
        if units not in ('video', 'segment'):
            raise ConfigError(f"CharadesDataset: units={units!r} is not 'video' or 'segment'")
        if inverted not in ('drop', 'swap'):
            raise ConfigError(f"CharadesDataset: inverted={inverted!r} is not 'drop' or 'swap'")
        if kwargs.get('classes') is not None:
            raise ConfigError(
                'CharadesDataset: classes come from class_file; leave classes out (to take some '
                'of them, use label_split and label_set)'
            )
        self.class_file = class_file
        self.units, self.inverted = units, inverted
        self.label_format, self.lowercase = label_format, lowercase
        self.statistics: Counter[str] = Counter()
        super().__init__(ann_file=ann_file, data_prefix=data_prefix, **kwargs)

    def required_paths(self) -> dict[str, str]:
        """Those of any data set, and the class file."""
        return {**super().required_paths(), 'class file': self._class_path()}

    def read_annotations(self) -> list[VideoAnnotation]:
        """Samples of :attr:`ann_file`; fills :attr:`statistics`."""
        label_of = self._read_classes(self._class_path())
        self.classes_source = list(label_of.values())
        self.statistics.clear()
        annotations: list[VideoAnnotation] = []
        seen: dict[str, str] = {}
        for where, row in _read_rows(self.ann_file):
            if row['id'] in seen:
                raise DataError(
                    f'{where}: id {row["id"]!r} is already in {seen[row["id"]]}; remove one'
                )
            seen[row['id']] = where
            annotations += self._samples(row, where, label_of)
        odd = {k: v for k, v in self.statistics.items() if k not in ('rows', 'segments') and v}
        MMLogger.get_current_instance().info(
            f'{self.ann_file}: {self.statistics["rows"]} videos, {self.statistics["segments"]} '
            f'segments, of these {", ".join(f"{k} {v}" for k, v in odd.items()) or "none odd"}'
        )
        return annotations

    def _class_path(self) -> str:
        if self.data_root and not osp.isabs(self.class_file):
            return osp.join(self.data_root, self.class_file)
        return self.class_file

    def _read_classes(self, path: str) -> dict[str, str]:
        """Class id -> label string, in the order of the file."""
        labels: dict[str, str] = {}
        with open(path, encoding='utf-8') as file:
            for number, line in enumerate(file, 1):
                class_id, _, name = line.strip().partition(' ')
                if not class_id:
                    continue
                if not name or class_id in labels:
                    raise DataError(
                        f'{path}:{number}: {line.strip()!r} is not "c000 Name" with a new id'
                    )
                label = self.label_format.format(id=class_id, name=name)
                labels[class_id] = label.lower() if self.lowercase else label
        return labels

    def _samples(
        self, row: dict[str, str], where: str, label_of: Mapping[str, str]
    ) -> list[VideoAnnotation]:
        """The samples of one row."""
        actions = _parse_actions(row['actions'], where)
        for action in actions:
            if action.name not in label_of:
                raise DataError(
                    f'{where}: class {action.name!r} is not in {self.class_file}; the class file '
                    'must be of the same release'
                )
        length = _number(row['length'], 'length', where)
        if length is None:
            raise DataError(f'{where}: length is empty; give the length of the video in seconds')
        names = [action.name for action in actions]
        self.statistics.update(
            rows=1,
            segments=len(actions),
            without_actions=not actions,
            repeated_classes=len(names) - len(set(names)),
            past_end=sum(a.end > length for a in actions),
            inverted=sum(a.start > a.end for a in actions),
        )
        common: dict[str, Any] = dict(video=f'{row["id"]}.mp4', video_id=row['id'], where=where)
        extra = dict(
            official_unlabeled=not actions,
            subject=row['subject'],
            scene=row['scene'],
            quality=_number(row['quality'], 'quality', where),
            relevance=_number(row['relevance'], 'relevance', where),
            verified=row['verified'] == 'Yes',
            script=row['script'],
            objects=[v for v in row['objects'].split(';') if v],
            descriptions=[v for v in row['descriptions'].split(';') if v],
            actions=[(label_of[a.name], a.start, a.end) for a in actions],
            length=length,
        )
        if self.units == 'video':
            labels = tuple(dict.fromkeys(label_of[name] for name in names))
            return [VideoAnnotation(labels=labels, extra=extra, **common)]
        for key in ('script', 'objects', 'descriptions', 'actions'):  # not 20 times a video
            del extra[key]
        usable = [a for a in (self._clip(a, length) for a in actions) if a is not None]
        return [
            VideoAnnotation(
                segment=(a.start, a.end), extra=extra, **_overlapping(a, usable, label_of), **common
            )
            for a in usable
        ]

    def _clip(self, action: Action, length: float) -> Action | None:
        """The part of a segment that lies in the video, or None."""
        start, end = action.start, action.end
        if start > end:
            if self.inverted == 'drop':
                self.statistics['dropped_inverted'] += 1
                return None
            start, end = end, start
        if min(end, length) <= start:
            self.statistics['dropped_outside'] += 1
            return None
        return Action(action.name, start, min(end, length))


def _overlapping(
    action: Action, actions: list[Action], label_of: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """``labels`` and ``unknown`` of the segment of ``action``: who covers half of it, who some of
    it."""
    covered: Counter[str] = Counter()
    for other in actions:
        common = min(action.end, other.end) - max(action.start, other.start)
        if common > 0:
            share = common / (action.end - action.start)
            covered[label_of[other.name]] = max(covered[label_of[other.name]], share)
    return dict(
        labels=tuple(label for label, share in covered.items() if share >= 0.5),
        unknown=tuple(label for label, share in covered.items() if share < 0.5),
    )


def _read_rows(path: str) -> list[tuple[str, dict[str, str]]]:
    """``file:line`` and fields of every row."""
    with open(path, encoding='utf-8', newline='') as file:
        reader = csv.DictReader(file, strict=True)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise DataError(
                f'{path}:1: the header is {reader.fieldnames}, not that of Charades_v1 '
                f'({",".join(COLUMNS)})'
            )
        rows = []
        try:
            for row in reader:
                where = f'{path}:{reader.line_num}'
                if None in row or None in row.values() or not row['id']:
                    raise DataError(
                        f'{where}: the row has not {len(COLUMNS)} fields with an id; restore the '
                        'published file'
                    )
                rows.append((where, row))
        except csv.Error as error:
            raise DataError(f'{path}:{reader.line_num}: no valid CSV ({error})') from None
    return rows


def _parse_actions(cell: str, where: str) -> list[Action]:
    """``c092 11.90 21.20;c147 0.00 12.60`` -> actions."""
    actions = []
    for entry in cell.split(';') if cell else ():
        words = entry.split(' ')
        try:
            name, start, end = words[0], float(words[1]), float(words[2])
        except (IndexError, ValueError):
            name = ''
        if not name or len(words) != 3 or start < 0 or not math.isfinite(start + end):
            raise DataError(f'{where}: action {entry!r} is not "class start end"')
        actions.append(Action(name, start, end))
    return actions


def _number(cell: str, name: str, where: str) -> float | None:
    """A number, or None for an empty field."""
    if not cell:
        return None
    try:
        return float(cell)
    except ValueError:
        raise DataError(f'{where}: {name} is {cell!r}, not a number') from None

"""AVA (Gu et al., CVPR 2018), actions of people in films, as multi-label clips."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError, DataError, shown
from ovmlv.files import read_json, read_text, split_lines
from ovmlv.labels import clean_label, unique_labels
from ovmlv.registry import DATASETS
from ovmlv.tables import read_csv_lists

from .annotation import VideoAnnotation
from .base_class_file_dataset import BaseClassFileDataset
from .cells import expect, whole_number
from .video_names import VideoNames

# The three forms of the class list.
_PBTXT = re.compile(r'(?:item|label)\s*\{(.*?)\}', re.DOTALL)
_LINE = re.compile(r'\s*(\d+)\s*:\s*(\S.*?)\s*')


@DATASETS.register_module()
class AVADataset(BaseClassFileDataset):
    r"""The clip around each annotated second, positive for what anybody in it does.

    Reads ``ava_{train,val}_v2.2.csv`` as published: no header, a row for each action of each box,
    ``video,second,x1,y1,x2,y2,action,person`` (``1j20qq1JyX4,0907,0.041,0.145,0.992,0.985,12,4``).
    What the files hold, and what is done about it:

    - A box is repeated for each of its actions, and several people share a second: the labels of a
      clip are the union.
    - Seconds have leading zeros and count from the start of the film (0902 .. 1798). Films that
      were cut to these 15 minutes need ``video_start=900``.
    - Not every second has rows: seconds without rows are unlabelled and give no sample.
    - Seconds of ``exclude_file`` are left out.
    - Actions count from 1 to 80 with gaps; the official evaluation takes 60 of them. Rows of
      actions that are not in ``class_file`` are no labels; a second that has only such rows is a
      negative clip. Rows without an action (AVA-Kinetics) say that nobody is there.
    - The suffix of a video differs (``.mkv``, ``.mp4``, ``.webm``) and is nowhere in the
      annotations: it is looked up in the folder.

    Args:
        ann_file: The CSV, relative to ``data_root``.
        class_file: ``ava_action_list_v2.2_for_activitynet_2019.pbtxt`` (60 classes),
            ``ava_action_list_v2.2.pbtxt`` (80, with an axis ``kind``), MMAction2's
            ``label_map.txt`` (``1: bend/bow (at the waist)``) or SlowFast's ``ava.json``
            (``{"bend/bow": 0}``: counts from 0, unlike the CSV).
        data_prefix: ``video``: folder of the videos.
        exclude_file: ``ava_{train,val}_excluded_timestamps_v2.2.csv``; None excludes nothing.
        clip_seconds: Length of a clip; the annotators saw 3 seconds.
        video_start: Second of the film at which the video files start.
        **kwargs: See :class:`BaseClassFileDataset` and :class:`BaseVideoDataset`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import AVADataset
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'ava.csv').write_text('a1,0902,0.1,0.2,0.3,0.8,12,0\n')
        ...     _ = Path(root, 'label_map.txt').write_text('7: jump/leap\n12: stand\n')
        ...     data = AVADataset('ava.csv', 'label_map.txt', data_root=root)
        >>> info = data.get_data_info(0)
        >>> data.metainfo['classes'], info['segment'], info['label'].tolist()
        (['jump or leap', 'stand'], (900.5, 903.5), [0, 1])
    """

    DOWNLOAD = (
        'get ava_v2.2.zip from https://research.google.com/ava/download.html and the videos from '
        'https://github.com/cvdfoundation/ava-dataset and put them there, or correct data_root, '
        'ann_file, class_file, exclude_file or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'ava_train_v2.2.csv',
        class_file: str = 'ava_action_list_v2.2_for_activitynet_2019.pbtxt',
        data_prefix: Mapping[str, str] = dict(video='videos'),
        exclude_file: str | None = None,
        clip_seconds: float = 3.0,
        video_start: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if clip_seconds <= 0:
            raise ConfigError(f'AVADataset: clip_seconds={clip_seconds!r} must be positive')
        self.exclude_file = exclude_file
        self.clip_seconds, self.video_start = clip_seconds, video_start
        self.statistics: Counter[str] = Counter()
        super().__init__(
            ann_file=ann_file, class_file=class_file, data_prefix=data_prefix, **kwargs
        )

    def required_paths(self) -> dict[str, str]:
        """The paths of any data set, the class file and the list of excluded seconds."""
        paths = super().required_paths()
        if self.exclude_file:
            paths['exclude file'] = self.resolve(self.exclude_file)
        return paths

    def read_annotations(self) -> list[VideoAnnotation]:
        """A sample for each annotated second, in the order of the file."""
        self.statistics.clear()
        assert self.class_file is not None  # required here
        label_of, kinds = self._read_classes(self.resolve(self.class_file))
        self.classes_source = list(label_of.values())
        self.file_attributes = dict(kind=kinds) if kinds else {}
        excluded = self._excluded()
        where_of: dict[tuple[str, str], str] = {}
        labels: dict[tuple[str, str], dict[str, None]] = {}
        for where, cells in read_csv_lists(self.ann_file):
            if len(cells) != 8:
                raise DataError(
                    f'{where}: {shown(",".join(cells))} is not '
                    '"video,second,x1,y1,x2,y2,action,person"'
                )
            second = (cells[0], cells[1])
            time = whole_number(cells[1], where, 'second')
            action = whole_number(cells[6], where, 'action') if cells[6] else None
            self.statistics['rows'] += 1
            if (cells[0], time) in excluded:
                self.statistics['excluded_rows'] += 1
                continue
            where_of.setdefault(second, where)
            positive = labels.setdefault(second, {})
            if action in label_of:
                positive[label_of[action]] = None
            else:
                self.statistics['rows_of_other_actions'] += 1
        counts = ', '.join(f'{k} {v}' for k, v in self.statistics.items())
        MMLogger.get_current_instance().info(f'{self.ann_file}: {len(labels)} seconds, {counts}')
        name_of = VideoNames(self.data_prefix.get('video', ''))
        return [
            self._sample(name_of(f'{key[0]}.mp4'), key, tuple(names), where_of[key])
            for key, names in labels.items()
        ]

    def _sample(
        self, file: str, key: tuple[str, str], labels: tuple[str, ...], where: str
    ) -> VideoAnnotation:
        middle = float(key[1]) - self.video_start
        if middle < 0:
            raise DataError(
                f'{where}: second {key[1]} is before video_start={self.video_start:g}; set it to '
                'the second of the film at which the video files start'
            )
        half = self.clip_seconds / 2
        return VideoAnnotation(
            file,
            labels,
            segment=(max(0.0, middle - half), middle + half),
            video_id=key[0],
            where=where,
            extra=dict(timestamp=key[1]),
        )

    def _excluded(self) -> set[tuple[str, int]]:
        """Video and second of each line of :attr:`exclude_file`."""
        if not self.exclude_file:
            return set()
        excluded = set()
        for where, cells in read_csv_lists(self.resolve(self.exclude_file)):
            if len(cells) != 2 or not cells[0].strip():
                raise DataError(f'{where}: {shown(",".join(cells))} is not "video,second"')
            excluded.add((cells[0].strip(), whole_number(cells[1], where, 'second')))
        return excluded

    def _read_classes(self, path: str) -> tuple[dict[int, str], dict[str, str]]:
        """Action id of the CSV -> label, and label -> kind (if the list gives it)."""
        kinds: dict[str, str] = {}
        labels: dict[int, str] = {}
        for where, name, number, kind in _class_entries(path):
            label = clean_label(self.label_of(clean_label(name, where)), where)
            if number in labels:
                raise DataError(f'{where}: the id {number} is that of {labels[number]!r} already')
            labels[number] = label
            if kind:
                kinds[label] = kind
        if not labels:
            raise DataError(f'{path}: no list of classes with different names and ids')
        unique_labels(labels.values(), path)
        return labels, kinds


def _class_entries(path: str) -> Iterator[tuple[str, Any, int, str]]:
    """Where, name, id and kind of each class, in the three forms of the list."""
    if path.endswith('.json'):
        for name, number in expect(read_json(path), dict, path, '{"bend/bow": 0, ...}').items():
            yield path, name, whole_number(number, path, f'id of {name!r}') + 1, ''
        return
    text = read_text(path)
    if '{' in text:
        for entry in _PBTXT.findall(text):
            name = re.search(r'name:\s*"([^"]*)"', entry)
            number = re.search(r'\b(?:label_)?id:\s*(\d+)', entry)
            if not name or not number:
                raise DataError(f'{path}: {shown(" ".join(entry.split()))} has no name or no id')
            kind = re.search(r'label_type:\s*(\w+)', entry)
            index = whole_number(number[1], path, f'id of {name[1]!r}')
            yield path, name[1], index, kind[1].lower() if kind else ''
        return
    for count, line in enumerate(split_lines(text), 1):
        match = _LINE.fullmatch(line)
        if line.strip() and not match:
            raise DataError(f'{path}:{count}: {shown(line)} is not "1: name"')
        if match:
            where = f'{path}:{count}'
            yield where, match[2], whole_number(match[1], where, 'id'), ''

"""AVA (Gu et al., CVPR 2018), actions of people in films, as multi-label clips."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError, DataError
from ovmlv.registry import DATASETS

from .annotation import VideoAnnotation
from .base_class_file_dataset import BaseClassFileDataset
from .official_files import open_text, read_csv_lists
from .video_names import VideoNames

# The three forms of the class list.
_PBTXT = re.compile(r'(?:item|label)\s*\{(.*?)\}', re.DOTALL)
_LINE = re.compile(r'\s*(\d+)\s*:\s*(\S.*?)\s*')


@DATASETS.register_module()
class AVADataset(BaseClassFileDataset):
    """The clip around each annotated second, positive for what anybody in it does.

    Reads ``ava_{train,val}_v2.2.csv`` as published: no header, a row for each action of each box,
    ``video,second,x1,y1,x2,y2,action,person`` (``1j20qq1JyX4,0907,0.041,0.145,0.992,0.985,12,4``).
    What the files hold, and what is done about it:

    - A box is repeated for each of its actions, and several people share a second: the labels of a
      clip are the union.
    - Seconds have leading zeros and count from the start of the film (0902 .. 1798). Films that
      were cut to these 15 minutes need ``video_start=900``.
    - Not every second has rows: those without are unlabelled and give no sample.
    - Seconds of ``exclude_file`` are left out.
    - Actions count from 1 to 80 with gaps; the official evaluation takes 60 of them. Rows of
      actions that are not in ``class_file`` are no labels; a second that has only such rows is a
      negative clip. Rows without an action (AVA-Kinetics) say that nobody is there.
    - The suffix of a video differs (``.mkv``, ``.mp4``, ``.webm``) and stands nowhere in the
      annotations: the folder is asked.

    Args:
        ann_file: The CSV, relative to ``data_root``.
        class_file: ``ava_action_list_v2.2_for_activitynet_2019.pbtxt`` (60 classes),
            ``ava_action_list_v2.2.pbtxt`` (80, with an axis ``kind``), MMAction2's
            ``label_map.txt`` (``1: bend/bow (at the waist)``) or SlowFast's ``ava.json``
            (``{"bend/bow": 0}``: counts from 0, unlike the CSV).
        data_prefix: ``video``: folder of the videos.
        exclude_file: ``ava_{train,val}_excluded_timestamps_v2.2.csv``; None: none.
        clip_seconds: Length of a clip; the annotators saw 3 seconds.
        video_start: Second of the film at which the video files start.
        **kwargs: See :class:`BaseClassFileDataset` and :class:`BaseVideoDataset`.
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
        """Those of any data set, the class file and the list of excluded seconds."""
        paths = super().required_paths()
        if self.exclude_file:
            paths['exclude file'] = self.resolve(self.exclude_file)
        return paths

    def read_annotations(self) -> list[VideoAnnotation]:
        """A sample for each annotated second, in the order of the file."""
        self.statistics.clear()
        label_of, kinds = self._read_classes(self.resolve(self.class_file))
        self.classes_source = list(label_of.values())
        self.file_attributes = dict(kind=kinds) if kinds else {}
        excluded = self._excluded()
        where_of: dict[tuple[str, str], str] = {}
        labels: dict[tuple[str, str], dict[str, None]] = {}
        for where, cells in read_csv_lists(self.ann_file):
            if len(cells) != 8 or not cells[1].isdecimal() or not (cells[6] + '0').isdecimal():
                raise DataError(
                    f'{where}: {",".join(cells)!r} is not "video,second,x1,y1,x2,y2,action,person"'
                )
            second = (cells[0], cells[1])
            self.statistics['rows'] += 1
            if second in excluded:
                self.statistics['excluded_rows'] += 1
                continue
            where_of.setdefault(second, where)
            positive = labels.setdefault(second, {})
            if cells[6] and int(cells[6]) in label_of:
                positive[label_of[int(cells[6])]] = None
            else:
                self.statistics['rows_of_other_actions'] += 1
        counts = ', '.join(f'{k} {v}' for k, v in self.statistics.items())
        MMLogger.get_current_instance().info(f'{self.ann_file}: {len(labels)} seconds, {counts}')
        name_of = VideoNames(self.data_prefix.get('video', ''))
        return [
            self._sample(name_of(key[0]), key, tuple(names), where_of[key])
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

    def _excluded(self) -> set[tuple[str, str]]:
        if not self.exclude_file:
            return set()
        rows = read_csv_lists(self.resolve(self.exclude_file))
        return {(cells[0], cells[1]) for _, cells in rows if len(cells) > 1}

    def _read_classes(self, path: str) -> tuple[dict[int, str], dict[str, str]]:
        """Action id of the CSV -> label, and label -> kind (where the list says it)."""
        with open_text(path) as file:
            text = file.read()
        kinds: dict[str, str] = {}
        entries: list[tuple[int, str]] = []
        if path.endswith('.json'):
            entries = [(int(i) + 1, name) for name, i in json.loads(text).items()]
        elif '{' in text:
            for item in _PBTXT.findall(text):
                name = re.search(r'name:\s*"([^"]*)"', item)
                number = re.search(r'\b(?:label_)?id:\s*(\d+)', item)
                if not name or not number:
                    raise DataError(f'{path}: {" ".join(item.split())!r} has no name or no id')
                entries.append((int(number[1]), name[1]))
                if kind := re.search(r'label_type:\s*(\w+)', item):
                    kinds[self.label_of(name[1])] = kind[1].lower()
        else:
            for number, line in enumerate(text.splitlines(), 1):
                match = _LINE.fullmatch(line)
                if line.strip() and not match:
                    raise DataError(f'{path}:{number}: {line!r} is not "1: name"')
                if match:
                    entries.append((int(match[1]), match[2]))
        labels = {number: self.label_of(name) for number, name in entries}
        if not labels or len(set(labels.values())) != len(entries):
            raise DataError(f'{path}: no list of classes with different names and ids')
        return labels, kinds

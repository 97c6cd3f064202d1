"""ActivityNet 1.3 (Caba Heilbron et al., CVPR 2015) from its official file or the common one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError, DataError
from ovmlv.files import read_json
from ovmlv.labels import clean_label
from ovmlv.registry import DATASETS
from ovmlv.tables import read_csv_rows

from .base_segment_dataset import BaseSegmentDataset
from .cells import expect, item, place, seconds, span
from .formats.official_files import read_class_names
from .segments import Segment, Timeline
from .subsets import ALL, Subset
from .video_names import VideoNames

SUBSETS = ('training', 'validation', 'testing')
_FORM = 'the form of activity_net.v1-3.min.json or anet_anno_action.json'


@DATASETS.register_module()
class ActivityNetDataset(BaseSegmentDataset):
    """200 activities in 19,994 untrimmed videos, mostly one activity a video.

    Reads ``activity_net.v1-3.min.json`` as published (``{"database": {id: {"subset", "duration",
    "annotations": [{"segment": [start, end], "label"}]}}}``), or ``anet_anno_action.json`` of BSN,
    which MMAction2 and others read (``{"v_" + id: {"duration_second", "annotations"}}``; its
    subsets are in ``video_info_new.csv``). A video is ``v_{id}`` with the suffix that it has in the
    folder (``.mp4``, ``.mkv``, ``.webm``). What the files hold, and what is done about it:

    - Ids start with ``v_`` in one file and not in the other: ``video_id`` never has it.
    - The labels of ``testing`` are withheld (``"annotations": []``): they are unknown, not
      negative.
    - Segments that end after the video are cut. 12 have start >= end (``[0, 0]``): they are labels
      of the whole video all the same.
    - 11 videos have several different labels.
    - Class lists disagree in their order, and one has a header line: labels are matched by name.

    Args:
        ann_file: Either file, relative to ``data_root``.
        subset: ``training``, ``validation``, ``testing``, or ``all``.
        data_prefix: ``video``: folder of the videos.
        class_file: List of the classes; by default those of all annotations in the file, sorted.
        info_file: ``video_info_new.csv``, for ``anet_anno_action.json``. Videos that are not in it
            belong to no subset, and the log counts them.
        **kwargs: See :class:`BaseSegmentDataset` and :class:`BaseVideoDataset`.

    Examples:
        >>> import json, tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import ActivityNetDataset
        >>> action = dict(segment=[2.5, 30.0], label='Drinking coffee')
        >>> videos = dict(a1=dict(subset='training', duration=20.0, annotations=[action]))
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'anet.json').write_text(json.dumps(dict(database=videos)))
        ...     data = ActivityNetDataset('anet.json', units='segment', data_root=root)
        >>> data.metainfo['classes'], data.get_data_info(0)['segment']  # cut where the video ends
        (['drinking coffee'], (2.5, 20.0))
    """

    DOWNLOAD = (
        'get activity_net.v1-3.min.json and, by its form, the videos from '
        'http://activity-net.org/download.html and put them there, or correct data_root, ann_file, '
        'class_file, info_file or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'activity_net.v1-3.min.json',
        subset: str = 'training',
        data_prefix: Mapping[str, str] = dict(video='videos'),
        class_file: str | None = None,
        info_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._subset = Subset('ActivityNetDataset', subset, SUBSETS)
        self.subset, self.class_file, self.info_file = subset, class_file, info_file
        super().__init__(ann_file=ann_file, data_prefix=data_prefix, **kwargs)

    def required_paths(self) -> dict[str, str]:
        """The paths of any data set, and the two optional files."""
        paths = super().required_paths()
        for what, path in (('class file', self.class_file), ('info file', self.info_file)):
            if path:
                paths[what] = self.resolve(path)
        return paths

    def read_timelines(self) -> list[Timeline]:
        """One timeline for each video of the subset."""
        entries = self._entries()
        found = {s.labels[0] for _, t in entries for s in t.segments}
        classes = sorted(found)
        if self.class_file:
            names = read_class_names(self.resolve(self.class_file))
            # action_name.csv has the header line "action".
            classes = [self.label_of(name) for name in names if name != 'action']
        self.classes_source = classes
        timelines = [timeline for wanted, timeline in entries if wanted]
        if not timelines:
            raise DataError(f'{self.ann_file}: no video of the subset {self.subset!r}')
        return timelines

    def _entries(self) -> list[tuple[bool, Timeline]]:
        """Timeline of every video in the file, and whether the video is in the subset."""
        content = expect(read_json(self.ann_file), dict, self.ann_file, _FORM)
        official = 'database' in content
        videos = item(content, 'database', dict, self.ann_file) if official else content
        subset_of = None if official else self._subsets()
        name_of = VideoNames(self.data_prefix.get('video', ''))
        entries, strange = [], []
        for key, entry in videos.items():
            where = place(self.ann_file, key)
            video = key if official else key.removeprefix('v_')
            expect(entry, dict, where, _FORM)
            length = item(entry, 'duration' if official else 'duration_second', object, where)
            segments = [self._segment(a, where) for a in item(entry, 'annotations', list, where)]
            if subset_of is None:
                wanted = self._subset.has(item(entry, 'subset', str, where), where)
            elif subset_of and key not in subset_of:
                strange.append(key)
                wanted = self.subset == ALL
            else:
                wanted = not subset_of or self._subset.has(subset_of[key], where)
            timeline = Timeline(
                name_of(f'v_{video}.mp4'),
                segments,
                seconds(length, where, 'duration'),
                video_id=video,
                where=where,
                partial=not segments,
            )
            entries.append((wanted, timeline))
        if strange and self.subset != ALL:
            MMLogger.get_current_instance().warning(
                f'{self.ann_file}: {len(strange)} of {len(entries)} videos are not in '
                f'{self.info_file} (first: {strange[0]}): they are left out, as of no subset'
            )
        return entries

    def _segment(self, annotation: Any, where: str) -> Segment:
        expect(annotation, dict, where, _FORM)
        label = self.label_of(item(annotation, 'label', str, where))
        times = span(item(annotation, 'segment', object, where), where)
        return Segment((clean_label(label, f'{where}: label'),), *times)

    def _subsets(self) -> dict[str, str]:
        """Video -> subset of the file without subsets."""
        if self.info_file:
            rows = read_csv_rows(self.resolve(self.info_file), ('video', 'subset'))
            return {row['video']: row['subset'] for _, row in rows}
        if self.subset != ALL:
            raise ConfigError(
                f'ActivityNetDataset: {self.ann_file} does not say which subset a video is of; '
                "give info_file='video_info_new.csv', or subset='all'"
            )
        return {}

"""ActivityNet 1.3 (Caba Heilbron et al., CVPR 2015) from its official file or the common one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ovmlv.errors import ConfigError, DataError
from ovmlv.registry import DATASETS

from .base_segment_dataset import BaseSegmentDataset
from .official_files import read_class_names, read_csv_rows
from .segments import Segment, Timeline
from .video_names import VideoNames
from .vocabulary import load_json

SUBSETS = ('training', 'validation', 'testing')


@DATASETS.register_module()
class ActivityNetDataset(BaseSegmentDataset):
    """200 activities in 19,994 untrimmed videos, mostly one activity a video.

    Reads ``activity_net.v1-3.min.json`` as published (``{"database": {id: {"subset", "duration",
    "annotations": [{"segment": [start, end], "label"}]}}}``), or ``anet_anno_action.json`` of BSN,
    which MMAction2 and others read (``{"v_" + id: {"duration_second", "annotations"}}``; its
    subsets are in ``video_info_new.csv``). A video is ``v_{id}`` with the suffix that it has in the
    folder (``.mp4``, ``.mkv``, ``.webm``). What the files hold, and what is done about it:

    - Ids start with ``v_`` in one file and not in the other: ``video_id`` never has it.
    - The labels of ``testing`` are withheld (``"annotations": []``): unknown, not negative.
    - Segments that end after the video: cut. 12 have start >= end (``[0, 0]``): labels of the whole
      video all the same.
    - 11 videos have several different labels.
    - Class lists disagree in their order, and one has a header line: labels are matched by name.

    Args:
        ann_file: Either file, relative to ``data_root``.
        subset: ``training``, ``validation``, ``testing``, or ``all``.
        data_prefix: ``video``: folder of the videos.
        class_file: List of the classes; by default those of all annotations in the file, sorted.
        info_file: ``video_info_new.csv``, for ``anet_anno_action.json``.
        **kwargs: See :class:`BaseSegmentDataset` and :class:`BaseVideoDataset`.
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
        if subset not in (*SUBSETS, 'all'):
            raise ConfigError(
                f'ActivityNetDataset: subset={subset!r} is not one of {", ".join(SUBSETS)}, all'
            )
        self.subset, self.class_file, self.info_file = subset, class_file, info_file
        super().__init__(ann_file=ann_file, data_prefix=data_prefix, **kwargs)

    def required_paths(self) -> dict[str, str]:
        """Those of any data set, and the two optional files."""
        paths = super().required_paths()
        for what, path in (('class file', self.class_file), ('info file', self.info_file)):
            if path:
                paths[what] = self.resolve(path)
        return paths

    def read_timelines(self) -> list[Timeline]:
        """One for each video of the subset."""
        entries = self._entries()
        found = {s.labels[0] for _, t in entries for s in t.segments}
        classes = sorted(found)
        if self.class_file:
            names = read_class_names(self.resolve(self.class_file))
            # action_name.csv has the header line "action".
            classes = [self.label_of(name) for name in names if name != 'action']
        self.classes_source = classes
        timelines = [t for subset, t in entries if self.subset in (subset, 'all')]
        if not timelines:
            raise DataError(f'{self.ann_file}: no video of the subset {self.subset!r}')
        return timelines

    def _entries(self) -> list[tuple[str, Timeline]]:
        """Subset and timeline of every video in the file."""
        content = load_json(self.ann_file)
        official = isinstance(content, dict) and 'database' in content
        videos = content['database'] if official else content
        subset_of = None if official else self._subsets()
        name_of = VideoNames(self.data_prefix.get('video', ''))
        entries = []
        for key, entry in videos.items():
            where = f'{self.ann_file}: {key}'
            video = key if official else key.removeprefix('v_')
            try:
                subset = entry['subset'] if subset_of is None else subset_of.get(key, 'all')
                duration = float(entry['duration' if official else 'duration_second'])
                segments = [
                    Segment((self.label_of(a['label']),), *map(float, a['segment']))
                    for a in entry['annotations']
                ]
            except (KeyError, TypeError, ValueError):
                raise DataError(
                    f'{where} has not the form of activity_net.v1-3.min.json or '
                    'anet_anno_action.json; restore the published file'
                ) from None
            timeline = Timeline(
                name_of(f'v_{video}'), segments, duration, (), video, where, partial=not segments
            )
            entries.append((subset, timeline))
        return entries

    def _subsets(self) -> dict[str, str]:
        """Video -> subset of the file without subsets."""
        if self.info_file:
            rows = read_csv_rows(self.resolve(self.info_file), ('video', 'subset'))
            return {row['video']: row['subset'] for _, row in rows}
        if self.subset != 'all':
            raise ConfigError(
                f'ActivityNetDataset: {self.ann_file} does not say which subset a video is of; '
                "give info_file='video_info_new.csv', or subset='all'"
            )
        return {}

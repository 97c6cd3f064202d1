"""THUMOS14, temporal detection (Idrees et al., CVIU 2017) from its official files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ovmlv.files import read_json
from ovmlv.registry import DATASETS

from .base_segment_dataset import BaseSegmentDataset
from .cells import expect, item, place, seconds
from .formats.thumos_files import class_files, read_class_file
from .segments import Segment, Timeline
from .video_names import VideoNames


@DATASETS.register_module()
class THUMOS14Dataset(BaseSegmentDataset):
    r"""20 sports actions in 413 untrimmed videos (200 validation, which everybody trains on, and
    213 test).

    Reads the folder of text files, one for each class (``BaseballPitch_val.txt``, ...), as
    published; lines are ``video_validation_0000901  6.2 7.8`` with two blanks after the name. A
    video is ``{id}.mp4``. What the files hold, and what is done about it:

    - ``Ambiguous_val.txt`` is not a class: it lists parts that nobody could label, which the
      official evaluation takes out. Labels that are not positive are unknown there.
    - Videos that are in no other file (``video_test_0001292``) have no sample.
    - Every CliffDiving is in ``Diving_val.txt`` as well, with the same times: two labels.
    - Some segments lie past the end of the video, and the files have no durations. With
      ``duration_file``, such segments are cut; without it, the videos are opened if that is needed
      (``units='window'`` and ``'point'``).

    Args:
        ann_file: Folder of the text files, relative to ``data_root``.
        data_prefix: ``video``: folder of the videos.
        duration_file: JSON of durations, ``{"video_test_0000004": {"duration": 33.7}}``.
        **kwargs: See :class:`BaseSegmentDataset` and :class:`BaseVideoDataset`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import THUMOS14Dataset
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ('CliffDiving', 'Diving'):
        ...         file = Path(folder, f'{name}_val.txt')
        ...         _ = file.write_text('video_validation_0000002  1.0 2.5\n')
        ...     data = THUMOS14Dataset(folder, units='segment')
        >>> data.metainfo['classes'], data.get_data_info(0)['label'].tolist()
        (['cliff diving', 'diving'], [1, 1])
    """

    DOWNLOAD = (
        'get the videos and TH14_Temporal_annotations_*.zip from '
        'https://www.crcv.ucf.edu/THUMOS14/download.html and put their files there, or correct '
        'data_root, ann_file, duration_file or data_prefix'
    )
    #: What follows the name of the class in the name of its file.
    SUFFIXES = ('_val', '_test')
    AMBIGUOUS = 'Ambiguous'

    def __init__(
        self,
        ann_file: str = 'annotations_val',
        data_prefix: Mapping[str, str] = dict(video='videos/val'),
        duration_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.duration_file = duration_file
        super().__init__(ann_file=ann_file, data_prefix=data_prefix, **kwargs)

    def required_paths(self) -> dict[str, str]:
        """The folders, and the file of durations."""
        paths = super().required_paths()
        paths['annotation folder'] = paths.pop('annotation file')
        if self.duration_file:
            paths['duration file'] = self.resolve(self.duration_file)
        return paths

    def read_timelines(self) -> list[Timeline]:
        """One timeline for each video, sorted by id."""
        durations = self._durations()
        files = class_files(self.ann_file, self.SUFFIXES)
        names = [name for name in files if name != self.AMBIGUOUS]
        self.classes_source = [self.label_of(name) for name in names]
        segments: dict[str, list[Segment]] = defaultdict(list)
        where_of: dict[str, str] = {}
        for name in names:
            for where, video, start, end in read_class_file(files[name]):
                segments[video].append(Segment((self.label_of(name),), start, end))
                where_of.setdefault(video, where)
        unclear: dict[str, list[tuple[float, float]]] = defaultdict(list)
        if self.AMBIGUOUS in files:
            for _, video, start, end in read_class_file(files[self.AMBIGUOUS]):
                unclear[video].append((start, end))
        name_of = VideoNames(self.data_prefix.get('video', ''))
        return [
            Timeline(
                video=name_of(f'{video}.mp4'),
                segments=segments[video],
                duration=durations.get(video),
                ambiguous=unclear[video],
                video_id=video,
                where=where_of[video],
            )
            for video in sorted(segments)
        ]

    def _durations(self) -> dict[str, float]:
        if not self.duration_file:
            return {}
        path = self.resolve(self.duration_file)
        form = '{"video_test_0000004": {"duration": seconds}, ...}'
        durations = {}
        for video, entry in expect(read_json(path), dict, path, form).items():
            where = place(path, video)
            duration = item(expect(entry, dict, where, form), 'duration', object, where)
            durations[video] = seconds(duration, where, 'duration')
        return durations

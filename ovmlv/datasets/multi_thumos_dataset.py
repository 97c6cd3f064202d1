"""MultiTHUMOS (Yeung et al., IJCV 2017) from its official files or the common JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ovmlv.errors import DataError, shown
from ovmlv.files import read_json
from ovmlv.registry import DATASETS

from .base_segment_dataset import BaseSegmentDataset
from .cells import expect, item, place, seconds, span, whole_number
from .formats.official_files import ClassNames, read_class_names
from .formats.thumos_files import class_files, read_class_file
from .segments import Segment, Timeline
from .subsets import Subset
from .video_names import VideoNames

# The subsets of the JSON and how their videos are called.
SUBSETS = {'training': 'video_validation_', 'testing': 'video_test_'}


@DATASETS.register_module()
class MultiTHUMOSDataset(BaseSegmentDataset):
    r"""65 actions in the 413 videos of THUMOS14, 1.5 of them at a time on average.

    Reads the published folder of text files (``annotations/BaseballPitch.txt`` with lines
    ``video_validation_0000901 6.2 7.8``) or ``multithumos.json`` of Piergiovanni and Ryoo's
    super-events, the form that most code uses (``{"video_test_0000004": {"subset": "testing",
    "duration": 33.7, "actions": [[12, 18.6, 24.8], ...]}}``), and ``class_list.txt`` (``1
    BaseballPitch``). A video is ``{id}.mp4``. What the files hold:

    - Class ids start at 1.
    - Both subsets are in the same files: ``training`` is the validation set of THUMOS14.
    - 65 segments end after the video (one by 200 s) and 7 have start >= end.
    - The text files have no durations, so windows and time points need the videos.

    The per-frame protocol is ``units='point', stride=...`` with :class:`FrameLevelMetric`: every
    time point is a sample, and a segment does not hold at its very start and end (as in
    super-events). Published numbers differ in the frame rate; state yours.

    Args:
        ann_file: Folder of the text files, or the JSON, relative to ``data_root``.
        class_file: ``class_list.txt``, relative to ``data_root``.
        data_prefix: ``video``: folder of the videos, of both subsets or of the one that is read.
        subset: ``training``, ``testing`` or ``all``.
        **kwargs: See :class:`BaseSegmentDataset` and :class:`BaseVideoDataset`.

    Examples:
        >>> import json, tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import MultiTHUMOSDataset
        >>> video = dict(subset='training', duration=4.0, actions=[[2, 1.0, 3.0]])
        >>> text = json.dumps(dict(video_validation_0000051=video))
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'a.json').write_text(text)
        ...     _ = Path(root, 'classes.txt').write_text('1 GolfSwing\n2 BodyTurn\n')
        ...     data = MultiTHUMOSDataset('a.json', 'classes.txt', data_root=root)
        >>> data.metainfo['classes'], data.get_data_info(0)['label'].tolist()
        (['golf swing', 'body turn'], [0, 1])
    """

    CLOSED_ENDS = False
    DOWNLOAD = (
        'get multithumos.zip from http://ai.stanford.edu/~syyeung/everymoment.html and the videos '
        'from https://www.crcv.ucf.edu/THUMOS14/download.html and put their files there, or '
        'correct data_root, ann_file, class_file or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'annotations',
        class_file: str = 'class_list.txt',
        data_prefix: Mapping[str, str] = dict(video='videos'),
        subset: str = 'training',
        **kwargs: Any,
    ) -> None:
        self._subset = Subset('MultiTHUMOSDataset', subset, tuple(SUBSETS))
        self.class_file, self.subset = class_file, subset
        super().__init__(ann_file=ann_file, data_prefix=data_prefix, **kwargs)

    def required_paths(self) -> dict[str, str]:
        """The paths of any data set, and the class file."""
        paths = {**super().required_paths(), 'class file': self.resolve(self.class_file)}
        if not self.ann_file.endswith('.json'):
            paths['annotation folder'] = paths.pop('annotation file')
        return paths

    def read_timelines(self) -> list[Timeline]:
        """One timeline for each video of the subset."""
        names = read_class_names(self.resolve(self.class_file))
        classes = ClassNames(names, [self.label_of(name) for name in names], self.class_file)
        self.classes_source = list(classes.labels)
        self._name_of = VideoNames(self.data_prefix.get('video', ''))
        read = self._read_json if self.ann_file.endswith('.json') else self._read_folder
        timelines = read(classes)
        if not timelines:
            raise DataError(f'{self.ann_file}: no video of the subset {self.subset!r}')
        return timelines

    def _read_json(self, classes: ClassNames) -> list[Timeline]:
        timelines = []
        form = '{id: {"subset", "duration", "actions": [[class, start, end]]}}'
        for video, entry in expect(read_json(self.ann_file), dict, self.ann_file, form).items():
            where = place(self.ann_file, video)
            expect(entry, dict, where, form)
            wanted = self._subset.has(item(entry, 'subset', str, where), where)
            duration = seconds(item(entry, 'duration', object, where), where, 'duration')
            segments = []
            for action in item(entry, 'actions', list, where):
                if len(expect(action, list, where, form)) != 3:
                    raise DataError(f'{where}: action {shown(action)} is not [class, start, end]')
                index = whole_number(action[0], where, 'class', minimum=1) - 1
                segments.append(
                    Segment((classes.by_index(index, where),), *span(action[1:], where))
                )
            if wanted:
                path = self._name_of(f'{video}.mp4')
                timelines.append(Timeline(path, segments, duration, (), video, where))
        return timelines

    def _read_folder(self, classes: ClassNames) -> list[Timeline]:
        segments: dict[str, list[Segment]] = defaultdict(list)
        where_of: dict[str, str] = {}
        files = class_files(self.ann_file, ('',))
        for name in classes.names:
            if name not in files:
                raise DataError(f'{self.ann_file}: no file {shown(name + ".txt")}; {self.DOWNLOAD}')
            for where, video, start, end in read_class_file(files[name]):
                segments[video].append(Segment((classes.by_name(name, where),), start, end))
                where_of.setdefault(video, where)
        timelines = []
        for video in sorted(segments):
            head = video.rpartition('_')[0] + '_'
            subset = next((s for s, prefix in SUBSETS.items() if head == prefix), head)
            if self._subset.has(subset, where_of[video]):
                path = self._name_of(f'{video}.mp4')
                timelines.append(Timeline(path, segments[video], None, (), video, where_of[video]))
        return timelines

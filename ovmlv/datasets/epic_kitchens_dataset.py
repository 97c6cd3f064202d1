"""EPIC-KITCHENS-100 (Damen et al., IJCV 2022) from its official files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ovmlv.errors import DataError, shown
from ovmlv.registry import DATASETS
from ovmlv.tables import read_csv_rows

from .base_segment_dataset import BaseSegmentDataset
from .cells import seconds, whole_number
from .formats.official_files import spoken
from .label_axes import AxisLabels, check_axes
from .segments import Segment, Timeline
from .video_names import VideoNames

TIMES = ('narration_id', 'participant_id', 'video_id', 'start_timestamp', 'stop_timestamp')


@DATASETS.register_module()
class EPICKitchensDataset(BaseSegmentDataset):
    r"""700 videos of kitchens seen from the head, 90,000 segments with verb and nouns.

    Reads ``EPIC_100_train.csv``, ``EPIC_100_validation.csv`` or the test timestamps (no labels:
    unknown) and the class files ``EPIC_100_verb_classes.csv`` (97) and
    ``EPIC_100_noun_classes.csv`` (300). The axis ``kind`` of ``class_attributes`` says which label
    is a verb, a noun or an action. Known traps:

    - ``all_noun_classes`` is a Python list as text; one in six segments has several nouns, some of
      them twice. All are labels; ``noun_class``, the first, makes the action.
    - Some ``narration_timestamp`` are empty; times are ``hh:mm:ss.ff``.
    - Class files are CRLF without a final newline or LF with everything quoted, by release.
    - Names are keys: ``turn-on`` is "turn on", ``board:chopping`` "chopping board". Six words are
      both verb and noun; the noun then has its category: "water (drinks)".
    - Segments overlap, and most of a video is in none.

    Args:
        ann_file: The csv of segments.
        verb_file: The csv of verb classes, relative to ``data_root``.
        noun_file: The csv of noun classes.
        info_file: ``EPIC_100_video_info.csv`` with durations, so that segments are cut at the end
            of the video, and the files need not be opened for windows.
        axes: Kinds of labels: ``verb``, ``noun``, ``action`` ("take plate"). There is no official
            list of actions, so these are the actions of ``ann_file`` and ``action_files``, in the
            order of their ids.
        action_files: Further csv files whose actions get columns; give training and validation
            data the same set of files.
        file_format: Form of the path of a video, from ``{participant}`` and ``{video}``.
        units: See :class:`BaseSegmentDataset`.
        **kwargs: See :class:`BaseSegmentDataset` and :class:`BaseVideoDataset`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import EPICKitchensDataset
        >>> row = dict(narration_id='n1', participant_id='P01', video_id='P01_11')
        >>> row |= dict(start_timestamp='00:00:01.5', stop_timestamp='00:01:02.5')
        >>> row |= dict(verb_class='0', noun_class='0', all_noun_classes='[0]')
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'a.csv').write_text(f'{",".join(row)}\n{",".join(row.values())}\n')
        ...     _ = Path(root, 'verbs.csv').write_text('id,key,category\n0,turn-on,access\n')
        ...     _ = Path(root, 'nouns.csv').write_text('id,key,category\n0,tap,appliances\n')
        ...     data = EPICKitchensDataset('a.csv', 'verbs.csv', 'nouns.csv', data_root=root)
        >>> data.metainfo['classes'], data.get_data_info(0)['segment']
        (['turn on', 'tap'], (1.5, 62.5))
    """

    DOWNLOAD = (
        'get the csv files at https://github.com/epic-kitchens/epic-kitchens-100-annotations and '
        'the videos by its download scripts, or correct data_root, ann_file, verb_file, noun_file '
        'or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'EPIC_100_validation.csv',
        verb_file: str = 'EPIC_100_verb_classes.csv',
        noun_file: str = 'EPIC_100_noun_classes.csv',
        info_file: str | None = None,
        axes: Sequence[str] = ('verb', 'noun'),
        action_files: Sequence[str] = (),
        file_format: str = '{participant}/videos/{video}.MP4',
        units: str = 'segment',
        **kwargs: Any,
    ) -> None:
        self.axes = check_axes(type(self).__name__, axes)
        self.class_files = dict(verb=verb_file, noun=noun_file)
        self.info_file, self.action_files = info_file, tuple(action_files)
        self.file_format = file_format
        super().__init__(ann_file=ann_file, units=units, **kwargs)

    def required_paths(self) -> dict[str, str]:
        """The paths of any data set, and the class files."""
        paths = super().required_paths()
        files = {f'{kind} class file': file for kind, file in self.class_files.items()}
        files.update((f'action {i} file', file) for i, file in enumerate(self.action_files, 1))
        if self.info_file is not None:
            files['video info file'] = self.info_file
        return {**paths, **{what: self.resolve(file) for what, file in files.items()}}

    def read_timelines(self) -> list[Timeline]:
        """The segments of each video; videos are in the order of the file."""
        rows = list(read_csv_rows(self.ann_file, TIMES))
        labels = self._labels(rows)
        self.classes_source = labels.labels
        self.file_attributes = dict(kind=labels.kind_of)
        durations = self._durations()
        name_of = VideoNames(self.data_prefix.get('video', ''))
        timelines: dict[str, Timeline] = {}
        for where, row in rows:
            video = row['video_id']
            if video not in timelines:
                path = self.file_format.format(participant=row['participant_id'], video=video)
                timelines[video] = Timeline(
                    name_of(path),
                    segments=[],
                    duration=durations.get(video),
                    video_id=video,
                    where=where,
                )
            start, end = (_seconds(row[k], where) for k in TIMES[3:])
            keys, known = _classes(row, where), 'verb_class' in row
            extra = dict(narration_id=row['narration_id'], narration=row.get('narration', ''))
            timelines[video].segments.append(
                # A test file says nothing about labels.
                Segment(labels.some(*keys), start, end, None if known else (), extra)
            )
        return list(timelines.values())

    def _labels(self, rows: Sequence[tuple[str, dict[str, str]]]) -> AxisLabels:
        """The vocabulary of the chosen kinds; the classes of every row are checked."""
        tables: dict[str, dict[int, dict[str, str]]] = {}
        for kind, file in self.class_files.items():
            path = self.resolve(file)
            required = ('id', 'key', 'category')
            table: dict[int, dict[str, str]] = {}
            tables[kind] = table
            for where, row in read_csv_rows(path, required):
                if table.setdefault(whole_number(row['id'], where, 'id'), row) is not row:
                    raise DataError(f'{where}: the id {row["id"]} stands twice; remove one')
        names: dict[str, dict[object, str]] = {
            kind: {i: row['key'] for i, row in sorted(table.items())}
            for kind, table in tables.items()
        }
        others = [r for file in self.action_files for r in read_csv_rows(self.resolve(file), TIMES)]
        pairs = set()
        for where, row in [*rows, *others]:
            for kind, key in _classes(row, where):
                if kind == 'action':
                    pairs.add(key)
                elif key not in names[kind]:
                    raise DataError(
                        f'{where}: {kind} class {key} is not in {self.class_files[kind]}'
                    )
        names['action'] = {
            pair: f'{spoken(names["verb"][pair[0]])} {spoken(names["noun"][pair[1]])}'
            for pair in sorted(pairs)
        }
        hints: dict[str, dict[object, str]] = {
            kind: {i: r['category'] for i, r in t.items()} for kind, t in tables.items()
        }
        return AxisLabels({axis: names[axis] for axis in self.axes}, hints)

    def _durations(self) -> Mapping[str, float]:
        if self.info_file is None:
            return {}
        rows = read_csv_rows(self.resolve(self.info_file), ('video_id', 'duration'))
        return {row['video_id']: seconds(row['duration'], where, 'duration') for where, row in rows}


def _classes(row: Mapping[str, str], where: str) -> list[tuple[str, Any]]:
    """Kind and key of every class of a row; there are none for the test set."""
    if 'verb_class' not in row:
        return []
    cells = [row.get(column, '') for column in ('verb_class', 'noun_class', 'all_noun_classes')]
    if not re.fullmatch(r'\[\s*(?:\d+(?:\s*,\s*\d+)*\s*,?\s*)?\]', cells[2], re.ASCII):
        raise DataError(
            f'{where}: verb_class, noun_class and all_noun_classes are {shown(cells)}, not 0, 2 '
            'and [2, 5]; restore the published file'
        )
    verb, noun = (whole_number(c, where, k) for c, k in zip(cells, ('verb_class', 'noun_class')))
    nouns = [
        whole_number(number, where, 'all_noun_classes') for number in re.findall(r'\d+', cells[2])
    ]
    nouns = list(dict.fromkeys([noun, *nouns]))
    return [('verb', verb), *(('noun', n) for n in nouns), ('action', (verb, noun))]


def _seconds(cell: str, where: str) -> float:
    """``00:17:47.56`` in seconds."""
    parts = re.fullmatch(r'(\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d*)?)', cell.strip(), re.ASCII)
    if not parts:
        raise DataError(f'{where}: time {shown(cell)} is not hh:mm:ss.ff')
    return int(parts[1]) * 3600 + int(parts[2]) * 60 + float(parts[3])

"""RareAct (Miech et al., 2020) from its official file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ovmlv.errors import ConfigError, DataError, shown
from ovmlv.registry import DATASETS
from ovmlv.tables import read_csv_rows

from .base_segment_dataset import BaseSegmentDataset
from .cells import seconds, whole_number
from .label_axes import AxisLabels, check_axes
from .segments import Segment, Timeline
from .video_names import VideoNames

COLUMNS = ('id', 'video_id', 'start', 'end', 'class_id', 'verb', 'noun', 'annotation')
# Code -> whether verb, noun and their action are seen.
CODES = {
    '0': (False, False, False),
    '1': (True, True, True),
    '2': (True, False, False),
    '3': (False, True, False),
    '4': (True, True, False),  # both, but the verb is not done to the noun
}


@DATASETS.register_module()
class RareActDataset(BaseSegmentDataset):
    r"""A test set of unusual actions ("microwave phone"): 7,607 rated pairs of 10 s of video and
    one of 149 actions, from 905 videos.

    Reads ``rareact.csv``. Known traps:

    - ``annotation`` is a code, not a label: 1 positive; 2, 3, 4 hard negatives (only the verb, only
      the noun, or both without each other, are seen); 0 negative.
    - A row says something about one action alone, and the same clip can have several rows: they
      make one sample, whose labels without a row are unknown. If a clip is positive for an action,
      the official script takes it as negative for every other action, and so does this reader (with
      ``others='unknown'``, it does not).
    - The same pair of clip and action can have several rows; one positive is enough.
    - ``class_id`` is that of the action: columns are in its order, as the official script wants
      them. ``rows`` of a sample are the ids of its rows, for that script's table.

    Args:
        ann_file: The csv.
        axes: Kinds of labels: ``verb``, ``noun``, ``action``.
        others: Target of the other actions: ``negative`` or ``unknown``, see above.
        units: ``segment``: the rated clips. See :class:`BaseSegmentDataset`.
        **kwargs: See :class:`BaseSegmentDataset` and :class:`BaseVideoDataset`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import RareActDataset
        >>> rows = ['id,video_id,start,end,class_id,verb,noun,annotation', '0,a1,50,60,0,fry,hat,1']
        >>> rows += ['1,a1,50,60,1,iron,apple,0', '2,b2,0,10,1,iron,apple,3']
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'rareact.csv').write_text('\n'.join(rows))
        ...     data = RareActDataset(data_root=root)
        >>> data.metainfo['classes'], [data.get_data_info(i)['label'].tolist() for i in range(2)]
        (['fry hat', 'iron apple'], [[1, 0], [-1, 0]])
    """

    DOWNLOAD = (
        'get rareact.csv and the videos as https://github.com/antoine77340/RareAct says, or '
        'correct data_root, ann_file or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'rareact.csv',
        axes: Sequence[str] = ('action',),
        others: str = 'negative',
        units: str = 'segment',
        **kwargs: Any,
    ) -> None:
        if others not in ('negative', 'unknown'):
            raise ConfigError(f"RareActDataset: others={others!r} is not 'negative' or 'unknown'")
        self.axes, self.others = check_axes(type(self).__name__, axes), others
        super().__init__(ann_file=ann_file, units=units, **kwargs)

    def read_timelines(self) -> list[Timeline]:
        """The rated clips of each video, in the order of the file."""
        rows = list(read_csv_rows(self.ann_file, COLUMNS))
        labels = self._labels(rows)
        self.classes_source = labels.labels
        self.file_attributes = dict(kind=labels.kind_of)
        clips: dict[tuple[str, float, float], list[tuple[str, dict[str, str]]]] = {}
        for where, row in rows:
            start, end = (seconds(row[k], where, k) for k in ('start', 'end'))
            key = row['video_id'], start, end
            clips.setdefault(key, []).append((where, row))
        name_of = VideoNames(self.data_prefix.get('video', ''))
        timelines: dict[str, Timeline] = {}
        for (video, start, end), rated in clips.items():
            if video not in timelines:
                timelines[video] = Timeline(
                    name_of(f'{video}.mp4'), segments=[], video_id=video, where=rated[0][0]
                )
            timelines[video].segments.append(self._segment(start, end, rated, labels))
        return list(timelines.values())

    def _labels(self, rows: Sequence[tuple[str, dict[str, str]]]) -> AxisLabels:
        names: dict[str, dict[object, str]] = dict(verb={}, noun={}, action={})
        for where, row in sorted(rows, key=lambda r: _class_id(*r)):
            key, action = _class_id(where, row), f'{row["verb"]} {row["noun"]}'
            if names['action'].setdefault(key, action) != action:
                raise DataError(
                    f'{where}: class_id {key} is {action!r} here and {names["action"][key]!r} '
                    'elsewhere; restore the published file'
                )
            for kind in ('verb', 'noun'):
                names[kind][row[kind]] = row[kind]
        for kind in ('verb', 'noun'):
            names[kind] = dict(sorted(names[kind].items()))
        return AxisLabels({axis: names[axis] for axis in self.axes})

    def _segment(
        self,
        start: float,
        end: float,
        rated: Sequence[tuple[str, dict[str, str]]],
        labels: AxisLabels,
    ) -> Segment:
        """A clip with all its ratings; a positive one wins."""
        seen: dict[str, bool] = {}
        sure = False
        for where, row in rated:
            if row['annotation'] not in CODES:
                raise DataError(
                    f'{where}: annotation {shown(row["annotation"])} is not 0, 1, 2, 3 or 4'
                )
            keys = dict(verb=row['verb'], noun=row['noun'], action=_class_id(where, row))
            for kind, value in zip(keys, CODES[row['annotation']], strict=True):
                label = labels.get(kind, keys[kind])
                if label is not None:
                    seen[label] = seen.get(label, False) or value
            sure = sure or row['annotation'] == '1'
        if sure and self.others == 'negative':
            for label, kind in labels.kind_of.items():
                if kind == 'action':
                    seen.setdefault(label, False)
        return Segment(
            labels=tuple(label for label, value in seen.items() if value),
            start=start,
            end=end,
            negatives=tuple(label for label, value in seen.items() if not value),
            extra=dict(rows=[row['id'] for _, row in rated]),
        )


def _class_id(where: str, row: Mapping[str, str]) -> int:
    return whole_number(row['class_id'], where, 'class_id')

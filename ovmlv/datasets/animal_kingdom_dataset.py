"""Animal Kingdom, action recognition (Ng et al., CVPR 2022), from its official files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from ovmlv.errors import ConfigError, DataError
from ovmlv.registry import DATASETS

from .annotation import VideoAnnotation
from .base_class_file_dataset import BaseClassFileDataset
from .official_files import ClassNames, open_text, read_csv_rows
from .xlsx import read_sheet

# Columns of id, name, and attributes (axis -> column), by workbook.
_CLASS_SHEETS = (
    ('index', 'action', dict(frequency='segment', category='action_category')),  # df_action.xlsx
    ('Label', 'Action', dict(category='Category')),  # sheet Action of AR_metadata.xlsx
)


@DATASETS.register_module()
class AnimalKingdomDataset(BaseClassFileDataset):
    """30,100 clips of animals with one or several of 140 actions.

    Reads the sheet ``AR`` of ``AR_metadata.xlsx`` (or the same rows as csv), and the frame lists
    ``train.csv`` / ``val.csv``, of which the first row of each clip counts. Known traps:

    - ``labels`` is text such as ``2,40``, in no order; a single label may be stored as a number.
    - ``list_animal_action`` is a Python list as text, and may name more pairs than there are
      labels: the labels count, the pairs are kept as ``animal_actions``.
    - The two class sheets write names in different cases ("Holding Hands", "Holding hands"): as
      words they are in lower case. Neither is sorted by id.
    - The frame lists are separated by blanks, their header says ``original_vido_id``, and all
      frames of a clip have its labels.

    ``class_attributes`` has the axis ``category`` (of the action) and, from ``df_action.xlsx``,
    ``frequency`` (head, middle, tail).

    Args:
        ann_file: The workbook, csv or frame list.
        class_file: ``df_action.xlsx``, a workbook with the sheet ``Action``, or another class file.
            None: the sheet ``Action`` of ``ann_file``.
        subset: ``train``, ``test`` or ``all`` of the workbook; frame lists have one each.
        file_format: Path of a clip, from ``{id}``.
        kwargs: See :class:`BaseClassFileDataset` and :class:`BaseVideoDataset`.
    """

    DOWNLOAD = (
        'request the data set by the form at https://github.com/sutdcv/Animal-Kingdom, or correct '
        'data_root, ann_file, class_file or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'AR_metadata.xlsx',
        class_file: str | None = None,
        subset: str = 'train',
        file_format: str = '{id}.mp4',
        **kwargs: Any,
    ) -> None:
        if subset not in ('train', 'test', 'all'):
            raise ConfigError(
                f"AnimalKingdomDataset: subset={subset!r} is not 'train', 'test' or 'all'"
            )
        self.subset, self.file_format = subset, file_format
        super().__init__(ann_file, class_file, **kwargs)

    def class_names(self) -> list[str]:
        """Names of the class sheet in the order of their ids."""
        path = self.ann_file if self.class_file is None else self.resolve(self.class_file)
        self.file_attributes = {}
        if not path.endswith('.xlsx'):
            return super().class_names()
        rows = read_sheet(path, 'Action' if self.class_file is None else None)
        if self.class_file is not None and 'video_id' in rows[0][1]:
            rows = read_sheet(path, 'Action')
        columns = next((c for c in _CLASS_SHEETS if {*c[:2]} <= set(rows[0][1])), None)
        if columns is None:
            raise DataError(
                f'{path}: no columns index, action or Label, Action; use df_action.xlsx'
            )
        index, name, axes = columns
        rows.sort(key=lambda row: int(row[1][index]))
        if [int(row[index]) for _, row in rows] != list(range(len(rows))):
            raise DataError(f'{path}: ids do not count from 0 without gaps')
        self.file_attributes = {
            axis: {self.label_of(row[name].strip()): row[column] for _, row in rows}
            for axis, column in axes.items()
        }
        return [row[name].strip() for _, row in rows]

    def read_samples(self, classes: ClassNames) -> Iterator[VideoAnnotation]:
        """Clips of the subset."""
        for where, video, cell, extra in self._rows():
            numbers = [v.strip() for v in cell.split(',') if v.strip()]
            if not all(v.isdecimal() for v in numbers):
                raise DataError(f'{where}: labels {cell!r} are not ids as "2,40"')
            yield VideoAnnotation(
                self.file_format.format(id=video),
                labels=[classes.by_index(int(v), where) for v in numbers],
                video_id=video,
                where=where,
                extra=extra,
            )

    def _rows(self) -> Iterator[tuple[str, str, str, dict]]:
        """``where``, video, labels and further entries."""
        if self.ann_file.endswith('.xlsx'):
            rows: Iterable[tuple[str, dict[str, str]]] = read_sheet(self.ann_file, 'AR')
        elif self._is_frame_list():
            yield from _frame_list(self.ann_file)
            return
        else:
            rows = read_csv_rows(self.ann_file, ('video_id', 'type', 'labels'))
        for where, row in rows:
            if self.subset in ('all', row['type']):
                extra = dict(animal_actions=row.get('list_animal_action', ''))
                yield where, row['video_id'], row['labels'], extra

    def _is_frame_list(self) -> bool:
        with open_text(self.ann_file) as file:
            return file.readline().startswith('original_vido_id ')


def _frame_list(path: str) -> Iterator[tuple[str, str, str, dict]]:
    """The first frame of each clip of a list ``original_vido_id video_id frame_id path labels``."""
    seen: set[str] = set()
    with open_text(path) as file:
        reader = csv.DictReader(file, delimiter=' ')
        for row in reader:
            video, labels = row['original_vido_id'], row.get('labels')
            if labels is None:
                raise DataError(f'{path}:{reader.line_num}: the row has not 5 fields')
            if video not in seen:
                seen.add(video)
                yield f'{path}:{reader.line_num}', video, labels.strip('"'), {}

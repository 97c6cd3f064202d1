"""Animal Kingdom, action recognition (Ng et al., CVPR 2022), from its official files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ovmlv.errors import DataError, shown
from ovmlv.files import read_lines
from ovmlv.registry import DATASETS
from ovmlv.tables import read_csv_rows

from .annotation import VideoAnnotation
from .base_class_file_dataset import BaseClassFileDataset
from .cells import whole_number
from .formats.official_files import ClassNames
from .formats.xlsx import read_sheet
from .subsets import Subset
from .video_names import VideoNames


@DATASETS.register_module()
class AnimalKingdomDataset(BaseClassFileDataset):
    r"""30,100 clips of animals with one or several of 140 actions.

    Reads the sheet ``AR`` of ``AR_metadata.xlsx`` (or the same rows as csv), and the frame lists
    ``train.csv`` / ``val.csv``, of which the first row of each clip counts. Known traps:

    - ``labels`` is text such as ``2,40``, in no order; a single label may be stored as a number.
    - ``list_animal_action`` is a Python list as text, now and then of strings rather than pairs,
      and may name more pairs than there are labels: the labels count, and the list is kept as
      ``animal_actions``.
    - ``df_action.xlsx`` has other ids than the sheet ``Action`` of ``AR_metadata.xlsx`` for six
      actions (49, 50, 81 to 84), and the action names beside the labels agree with the sheet. So
      names come from the sheet alone; ``df_action.xlsx`` gives frequencies, by name.
    - The two files write names in different cases ("Holding Hands", "Holding hands"): as words they
      are in lower case. Neither file is sorted by id, and the sheet lacks one id (a formula that
      failed): it is the one that no other action has.
    - The frame lists are separated by blanks, their header says ``original_vido_id``, and all
      frames of a clip have its labels.

    ``class_attributes`` has the axis ``category`` (of the action) and, with ``frequency_file``,
    ``frequency`` (head, middle, tail).

    Args:
        ann_file: The workbook, csv or frame list.
        class_file: A workbook with the sheet ``Action``, or another class file. None takes that
            sheet of ``ann_file``.
        frequency_file: ``df_action.xlsx``.
        subset: ``train``, ``test`` or ``all`` of the workbook; a frame list has one subset.
        file_format: Form of the path of a clip, from ``{id}``.
        **kwargs: See :class:`BaseClassFileDataset` and :class:`BaseVideoDataset`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import AnimalKingdomDataset
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'a.csv').write_text('video_id,type,labels\nAAACX07E,train,"2,0"\n')
        ...     _ = Path(root, 'actions.txt').write_text('Eating\nMoving\nGliding\n')
        ...     data = AnimalKingdomDataset('a.csv', 'actions.txt', data_root=root)
        >>> data.metainfo['classes'], data.get_data_info(0)['label'].tolist()
        (['eating', 'moving', 'gliding'], [1, 0, 1])
    """

    DOWNLOAD = (
        'request the data set by the form at https://github.com/sutdcv/Animal-Kingdom, or correct '
        'data_root, ann_file, class_file or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'AR_metadata.xlsx',
        class_file: str | None = None,
        frequency_file: str | None = None,
        subset: str = 'train',
        file_format: str = '{id}.mp4',
        **kwargs: Any,
    ) -> None:
        self._subset = Subset('AnimalKingdomDataset', subset, ('train', 'test'))
        self.subset, self.file_format = subset, file_format
        self.frequency_file = frequency_file
        super().__init__(ann_file, class_file, **kwargs)

    def required_paths(self) -> dict[str, str]:
        """The paths of any data set, the class file, and the file of frequencies."""
        paths = super().required_paths()
        if self.frequency_file is not None:
            paths['frequency file'] = self.resolve(self.frequency_file)
        return paths

    def class_names(self) -> list[str]:
        """Names of the class sheet in the order of their ids."""
        path = self.ann_file if self.class_file is None else self.resolve(self.class_file)
        self.file_attributes = {}
        if path.endswith('.xlsx'):
            rows = _class_sheet(path)
            names = [row['Action'].strip() for row in rows]
            category = {self.label_of(n): r['Category'] for n, r in zip(names, rows, strict=True)}
            self.file_attributes['category'] = category
        else:
            names = super().class_names()
        if self.frequency_file is not None:
            table = read_sheet(self.resolve(self.frequency_file), None, ('action', 'segment'))
            rows = [row for _, row in table]
            of_name = {row['action'].strip().lower(): row['segment'] for row in rows}
            self.file_attributes['frequency'] = {
                self.label_of(name): of_name.get(name.lower(), 'other') for name in names
            }
        return names

    def label_of(self, name: str) -> str:
        """The label of a name; names are words already, so only the case changes."""
        return name.lower() if self.label_style == 'words' else name

    def read_samples(self, classes: ClassNames) -> Iterator[VideoAnnotation]:
        """Clips of the subset."""
        name_of = VideoNames(self.data_prefix.get('video', ''))
        for where, video, cell, extra in self._rows():
            numbers = [v.strip() for v in cell.split(',') if v.strip()]
            if not all(v.isdecimal() for v in numbers):
                raise DataError(f'{where}: labels {shown(cell)} are not ids as "2,40"')
            yield VideoAnnotation(
                name_of(self.file_format.format(id=video)),
                labels=[classes.by_index(whole_number(v, where, 'label'), where) for v in numbers],
                video_id=video,
                where=where,
                extra=extra,
            )

    def _rows(self) -> Iterator[tuple[str, str, str, dict]]:
        """``where``, video, labels and further entries."""
        columns = ('video_id', 'type', 'labels')
        if self.ann_file.endswith('.xlsx'):
            rows: Iterable[tuple[str, dict[str, str]]] = read_sheet(self.ann_file, 'AR', columns)
        elif self._is_frame_list():
            yield from _frame_list(self.ann_file)
            return
        else:
            rows = read_csv_rows(self.ann_file, columns)
        for where, row in rows:
            if self._subset.has(row['type'], where):
                extra = dict(animal_actions=row.get('list_animal_action', ''))
                yield where, row['video_id'], row['labels'], extra

    def _is_frame_list(self) -> bool:
        first = next(iter(read_lines(self.ann_file)), '')
        return first.startswith('original_vido_id ')


def _class_sheet(path: str) -> list[dict[str, str]]:
    """Rows of the sheet ``Action`` in the order of their ids."""
    table = read_sheet(path, 'Action', ('Label', 'Action', 'Category'))
    known: dict[int, dict[str, str]] = {}
    rest = []
    for where, row in table:
        if not row['Label'].isdecimal():
            rest.append(row)
        elif known.setdefault(whole_number(row['Label'], where, 'Label'), row) is not row:
            raise DataError(f'{where}: the id {row["Label"]} stands twice; restore the sheet')
    free = sorted(set(range(len(table))) - set(known))
    if len(rest) > 1 or len(free) != len(rest):
        raise DataError(f'{path}: the ids of the sheet Action do not count from 0 without gaps')
    known.update(zip(free, rest, strict=True))
    return [known[i] for i in range(len(table))]


def _frame_list(path: str) -> Iterator[tuple[str, str, str, dict]]:
    """The first frame of each clip of a list ``original_vido_id video_id frame_id path labels``."""
    seen: set[str] = set()
    for where, row in read_csv_rows(path, ('original_vido_id', 'labels'), ' '):
        video = row['original_vido_id']
        if video not in seen:
            seen.add(video)
            yield where, video, row['labels'].strip('"'), {}

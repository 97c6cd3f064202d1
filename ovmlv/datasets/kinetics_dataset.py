"""Kinetics-400 / 600 / 700 (Kay et al., 2017) from their official files or MMAction2's lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ovmlv.labels import clean_label
from ovmlv.registry import DATASETS
from ovmlv.tables import read_csv_rows

from .annotation import VideoAnnotation
from .base_class_file_dataset import BaseClassFileDataset
from .cells import seconds, whole_number
from .formats.official_files import ClassNames
from .video_names import VideoNames


@DATASETS.register_module()
class KineticsDataset(BaseClassFileDataset):
    r"""Clips of 10 s from YouTube with one of 400 (600, 700) actions each.

    Reads the official csv (``label,youtube_id,time_start,time_end,split[,is_cc]``) and lists
    (``path label``, ids from 0; ``ZS_split1_K600_eval.txt`` of the zero-shot protocols is one).
    Known traps:

    - Labels with blanks are quoted in K400, but not in K600; the test files have no label column,
      so every label is unknown there.
    - Ids may start with ``-`` or look like numbers. Clips are named ``{id}_{start}_{end}`` with six
      digits for each time; the start is not a part of the id (one video can give two clips).
    - K600 has both ``passing American football (in game)`` and ``passing american football (not in
      game)``: labels keep their case.
    - In lists of a part of the classes (base, novel, zero-shot) ids start at 0 again: give the
      class file that belongs to the list.
    - Some lists have CRLF.

    With ``synthetic_labels`` (see :class:`BaseVideoDataset`), there are generated labels beside the
    single one; they are unknown in clips that they were not generated for. Rows of their file name
    clips by the path that ``file_format`` gives.

    Args:
        ann_file: The csv or list.
        class_file: Names of the classes (one name a line, or ``id,name``). Without it, a csv has
            the classes of its rows.
        file_format: Form of the path of a clip of the csv, from ``{clip}``
            (``{id}_{start:06d}_{end:06d}``), ``{id}``, ``{label}``, ``{label_}`` (with ``_`` for
            blanks) and ``{split}``. If the folder has the clip with another suffix, that file is
            taken.
        label_style: See :class:`BaseClassFileDataset`; the official names are words already.
        **kwargs: See :class:`BaseVideoDataset`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import KineticsDataset
        >>> rows = 'label,youtube_id,time_start,time_end,split\nyodeling,-0a_b-CdE1E,417,427,val\n'
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'val.csv').write_text(rows)
        ...     data = KineticsDataset('val.csv', data_root=root)
        >>> data.metainfo['classes'], data.get_data_info(0)['video_id']
        (['yodeling'], '-0a_b-CdE1E_000417_000427')
    """

    DOWNLOAD = (
        'get annotations and videos by https://github.com/cvdfoundation/kinetics-dataset, or '
        'correct data_root, ann_file, class_file or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'kinetics-400_val.csv',
        class_file: str | None = None,
        file_format: str = '{clip}.mp4',
        label_style: str = 'official',
        **kwargs: Any,
    ) -> None:
        self.file_format = file_format
        super().__init__(ann_file, class_file, label_style, **kwargs)

    def class_names(self) -> list[str]:
        """The classes; without a class file, those of a csv's rows, sorted."""
        if self.class_file is not None or not self.ann_file.endswith('.csv'):
            return super().class_names()
        rows = read_csv_rows(self.ann_file, ('label',))
        names = {clean_label(row['label'], f'{where}: label') for where, row in rows}
        return sorted(names)

    def read_samples(self, classes: ClassNames) -> Iterator[VideoAnnotation]:
        """The rows of the csv, or the lines of the list."""
        read = self._csv_samples if self.ann_file.endswith('.csv') else self.list_samples
        return read(classes)

    def _csv_samples(self, classes: ClassNames) -> Iterator[VideoAnnotation]:
        required = ('youtube_id', 'time_start', 'time_end', 'split')
        name_of = VideoNames(self.data_prefix.get('video', ''))
        for where, row in read_csv_rows(self.ann_file, required):
            start, end = (seconds(row[k], where, k) for k in ('time_start', 'time_end'))
            # Clips are named by whole seconds: 12.2 and 12.7 would be one file.
            clip = '{}_{:06d}_{:06d}'.format(
                row['youtube_id'],
                whole_number(start, where, 'time_start'),
                whole_number(end, where, 'time_end'),
            )
            name = row.get('label')
            fields: dict[str, Any] = dict(clip=clip, id=row['youtube_id'], split=row['split'])
            fields.update(label=name, label_=(name or '').replace(' ', '_'))
            yield VideoAnnotation(
                name_of(self.file_format.format(**fields)),
                labels=() if name is None else (classes.by_name(name, where),),
                negatives=() if name is None else None,  # a test file: nothing is known
                video_id=clip,
                where=where,
                extra=dict(youtube_id=row['youtube_id'], time=(start, end), split=row['split']),
            )

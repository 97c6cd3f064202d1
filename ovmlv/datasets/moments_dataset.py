"""Moments in Time and Multi-Moments in Time (Monfort et al., TPAMI 2019 / 2021)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from ovmlv.errors import DataError, shown
from ovmlv.registry import DATASETS
from ovmlv.tables import read_csv_lists

from .annotation import VideoAnnotation
from .base_class_file_dataset import BaseClassFileDataset
from .cells import whole_number
from .formats.official_files import ClassNames


@DATASETS.register_module()
class MomentsDataset(BaseClassFileDataset):
    r"""Clips of 3 s: a million with one of 305 (v1: 339) classes, or with several of 292 (v1: 313).

    Reads ``trainingSet.csv`` / ``validationSet.csv``. Single label:
    ``class/clip.mp4,class,votes,votes``; Multi-Moments: ``folder/clip.mp4,id,id,...``. The second
    field tells them apart. Known traps:

    - There is no header, and the number of columns of Multi-Moments changes from row to row.
    - ``+`` stands for a blank in names and in paths, ``/`` joins synonyms: as words,
      ``snuggling/cuddling/hugging`` is "snuggling or cuddling or hugging".
    - The class lists of v1 and v2 differ in size and order: ids mean nothing without theirs.
    - The labels of Multi-Moments are not exhaustive: ``missing='unknown'`` trains only on
      confirmed labels.

    Args:
        ann_file: The csv.
        class_file: ``moments_categories.txt`` (``name,id``) or ``category_momentsv2.txt`` (one name
            a line); for Multi-Moments, ``mmit_categories.txt`` or ``category_multi_momentsv2.txt``.
        **kwargs: See :class:`BaseClassFileDataset` and :class:`BaseVideoDataset`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import MomentsDataset
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'val.csv').write_text('folder/a.mp4,2,0\n')
        ...     _ = Path(root, 'classes.txt').write_text('petting/stroking\nhumming\ndunking\n')
        ...     data = MomentsDataset('val.csv', 'classes.txt', data_root=root)
        >>> data.metainfo['classes'], data.get_data_info(0)['label'].tolist()
        (['petting or stroking', 'humming', 'dunking'], [1, 0, 1])
    """

    DOWNLOAD = (
        'request the data set at http://moments.csail.mit.edu, or correct data_root, ann_file, '
        'class_file or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'validationSet.csv',
        class_file: str = 'moments_categories.txt',
        **kwargs: Any,
    ) -> None:
        super().__init__(ann_file, class_file, **kwargs)

    def read_samples(self, classes: ClassNames) -> Iterator[VideoAnnotation]:
        """The rows of the csv."""
        for where, (video, *cells) in read_csv_lists(self.ann_file):
            cells = [cell.strip() for cell in cells if cell.strip()]
            if not cells:
                raise DataError(f'{where}: no label behind {shown(video)}')
            if cells[0].isdecimal():
                ids = [whole_number(cell, where, 'class id') for cell in cells]
                labels = [classes.by_index(i, where) for i in ids]
            else:
                labels = [classes.by_name(cells[0], where)]
            yield VideoAnnotation(
                video,
                labels=labels,
                video_id=posixpath.splitext(video)[0],
                where=where,
            )

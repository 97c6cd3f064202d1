"""UCF101 (Soomro et al., 2012) from its official split files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from ovmlv.errors import DataError, shown
from ovmlv.registry import DATASETS

from .annotation import VideoAnnotation
from .base_class_file_dataset import BaseClassFileDataset
from .formats.annotation_files import read_list_lines
from .formats.official_files import ClassNames


@DATASETS.register_module()
class UCF101Dataset(BaseClassFileDataset):
    r"""13,320 clips of 101 actions, with three splits.

    Reads ``trainlist01.txt`` (``Class/v_Class_g08_c01.avi 1``), ``testlist01.txt`` (no labels) and
    lists without folders (``v_Class_g01_c01.avi 0``). Known traps:

    - The lists have CRLF.
    - Ids start at 1 in the official lists, at 0 in those without folders, and are absent in the
      test lists. So the label is that of the folder (or of the file name, if there is none), and an
      id that does not agree is an error.
    - The folder ``HandstandPushups`` has files named ``v_HandStandPushups_...``.
    - Names are CamelCase; as words they are "apply eye makeup".

    Args:
        ann_file: A train or test list.
        class_file: ``classInd.txt`` (``1 ApplyEyeMakeup``), or a file with one name a line.
        **kwargs: See :class:`BaseClassFileDataset` and :class:`BaseVideoDataset`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import UCF101Dataset
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'list.txt').write_text('YoYo/v_YoYo_g08_c01.avi 2\n')
        ...     _ = Path(root, 'classInd.txt').write_text('1 ApplyEyeMakeup\n2 YoYo\n')
        ...     data = UCF101Dataset('list.txt', 'classInd.txt', data_root=root)
        >>> data.metainfo['classes'], data.get_data_info(0)['label'].tolist()
        (['apply eye makeup', 'yo yo'], [0, 1])
    """

    DOWNLOAD = (
        'get UCF101.rar and UCF101TrainTestSplits-RecognitionTask.zip from '
        'https://www.crcv.ucf.edu/data/UCF101.php, or correct data_root, ann_file, class_file or '
        'data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'ucfTrainTestlist/testlist01.txt',
        class_file: str = 'ucfTrainTestlist/classInd.txt',
        **kwargs: Any,
    ) -> None:
        super().__init__(ann_file, class_file, **kwargs)

    def read_samples(self, classes: ClassNames) -> Iterator[VideoAnnotation]:
        """The lines of the list."""
        for where, video, numbers in read_list_lines(self.ann_file):
            folder, name = posixpath.split(video)
            parts = re.fullmatch(r'v_(\w+)_g\d+_c\d+', posixpath.splitext(name)[0])
            if not folder and not parts:
                raise DataError(f'{where}: {shown(video)} is not "Class/v_Class_g01_c01.avi"')
            index = classes.index(posixpath.basename(folder) or (parts[1] if parts else ''), where)
            first = 1 if folder else 0
            if numbers and numbers != [index + first]:
                raise DataError(
                    f'{where}: label {" ".join(map(str, numbers))} is not that of class '
                    f'{classes.names[index]!r} ({index + first}); use the class file of the '
                    'same release'
                )
            yield VideoAnnotation(
                video,
                labels=(classes.labels[index],),
                video_id=posixpath.splitext(name)[0],
                where=where,
            )

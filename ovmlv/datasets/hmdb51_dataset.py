"""HMDB51 (Kuehne et al., ICCV 2011) from its official split files."""

from __future__ import annotations

import os.path as osp
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ovmlv.errors import ConfigError, DataError, shown
from ovmlv.registry import DATASETS

from .annotation import VideoAnnotation
from .base_class_file_dataset import BaseClassFileDataset
from .formats.annotation_files import read_list_lines
from .formats.official_files import ClassNames

# The number behind a clip in the official files.
SUBSETS = dict(unused=0, train=1, test=2)
_PROPERTIES = r'_[fhlu]_(?:cm|nm)_np\d'


@DATASETS.register_module()
class HMDB51Dataset(BaseClassFileDataset):
    r"""6,766 clips of 51 actions; each of three splits has 70 clips of a class for training and 30
    for testing.

    Reads the official folder with a file for each class and split
    (``brush_hair_test_split1.txt``: ``clip.avi 1``, where 0 is unused, 1 training and 2 testing)
    and derived lists (``[class/]clip.avi label`` with labels from 0; ``class/clip frames label``
    for raw frames). Known traps:

    - Lines of the official files end in a blank.
    - File names hold ``!``, ``(``, ``)``, ``#``, ``[``, ``]``, ``+``, ``&`` and ``;``: they are no
      patterns for ``glob`` and no shell words.
    - The official lines name no class; the file that they are in does.
    - Class files differ in their order: "kick ball", "kick" (20, 21) and "sword exercise", "sword"
      (44, 45) of some are the other way round in others. With the wrong file, an id of a list does
      not agree with the name of its clip (``..._kick_f_cm_np1_ba_med_5.avi``), which is an error.
    - Names have ``_`` for blanks; as words they are "brush hair".

    Args:
        ann_file: The folder of the official files, or a list.
        subset: ``train`` or ``test``, for the official files.
        split: 1, 2 or 3, for the official files.
        class_file: File with one name a line or ``id,name``; not needed for the official files.
        **kwargs: See :class:`BaseClassFileDataset` and :class:`BaseVideoDataset`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import HMDB51Dataset
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, 'jump_test_split1.txt').write_text('a.avi 1 \nb.avi 2 \n')
        ...     _ = Path(folder, 'kick_ball_test_split1.txt').write_text('c.avi 2 \nd.avi 0 \n')
        ...     data = HMDB51Dataset(folder, subset='test')
        >>> data.metainfo['classes'], [data.get_data_info(i)['filename'] for i in range(2)]
        (['jump', 'kick ball'], ['jump/b.avi', 'kick_ball/c.avi'])
    """

    DOWNLOAD = (
        'get hmdb51_org.rar and test_train_splits.rar from '
        'https://serre.lab.brown.edu/hmdb51.html, or correct data_root, ann_file, class_file or '
        'data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'testTrainMulti_7030_splits',
        subset: str = 'test',
        split: int = 1,
        class_file: str | None = None,
        **kwargs: Any,
    ) -> None:
        if subset not in ('train', 'test') or split not in (1, 2, 3):
            raise ConfigError(
                f"HMDB51Dataset: subset={subset!r} must be 'train' or 'test' and split={split!r} "
                '1, 2 or 3'
            )
        self.subset, self.split = subset, split
        super().__init__(ann_file, class_file, **kwargs)

    def required_paths(self) -> dict[str, str]:
        """The paths of any data set; the annotations may be a folder."""
        paths = super().required_paths()
        if osp.isdir(self.ann_file) or not osp.splitext(self.ann_file)[1]:
            paths = {'annotation folder': paths.pop('annotation file'), **paths}
        return paths

    def class_names(self) -> list[str]:
        """The classes; without a class file, those for which the folder has a file, sorted."""
        if self.class_file is not None or not osp.isdir(self.ann_file):
            return super().class_names()
        names = sorted(path.name[: -len(self._suffix)] for path in self._split_files())
        if not names:
            raise DataError(
                f'{self.ann_file}: no file named *{self._suffix}; unpack test_train_splits.rar '
                'there'
            )
        return names

    def read_samples(self, classes: ClassNames) -> Iterator[VideoAnnotation]:
        """Clips of the split, class after class, or the lines of the list."""
        if osp.isdir(self.ann_file):
            for path in self._split_files():
                yield from self._official(path, classes)
            return
        for where, video, numbers in read_list_lines(self.ann_file):
            if len(numbers) not in (1, 2):
                raise DataError(f'{where}: expected "clip.avi label" or "clip frames label"')
            label = classes.by_index(numbers[-1], where)
            name = classes.names[numbers[-1]].replace(' ', '_')
            # Clips are named "{title}_{class}_{body part}_{camera motion}_np{people}_...".
            if re.search(_PROPERTIES, video) and not re.search(
                f'_{re.escape(name)}{_PROPERTIES}', video
            ):
                raise DataError(
                    f'{where}: label {numbers[-1]} is {shown(name)} in {classes.path}, which is '
                    'not the class in the name of the clip; use the class file that belongs to '
                    'this list'
                )
            yield VideoAnnotation(
                video if len(numbers) == 1 else f'{video}.avi',
                labels=(label,),
                video_id=_stem(video),
                where=where,
            )

    @property
    def _suffix(self) -> str:
        return f'_test_split{self.split}.txt'

    def _split_files(self) -> list[Path]:
        folder = Path(self.ann_file)
        return sorted(path for path in folder.iterdir() if path.name.endswith(self._suffix))

    def _official(self, path: Path, classes: ClassNames) -> Iterator[VideoAnnotation]:
        """The clips of one class that are in the subset."""
        name = path.name[: -len(self._suffix)]
        label = classes.by_name(name, str(path))
        for where, video, numbers in read_list_lines(str(path)):
            if len(numbers) != 1 or numbers[0] not in SUBSETS.values():
                raise DataError(f'{where}: expected "clip.avi 0", 1 or 2')
            if numbers[0] == SUBSETS[self.subset]:
                yield VideoAnnotation(
                    f'{name}/{video}', labels=(label,), video_id=_stem(video), where=where
                )


def _stem(video: str) -> str:
    name = posixpath.basename(video)
    return name[:-4] if name.lower().endswith('.avi') else name

"""Common part of data sets of whole clips whose classes are in a file of their own."""

from __future__ import annotations

import posixpath
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from ovmlv.errors import ConfigError, DataError

from .annotation import VideoAnnotation
from .base_video_dataset import BaseVideoDataset
from .formats.annotation_files import read_list_lines
from .formats.official_files import ClassNames, load_class_names, read_class_names, spoken


class BaseClassFileDataset(BaseVideoDataset):
    """Clips with one label or several of a class file. A reader derives from it and gives its
    samples in :meth:`read_samples`.

    Args:
        ann_file: See :class:`BaseVideoDataset`.
        class_file: Names and ids of the classes, relative to ``data_root``; the forms are those of
            :func:`~ovmlv.datasets.formats.official_files.read_class_names`. None if the
            annotations name their classes, which are then sorted.
        label_style: Style of the names: ``words`` as they are said (``brush_hair`` becomes "brush
            hair", see :func:`~ovmlv.datasets.formats.official_files.spoken`); ``official`` as the
            file writes them.
        **kwargs: See :class:`BaseVideoDataset`.
    """

    def __init__(
        self,
        ann_file: str,
        class_file: str | None = None,
        label_style: str = 'words',
        **kwargs: Any,
    ) -> None:
        name = type(self).__name__
        if label_style not in ('words', 'official'):
            raise ConfigError(
                f"{name}: label_style={label_style!r} is not one of 'words', 'official'"
            )
        if kwargs.get('classes') is not None:
            raise ConfigError(
                f'{name}: classes come from class_file; leave classes out (to take some of them, '
                'use label_split and label_set)'
            )
        self.class_file, self.label_style = class_file, label_style
        super().__init__(ann_file=ann_file, **kwargs)

    @abstractmethod
    def read_samples(self, classes: ClassNames) -> Iterable[VideoAnnotation]:
        """Read the annotation file; labels come from ``classes``."""

    def class_names(self) -> list[str]:
        """Classes in the order of their ids; without a class file, those of the annotations."""
        if self.class_file is None:
            raise ConfigError(
                f'{type(self).__name__}: {self.ann_file} has ids of classes; give class_file'
            )
        return read_class_names(self.resolve(self.class_file))

    def read_annotations(self) -> list[VideoAnnotation]:
        """All samples; the classes become the vocabulary."""
        path = self.class_file or self.ann_file
        classes = load_class_names(path, self.label_of, self.class_names())
        self.classes_source = list(classes.labels)
        samples = list(self.read_samples(classes))
        if not samples:
            raise DataError(f'{self.ann_file}: no sample in this annotation file')
        return samples

    def list_samples(self, classes: ClassNames) -> Iterator[VideoAnnotation]:
        """Samples of a list ``path label``, with ids from 0."""
        for where, video, numbers in read_list_lines(self.ann_file):
            if len(numbers) != 1:
                raise DataError(f'{where}: expected "path label" with one label index')
            yield VideoAnnotation(
                video,
                labels=(classes.by_index(numbers[0], where),),
                video_id=posixpath.splitext(posixpath.basename(video))[0],
                where=where,
            )

    def label_of(self, name: str) -> str:
        """The label of a class name."""
        return spoken(name) if self.label_style == 'words' else name

    def required_paths(self) -> dict[str, str]:
        """The paths of any data set, and the class file."""
        paths = super().required_paths()
        if self.class_file is not None:
            paths['class file'] = self.resolve(self.class_file)
        return paths

"""Common part of all video data sets: vocabulary, targets, and unreadable videos."""

from __future__ import annotations

import os.path as osp
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.fileio import join_path
from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError, DataError
from ovmlv.labels import (
    LabelAttributes,
    LabelVocabulary,
    clean_label,
    load_label_attributes,
    load_labels,
    unlisted_label_error,
)
from ovmlv.labels.files import rename_labels

from .annotation import VideoAnnotation
from .sparse_targets import dense_targets, label_prior
from .synthetic_labels import add_synthetic_labels
from .video_failures import (
    READ_ERRORS,
    FailureFlags,
    UnreadableVideoError,
    black_frames,
    describe_failure,
    run_until_frames,
)

# How many neighbours are tried for the frame size of the black frames that stand in for a video.
_SHAPE_PROBES = 8


class BaseVideoDataset(BaseDataset):
    """Videos with labels. A reader derives from it and implements :meth:`read_annotations`.

    After initialisation ``metainfo`` holds ``classes`` (the columns of the targets),
    ``class_attributes`` (axis -> value of each class) and ``label_prior`` (share of positives
    among the known targets of each class). Before the pipeline a sample is a dict with
    ``filename``, ``video_id``, ``label`` (int64 ``(C,)`` of {1, 0, -1}), ``segment`` (if it has
    one), ``sample_idx``, ``start_index``, ``modality`` and what the reader adds.

    Labels outside ``label_set`` have no column, so they reach training neither as positives nor as
    negatives; a video whose labels are all outside is a video without positives.

    mmengine's ``ConcatDataset`` wants equal metainfo of its parts: give the parts the same
    ``classes`` and it ``ignore_keys=['label_prior']``.

    Args:
        ann_file: Annotation file, relative to ``data_root``.
        data_root: Root folder.
        data_prefix: ``video``: folder of the video files, relative to ``data_root``.
        pipeline: Transforms.
        classes: The vocabulary: a list or a file, see :func:`~ovmlv.labels.load_labels`. By default
            the labels of ``label_split``, else those of the annotations, sorted.
        label_split: Split (seen, unseen, ...) and other attributes of the labels; see
            :func:`~ovmlv.labels.load_label_attributes`.
        label_set: Labels that become columns: ``all``, a split (``seen`` for training) or several,
            or ``dict(split='seen', kind='action')``.
        unlisted: What to do with labels that are in no vocabulary: ``raise`` or ``drop``.
        missing: Target of a label that a sample does not mention: ``negative`` or ``unknown``.
        drop_unlabeled: Whether to leave out samples without a positive among the columns.
        synthetic_labels: Generated labels, trained on beside those of ``label_set``; see
            :meth:`.SyntheticLabels.load`.
        on_error: What to do with a video that cannot be read: ``replace`` it by a random sample,
            ``report`` it (black frames, flagged ``broken``, so that metrics count it), or
            ``raise``. By default ``report`` in test mode and ``replace`` otherwise.
        max_refetch: Number of replacements to try for one sample.
        test_mode: Whether this is validation or test data.
        metainfo: Further meta information; ``classes`` in it serves as ``classes``.
        **kwargs: Further arguments of :class:`mmengine.dataset.BaseDataset`.

    Examples:
        >>> from ovmlv.datasets.annotation import VideoAnnotation
        >>> class OneVideo(BaseVideoDataset):
        ...     def read_annotations(self):
        ...         return [VideoAnnotation('a.mp4', labels=['running', 'a dog'])]
        >>> dataset = OneVideo(ann_file='')  # it reads no file
        >>> dataset.metainfo['classes']
        ['a dog', 'running']
    """

    #: Says where to get the data, at the end of "not found" messages.
    DOWNLOAD = 'correct ann_file, data_root or data_prefix'

    #: axis -> label -> value, where the annotation files say so (EPIC-Kitchens: verb, noun); set
    #: by :meth:`read_annotations`. ``label_split`` goes before it.
    file_attributes: LabelAttributes = {}

    #: Other names of labels that ``label_split`` may use (Charades: ids); set there, too.
    label_aliases: Mapping[str, str] = {}

    def __init__(
        self,
        ann_file: str,
        data_root: str = '',
        data_prefix: Mapping[str, str] = dict(video=''),
        pipeline: Sequence[dict | Callable] = (),
        classes: str | Sequence[str] | None = None,
        label_split: str | Mapping | None = None,
        label_set: str | Sequence[str] | Mapping = 'all',
        unlisted: str = 'raise',
        missing: str = 'negative',
        drop_unlabeled: bool = False,
        synthetic_labels: str | Mapping[str, Any] | None = None,
        on_error: str | None = None,
        max_refetch: int = 10,
        test_mode: bool = False,
        metainfo: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        name = type(self).__name__
        on_error = on_error or ('report' if test_mode else 'replace')
        for key, value, allowed in (
            ('unlisted', unlisted, ('raise', 'drop')),
            ('missing', missing, ('negative', 'unknown')),
            ('on_error', on_error, ('replace', 'report', 'raise')),
        ):
            if value not in allowed:
                raise ConfigError(f'{name}: {key}={value!r} is not one of {", ".join(allowed)}')
        if test_mode and on_error == 'replace':
            raise ConfigError(
                f"{name}: on_error='replace' in test mode would leave samples out of the "
                "metrics; use 'report' or 'raise'"
            )
        metainfo = dict(metainfo or {})
        self.classes_source = metainfo.pop('classes', None) if classes is None else classes
        self.label_split, self.label_set = label_split, label_set
        self.unlisted, self.missing, self.drop_unlabeled = unlisted, missing, drop_unlabeled
        self.synthetic_labels = synthetic_labels
        self.on_error = on_error
        self._frame_shape: tuple[int, int] | None = None
        super().__init__(
            ann_file=ann_file,
            data_root=data_root,
            data_prefix=dict(data_prefix),
            pipeline=list(pipeline),
            test_mode=test_mode,
            max_refetch=max_refetch,
            metainfo=metainfo,
            **kwargs,
        )

    def read_annotations(self) -> list[VideoAnnotation]:
        """Read the annotation files; all labels as strings, whatever ``label_set`` is."""
        raise NotImplementedError

    def resolve(self, path: str) -> str:
        """A path that is relative to ``data_root``."""
        return path if osp.isabs(path) or not self.data_root else osp.join(self.data_root, path)

    def full_init(self) -> None:
        """Read, encode, and compute ``label_prior`` of what ``indices`` leaves."""
        if self._fully_initialized:
            return
        super().full_init()
        self.failures = FailureFlags(len(self))

    def load_data_list(self) -> list[dict]:
        """Turn annotations into sample dicts, and set ``classes`` and ``class_attributes``."""
        self.check_files()
        annotations = self.read_annotations()
        if not annotations:
            raise DataError(f'{self.ann_file}: no sample in this annotation file')
        vocabulary = self._build_vocabulary(annotations)
        classes = vocabulary.select(self.label_set)
        self._metainfo['classes'] = classes
        self._metainfo['class_attributes'] = vocabulary.attribute_columns(classes)
        column = {label: i for i, label in enumerate(classes)}
        data_list = [self._encode(a, vocabulary, column) for a in annotations]
        if self.synthetic_labels:
            source, root = self.synthetic_labels, self.data_root or ''
            add_synthetic_labels(
                source, root, data_list, annotations, self._metainfo, vocabulary.labels
            )
        return data_list

    def filter_data(self) -> list[dict]:
        """Apply ``drop_unlabeled`` and ``indices``, then take the label prior of what remains."""
        data_list = self.data_list  # type: ignore[has-type]  # of mmengine, like _indices
        if self.drop_unlabeled:
            data_list = [d for d in data_list if len(d['positive'])]
            if not data_list:
                raise DataError(f'{self.ann_file}: drop_unlabeled=True leaves no sample')
        if (indices := self._indices) is not None:  # type: ignore[has-type]
            self.data_list, self._indices = data_list, None
            data_list = self._get_unserialized_subset(indices)
        self._metainfo['label_prior'] = self._label_prior(data_list)
        return data_list

    def get_data_info(self, idx: int) -> dict:
        """The sample's dict with dense targets ``label`` ``(C,)``."""
        data = super().get_data_info(idx)
        label = dense_targets(data, len(self._metainfo['classes']))
        return dict(data, label=label)

    def get_cat_ids(self, idx: int) -> list[int]:
        """Columns of the positive labels, for class-balanced sampling."""
        return np.flatnonzero(self.get_data_info(idx)['label'] == 1).tolist()

    def __getitem__(self, idx: int) -> dict:
        """The sample after the pipeline; see ``on_error`` for videos that cannot be read."""
        self.full_init()
        replaced: list[str] = []
        for _ in range(self.max_refetch + 1):
            try:
                frames, done = self._read(idx)
            except UnreadableVideoError as error:
                replaced.append(str(error))
                idx = self._rand_another()
                continue
            if replaced and frames is not None:
                frames['replaced'] = tuple(replaced)
            for transform in self.pipeline.transforms[done:]:
                frames = None if frames is None else transform(frames)
            if frames is not None:
                return frames
            filename = self.get_data_info(idx)['filename']
            if self.test_mode:
                raise DataError(f'{filename}: the test pipeline returned None for this sample')
            replaced.append(f'{filename} (the pipeline returned None)')
            idx = self._rand_another()
        raise DataError(
            f'{len(replaced)} samples in a row cannot be used (first: {replaced[0]}); check '
            'data_root, data_prefix and the videos'
        )

    def _read(self, idx: int) -> tuple[dict | None, int]:
        """Run the pipeline until there are frames.

        Errors are handled only here; what fails later is not a fault of the video.

        Returns:
            The data and the number of transforms applied.

        Raises:
            UnreadableVideoError: The video cannot be read and is to be replaced.
            DataError: The video cannot be read and ``on_error`` is ``raise``.
        """
        transforms = self.pipeline.transforms
        data = self.get_data_info(idx)
        filename = data['filename']
        try:
            frames, done = run_until_frames(transforms, data)
            if frames is not None and 'imgs' in frames:
                if not len(frames['imgs']):
                    raise UnreadableVideoError('no frame could be decoded')
                self._frame_shape = np.asarray(frames['imgs'][0]).shape[:2]
            return frames, done
        except READ_ERRORS as error:
            reason = describe_failure(error)
            # The traceback must not keep decord's reader: one that is alive when workers are forked
            # makes them abort, for its threads do not exist there.
            data.pop('video_reader', None)
            traceback.clear_frames(error.__traceback__)
        self._note_failure(idx, filename, reason)
        if self.on_error == 'raise':
            raise DataError(
                f'{filename} cannot be read ({reason}); repair or remove it, or set '
                "on_error='replace'"
            )
        if self.on_error == 'replace':
            raise UnreadableVideoError(f'{filename} ({reason})')
        # A fresh dict: the transforms may have changed the first one before they failed.
        frames, done = black_frames(transforms, self.get_data_info(idx), self._black_shape(idx))
        frames.update(broken=True, broken_reason=reason)
        return frames, done

    @property
    def num_broken(self) -> int:
        """Samples whose video could not be read so far, over all workers of this process."""
        self.full_init()
        return len(self.failures)

    def broken_videos(self) -> list[str]:
        """Files of those samples."""
        return [self.get_data_info(i)['filename'] for i in self.failures.indices()]

    def required_paths(self) -> dict[str, str]:
        """Files and folders that must exist: ``... file`` or ``... folder`` -> path."""
        paths = {'annotation file': self.ann_file}
        if self.pipeline.transforms:
            paths['video folder'] = self.data_prefix.get('video', '')
        return paths

    def check_files(self) -> None:
        """One clear line that names all that is missing, before anything is read."""
        missing = [
            f'{what} {path}'
            for what, path in self.required_paths().items()
            if path
            and '://' not in path
            and not (osp.isdir(path) if what.endswith('folder') else osp.isfile(path))
        ]
        if missing:
            raise DataError(
                f'{type(self).__name__}: {", ".join(missing)} not found; {self.DOWNLOAD}'
            )

    def _build_vocabulary(self, annotations: Sequence[VideoAnnotation]) -> LabelVocabulary:
        attributes: LabelAttributes = {}
        if self.label_split is not None:
            given = load_label_attributes(self.label_split, self.data_root or '')
            attributes = rename_labels(given, self.label_aliases)
        if self.classes_source is not None:
            labels = load_labels(self.classes_source, self.data_root or '')
        elif attributes:
            labels = list(
                dict.fromkeys(label for values in attributes.values() for label in values)
            )
        else:
            labels = sorted(
                {
                    label
                    for a in annotations
                    for label in (*a.labels, *a.unknown, *(a.negatives or ()))
                }
            )
            if not labels:
                raise DataError(f'{self.ann_file}: there is no label in it; give classes')
        known = set(labels)
        for axis, values in self.file_attributes.items():
            cleaned = ((clean_label(k, axis), v) for k, v in values.items())
            attributes.setdefault(axis, {k: v for k, v in cleaned if k in known})
        return LabelVocabulary(labels, attributes)

    def _encode(
        self, annotation: VideoAnnotation, vocabulary: LabelVocabulary, column: Mapping[str, int]
    ) -> dict:
        """A sample's dict with sparse targets; see :mod:`.sparse_targets`."""
        known = vocabulary.index

        def columns(labels: Sequence[str]) -> np.ndarray:
            for label in labels:
                if label not in known and self.unlisted == 'raise':
                    raise unlisted_label_error(
                        label, vocabulary.labels, annotation.where, ", or set unlisted='drop'"
                    )
            return np.array(sorted(column[v] for v in labels if v in column), dtype=np.int32)

        # Check every label, also where the row's other list is the one that is kept.
        positive, unknown = columns(annotation.labels), columns(annotation.unknown)
        negatives = columns(annotation.negatives or ())
        if annotation.negatives is not None or self.missing == 'unknown':
            default, other, value = -1, negatives, 0
        else:
            default, other, value = 0, unknown, -1
        data = dict(
            annotation.extra,
            filename=join_path(self.data_prefix.get('video', ''), annotation.video),
            video_id=annotation.video_id,
            positive=positive,
            other=other,
            other_value=value,
            default=default,
            start_index=0,
            modality='RGB',
        )
        if annotation.segment is not None:
            data['segment'] = annotation.segment
        return data

    def _label_prior(self, data_list: Sequence[dict]) -> list[float]:
        """Share of positives among known targets; a reader may know better."""
        return label_prior(data_list, len(self._metainfo['classes']))

    def _note_failure(self, idx: int, filename: str, reason: str) -> None:
        """Log each unreadable video once."""
        if self.failures.add(idx):
            MMLogger.get_current_instance().warning(
                f'video {filename} cannot be read ({reason}); on_error={self.on_error!r}, '
                f'{len(self.failures)} of {len(self)} so far'
            )

    def _black_shape(self, idx: int) -> tuple[int, int]:
        """Frame size of this data set: that of the last video read, or else of a neighbour."""
        for step in range(1, min(_SHAPE_PROBES + 1, len(self))):
            if self._frame_shape is not None:
                break
            try:
                frames, _ = run_until_frames(
                    self.pipeline.transforms, self.get_data_info((idx + step) % len(self))
                )
                self._frame_shape = cast(Any, np.asarray(cast(Any, frames)['imgs'][0]).shape[:2])
            except READ_ERRORS:
                continue
        return self._frame_shape or (256, 256)

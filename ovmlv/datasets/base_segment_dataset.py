"""Common part of data sets whose videos have labels with times."""

from __future__ import annotations

import dataclasses
import math
import os.path as osp
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.fileio import join_path
from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError, DataError

from .annotation import VideoAnnotation
from .base_video_dataset import BaseVideoDataset
from .cells import seconds, span
from .decoders import open_video
from .formats.official_files import spoken
from .segments import (
    Segment,
    SpanLabels,
    Timeline,
    even_times,
    held_at,
    label_matrix,
    sliding_windows,
)
from .video_failures import READ_ERRORS

UNITS = ('video', 'segment', 'window', 'point')


class BaseSegmentDataset(BaseVideoDataset):
    """Videos with labelled segments. A reader derives from it and gives its :class:`Timeline` of
    each video in :meth:`read_timelines`; everything about samples is done here.

    Segments that reach past the end of the video are cut there; if nothing of a segment remains, it
    is no sample. :attr:`statistics` counts what is odd.

    Args:
        ann_file: See :class:`BaseVideoDataset`.
        units: Kind of sample.

            - ``video``: a video, positive for every label of its segments, odd ones too.
            - ``segment``: an annotated segment, positive for its labels and every label that
              covers at least ``min_overlap`` of it; labels that cover less of it are unknown.
            - ``window``: a window of ``window`` seconds, one every ``stride`` seconds over the
              whole video, with labels as for a segment. Windows without labels are kept, since
              background is part of untrimmed video (``drop_unlabeled=True`` leaves them out).
            - ``point``: a time point with ``window`` seconds around it, for localisation: the
              labels are those of the point alone, so that mAP over samples is per-frame mAP. There
              are ``num_points`` in a video, or one every ``stride`` seconds.
        window: Length in seconds, see ``units``.
        stride: Seconds from one start to the next; for windows, by default ``window``.
        num_points: Number of evenly spaced time points of a video, the first at 0 (Charades: 25).
        min_overlap: Least share that a label must cover, see ``units``.
        overlap_of: What ``min_overlap`` is a share of: ``span`` means the sample; ``shorter`` means
            the sample or the label's segment, if that is shorter.
        inverted: Whether to ``drop`` or ``swap`` segments with start > end. Whole videos have their
            labels in any case, time points never.
        label_style: Style of class names: ``words`` as they are said (``CleanAndJerk`` becomes
            "clean and jerk", see :func:`~ovmlv.datasets.formats.official_files.spoken`);
            ``official`` as the files write them.
        **kwargs: See :class:`BaseVideoDataset`.

    Examples:
        >>> from ovmlv.datasets import BaseSegmentDataset, Segment, Timeline
        >>> class OneVideo(BaseSegmentDataset):
        ...     def read_timelines(self):
        ...         return [Timeline('a.mp4', [Segment(('jumping',), 0.0, 2.0)], duration=8.0)]
        >>> data = OneVideo(ann_file='', units='window', window=4.0)  # it reads no file
        >>> [(x['segment'], x['label'].tolist()) for x in map(data.get_data_info, range(2))]
        [((0.0, 4.0), [1]), ((4.0, 8.0), [0])]
    """

    #: Whether a segment holds at its very first and last moment (``units='point'``).
    CLOSED_ENDS = True

    def __init__(
        self,
        ann_file: str,
        units: str = 'video',
        window: float = 4.0,
        stride: float | None = None,
        num_points: int | None = None,
        min_overlap: float = 0.5,
        overlap_of: str = 'span',
        inverted: str = 'drop',
        label_style: str = 'words',
        **kwargs: Any,
    ) -> None:
        name = type(self).__name__
        for key, value, allowed in (
            ('units', units, UNITS),
            ('inverted', inverted, ('drop', 'swap')),
            ('overlap_of', overlap_of, ('span', 'shorter')),
            ('label_style', label_style, ('words', 'official')),
        ):
            if value not in allowed:
                raise ConfigError(f'{name}: {key}={value!r} is not one of {", ".join(allowed)}')
        if kwargs.get('classes') is not None:
            raise ConfigError(
                f'{name}: classes come from the official files; leave classes out (to take some '
                'of them, use label_split and label_set)'
            )
        if not 0 < min_overlap <= 1:
            raise ConfigError(f'{name}: min_overlap={min_overlap!r} must be in (0, 1]')
        if window <= 0 or (stride is not None and stride <= 0):
            raise ConfigError(
                f'{name}: window={window!r} and stride={stride!r} must be positive seconds'
            )
        if units == 'point' and (num_points is None) == (stride is None):
            raise ConfigError(f"{name}: units='point' needs either num_points or stride")
        self.units, self.inverted, self.label_style = units, inverted, label_style
        self.window, self.stride, self.num_points = window, stride, num_points
        self.min_overlap, self.overlap_of = min_overlap, overlap_of
        self.statistics: Counter[str] = Counter()
        super().__init__(ann_file=ann_file, **kwargs)

    def read_timelines(self) -> list[Timeline]:
        """Read the annotation files: every segment as the file has it, odd ones included; it sets
        :attr:`classes_source`.
        """
        raise NotImplementedError

    def label_of(self, name: str) -> str:
        """The label of a class name."""
        return spoken(name) if self.label_style == 'words' else name

    def read_annotations(self) -> list[VideoAnnotation]:
        """Samples of :attr:`units`; it also fills :attr:`statistics`."""
        self.statistics.clear()
        annotations = [a for t in self.read_timelines() for a in self._samples(t)]
        odd = {k: v for k, v in self.statistics.items() if k not in ('rows', 'segments') and v}
        MMLogger.get_current_instance().info(
            f'{self.ann_file}: {self.statistics["rows"]} videos, {self.statistics["segments"]} '
            f'segments, of these {", ".join(f"{k} {v}" for k, v in odd.items()) or "none odd"}'
        )
        return annotations

    def _samples(self, timeline: Timeline) -> list[VideoAnnotation]:
        self._check(timeline)
        self._count(timeline)
        common: dict[str, Any] = dict(
            video=timeline.video,
            video_id=timeline.video_id or osp.splitext(timeline.video)[0],
            where=timeline.where,
        )
        if self.units == 'video':
            labels = [label for s in timeline.segments for label in s.labels]
            return [
                VideoAnnotation(
                    labels=tuple(dict.fromkeys(labels)),
                    # What is absent from some segment may be elsewhere.
                    negatives=() if timeline.open_world else None,
                    extra={**timeline.extra, **timeline.video_extra},
                    **common,
                )
            ]
        if self.units == 'point':
            return self._points(timeline, common)
        usable = [s for s in (self._clip(s, timeline) for s in timeline.segments) if s]
        labels_of = SpanLabels(
            dataclasses.replace(timeline, segments=usable, partial=timeline.open_world),
            self.min_overlap,
            self.overlap_of,
        )
        if self.units == 'segment':
            spans = [(s.start, s.end, s.extra) for s in usable]
        else:
            windows = sliding_windows(self._duration(timeline), self.window, self.stride)
            spans = [(start, end, {}) for start, end in windows]
        return [
            VideoAnnotation(
                segment=(start, end),
                extra={**timeline.extra, **extra},
                **labels_of(start, end),  # type: ignore[arg-type]  # of the fields with those names
                **common,
            )
            for start, end, extra in spans
        ]

    def _points(self, timeline: Timeline, common: dict[str, Any]) -> list[VideoAnnotation]:
        """A sample for each time point, from its row of the label matrix."""
        duration = self._duration(timeline)
        if self.num_points is not None:
            times = even_times(duration, self.num_points)
        else:  # the end of the video excluded
            assert self.stride is not None  # one of the two is given
            times = np.arange(max(1, math.ceil(duration / self.stride - 1e-6))) * self.stride
        classes = list(
            dict.fromkeys(v for s in timeline.segments for v in (*s.labels, *(s.negatives or ())))
        )
        matrix = label_matrix(timeline, times, classes, self.CLOSED_ENDS)
        unclear = np.zeros(len(times), dtype=bool)
        for part in timeline.ambiguous:
            unclear |= held_at(times, *part, self.CLOSED_ENDS)
        samples = []
        for time, row, ambiguous in zip(times.tolist(), matrix, unclear, strict=True):
            start = max(0.0, time - self.window / 2)
            absent = [v for v, y in zip(classes, row, strict=True) if y == 0]
            samples.append(
                VideoAnnotation(
                    labels=tuple(v for v, y in zip(classes, row, strict=True) if y == 1),
                    negatives=() if ambiguous else tuple(absent) if timeline.open_world else None,
                    segment=(start, min(duration, time + self.window / 2)),
                    extra={**timeline.extra, 'time': time},
                    **common,
                )
            )
        return samples

    @staticmethod
    def _check(timeline: Timeline) -> None:
        """Refuse impossible times that a reader let pass: NaN would become 0, and a segment that
        starts before 0 would be cut to the start of the video.
        """
        for segment in timeline.segments:
            span((segment.start, segment.end), timeline.where)
        for part in timeline.ambiguous:
            span(part, timeline.where)
        if timeline.duration is not None:
            seconds(timeline.duration, timeline.where, 'duration')

    def _count(self, timeline: Timeline) -> None:
        """Enter a video into :attr:`statistics`."""
        segments: Sequence[Segment] = timeline.segments
        end = float('inf') if timeline.duration is None else timeline.duration
        names = [label for s in segments for label in s.labels]
        self.statistics.update(
            rows=1,
            segments=len(segments),
            without_actions=not segments,
            repeated_classes=len(names) - len(set(names)),
            past_end=sum(s.end > end for s in segments),
            inverted=sum(s.start > s.end for s in segments),
        )

    def _clip(self, segment: Segment, timeline: Timeline) -> Segment | None:
        """The part of a segment that lies in the video, or None."""
        start, end = segment.start, segment.end
        if start > end:
            if self.inverted == 'drop':
                self.statistics['dropped_inverted'] += 1
                return None
            start, end = end, start
        if start == end:
            self.statistics['dropped_empty'] += 1
            return None
        if timeline.duration is not None:
            end = min(end, timeline.duration)
        if end <= start:
            self.statistics['dropped_outside'] += 1
            return None
        return dataclasses.replace(segment, start=max(0.0, start), end=end)

    def _duration(self, timeline: Timeline) -> float:
        """The duration from the annotations, or else from the video file.

        A file that cannot be read has no windows or time points beyond its last segment; its
        samples are then replaced or reported as :attr:`on_error` says.
        """
        if timeline.duration is not None:
            return timeline.duration
        folder = self.data_prefix.get('video', '')
        path = join_path(folder, timeline.video)
        try:
            reader = open_video(path)
        except READ_ERRORS as error:
            last = max((s.end for s in timeline.segments), default=0.0)
            if self.on_error != 'raise' and last > 0 and osp.isdir(folder):
                self.statistics['without_duration'] += 1
                return last
            raise DataError(
                f'{timeline.where}: units={self.units!r} needs the duration of the video, which '
                f'is not in the annotations, and {path} cannot be read ({type(error).__name__}); '
                'give the file of durations, or repair the video'
            ) from None
        reader.close()
        return float(reader.times[-1, 1])

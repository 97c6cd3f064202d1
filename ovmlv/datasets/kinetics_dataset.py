"""Kinetics-400 / 600 / 700 (Kay et al., 2017) from their official files or MMAction2's lists."""

from __future__ import annotations

import os.path as osp
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ovmlv.errors import DataError
from ovmlv.registry import DATASETS

from .annotation import VideoAnnotation
from .annotation_files import read_annotation_file
from .base_class_file_dataset import BaseClassFileDataset
from .official_files import ClassNames, read_csv_rows


@DATASETS.register_module()
class KineticsDataset(BaseClassFileDataset):
    """Clips of 10 s from YouTube with one of 400 (600, 700) actions each.

    Reads the official csv (``label,youtube_id,time_start,time_end,split[,is_cc]``) and lists
    (``path label``, ids from 0; ``ZS_split1_K600_eval.txt`` of the zero-shot protocols is one).
    Known traps:

    - Labels with blanks are quoted in K400, but not in K600; the test files have no label column:
      then every label is unknown.
    - Ids may start with ``-`` or look like numbers. Clips are named ``{id}_{start}_{end}`` with six
      digits for each time; the start is no part of the id (one video can give two clips).
    - K600 has both ``passing American football (in game)`` and ``passing american football (not in
      game)``: labels keep their case.
    - In lists of a part of the classes (base, novel, zero-shot) ids start at 0 again: give the
      class file that belongs to the list.
    - Some lists have CRLF.

    With ``extra_labels`` the single label becomes one of several: a JSONL file (that of
    :class:`MultilabelVideoDataset`) with generated labels, joined by the name of the clip. What it
    says counts; labels that it does not mention are as ``missing`` says (the other classes of
    Kinetics are negative in any case, unless it says otherwise); and for clips without an entry all
    labels that only this file has are unknown, for nobody looked for them.

    Args:
        ann_file: The csv or list.
        class_file: Names of the classes (a name a line, or ``id,name``). A csv without it has the
            classes of its rows.
        file_format: Path of a clip of the csv, from ``{clip}`` (``{id}_{start:06d}_{end:06d}``),
            ``{id}``, ``{label}``, ``{label_}`` (with ``_`` for blanks) and ``{split}``.
        extra_labels: Generated labels, relative to ``data_root``.
        label_style: See :class:`BaseClassFileDataset`; the official names are words already.
        kwargs: See :class:`BaseVideoDataset`.
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
        extra_labels: str | None = None,
        label_style: str = 'official',
        **kwargs: Any,
    ) -> None:
        self.file_format, self.extra_labels = file_format, extra_labels
        super().__init__(ann_file, class_file, label_style, **kwargs)

    def required_paths(self) -> dict[str, str]:
        """Those of any data set, the class file, and that of generated labels."""
        paths = super().required_paths()
        if self.extra_labels is not None:
            paths['extra_labels file'] = self.resolve(self.extra_labels)
        return paths

    def class_names(self) -> list[str]:
        """The classes of a csv's rows, sorted."""
        if not self.ann_file.endswith('.csv'):
            return super().class_names()
        names = {row['label'] for _, row in read_csv_rows(self.ann_file, ('label',))}
        return sorted(names)

    def read_samples(self, classes: ClassNames) -> list[VideoAnnotation]:
        """The rows, with generated labels where there are some."""
        read = self._csv_samples if self.ann_file.endswith('.csv') else self.list_samples
        samples = list(read(classes))
        if self.extra_labels is None:
            return samples
        return self._with_extra_labels(samples, self.resolve(self.extra_labels))

    def _csv_samples(self, classes: ClassNames) -> Iterator[VideoAnnotation]:
        required = ('youtube_id', 'time_start', 'time_end', 'split')
        for where, row in read_csv_rows(self.ann_file, required):
            try:
                start, end = (float(row[k]) for k in ('time_start', 'time_end'))
                clip = f'{row["youtube_id"]}_{int(start):06d}_{int(end):06d}'
            except ValueError:
                raise DataError(
                    f'{where}: time_start {row["time_start"]!r} and time_end {row["time_end"]!r} '
                    'are not seconds'
                ) from None
            name = row.get('label')
            fields = dict(clip=clip, id=row['youtube_id'], split=row['split'])
            fields.update(label=name, label_=(name or '').replace(' ', '_'))
            yield VideoAnnotation(
                self.file_format.format(**fields),
                labels=() if name is None else (classes.by_name(name, where),),
                negatives=() if name is None else None,  # a test file: nothing is known
                video_id=clip,
                where=where,
                extra=dict(youtube_id=row['youtube_id'], time=(start, end), split=row['split']),
            )

    def _with_extra_labels(
        self, samples: list[VideoAnnotation], path: str
    ) -> list[VideoAnnotation]:
        """Join generated labels to the clips; they extend the vocabulary."""
        entries: dict[str, VideoAnnotation] = {}
        for entry in read_annotation_file(path):
            if entries.setdefault(_clip_name(entry.video), entry) is not entry:
                raise DataError(f'{entry.where}: a second row for {entry.video!r}; merge the rows')
        known = set(self.classes_source)
        generated = sorted(
            {v for e in entries.values() for v in (*e.labels, *e.unknown, *(e.negatives or ()))}
            - known
        )
        self.classes_source = [*self.classes_source, *generated]
        origin = {**dict.fromkeys(known, 'kinetics'), **dict.fromkeys(generated, 'generated')}
        self.file_attributes = dict(source=origin)
        if not any(sample.video_id in entries for sample in samples):
            raise DataError(
                f'{path}: no row is of a clip of {self.ann_file} (first: '
                f'{next(iter(entries), None)!r}); name clips as {samples[0].video_id!r}'
            )
        return [_merge(s, entries.get(s.video_id), known, generated) for s in samples]


def _merge(
    sample: VideoAnnotation,
    entry: VideoAnnotation | None,
    known: set[str],
    generated: list[str],
) -> VideoAnnotation:
    """A clip with its own label and those of ``entry``; its own one is sure."""
    if entry is None:
        return replace(sample, unknown=tuple(generated))
    labels = tuple(dict.fromkeys((*sample.labels, *entry.labels)))
    negatives = entry.negatives
    if negatives is not None:
        # The entry names what it knows to be absent; the other classes are absent anyway.
        absent = dict.fromkeys((*negatives, *sorted(known - set(entry.unknown))))
        negatives = tuple(v for v in absent if v not in labels)
    unknown = tuple(v for v in entry.unknown if v not in labels)
    return replace(sample, labels=labels, unknown=unknown, negatives=negatives)


def _clip_name(video: str) -> str:
    return osp.splitext(osp.basename(video))[0]

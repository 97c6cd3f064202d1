"""HVU, Holistic Video Understanding (Diba et al., ECCV 2020), from its official files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ovmlv.errors import ConfigError, DataError, shown
from ovmlv.files import read_json
from ovmlv.labels import clean_label
from ovmlv.registry import DATASETS
from ovmlv.tables import read_csv_rows

from .annotation import VideoAnnotation
from .base_class_file_dataset import BaseClassFileDataset
from .cells import expect, item, seconds, whole_number
from .video_names import VideoNames

COLUMNS = ('Tags', 'youtube_id', 'time_start', 'time_end')


@DATASETS.register_module()
class HVUDataset(BaseClassFileDataset):
    r"""3,142 tags of six categories (object, action, concept, scene, attribute, event) on 481,417
    training and 31,171 validation clips, 17 tags a clip on average.

    Reads ``HVU_{Train,Val}_V1.0.csv`` and ``HVU_Tags_Categories_V1.0.csv`` as published. A row is
    ``tag|tag|tag,youtube_id,time_start,time_end``. What the files hold, and what is done about it:

    - A clip without a tag of a category was not labelled for that category: all tags of it are
      *unknown* there (-1), not negative.
    - There are several clips of one video: ``video_id`` is the id with both times.
    - Ids may start with ``-``; tags write ``_`` for a blank.
    - There are clips of 10 s and of 2 s.

    The categories are the axis ``category`` of ``class_attributes``: ``label_set=dict(
    category='action')`` takes one of them, and :class:`MultilabelMetric` reports ``mAP_object``
    and the others.

    It also reads MMAction2's JSON of videos (``[{"filename": "a.mp4", "label": {"action": [2]}}]``)
    with its ``label_map.json`` as ``class_file``: there, an index counts within its category.

    Args:
        ann_file: The CSV or the JSON, relative to ``data_root``.
        class_file: ``HVU_Tags_Categories_V1.0.csv``, or MMAction2's ``label_map.json``.
        data_prefix: ``video``: folder of the videos.
        video_format: Form of the file name of a row, from ``{id}``, ``{start}`` and ``{end}`` (as
            written) and ``{start10}`` and ``{end10}`` (tenths of a second). The default is what
            MMAction2's download script writes. If the folder has the clip with another suffix, that
            file is taken.
        trimmed: Whether the files hold the clip alone. Otherwise its times are the ``segment``.
        **kwargs: See :class:`BaseClassFileDataset` and :class:`BaseVideoDataset`.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import HVUDataset
        >>> rows = 'Tags,youtube_id,time_start,time_end\nsky,a1,7.0,17.0\n'
        >>> tags = 'Tag,Category\nsky,object\ncup,object\nred,attribute\n'
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'a.csv').write_text(rows)
        ...     _ = Path(root, 'tags.csv').write_text(tags)
        ...     data = HVUDataset('a.csv', 'tags.csv', data_root=root)
        >>> data.metainfo['classes'], data.get_data_info(0)['label'].tolist()  # -1: unknown
        (['sky', 'cup', 'red'], [1, 0, -1])
    """

    DOWNLOAD = (
        'get HVU_Train_V1.0.zip, HVU_Val_V1.0.zip and HVU_Tags_Categories_V1.0.csv from '
        'https://github.com/holistic-video-understanding/HVU-Dataset and put their files there, or '
        'correct data_root, ann_file, class_file or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'HVU_Train_V1.0.csv',
        class_file: str = 'HVU_Tags_Categories_V1.0.csv',
        data_prefix: Mapping[str, str] = dict(video='videos_train'),
        video_format: str = '{id}_{start10:06d}_{end10:06d}.mp4',
        trimmed: bool = True,
        **kwargs: Any,
    ) -> None:
        try:
            video_format.format(id='', start='', end='', start10=0, end10=0)
        except (KeyError, ValueError, IndexError):
            raise ConfigError(
                f'HVUDataset: video_format={video_format!r} may use {{id}}, {{start}}, {{end}}, '
                '{start10} and {end10}'
            ) from None
        self.video_format, self.trimmed = video_format, trimmed
        self._unlabelled: dict[tuple[str, ...], np.ndarray] = {}
        super().__init__(
            ann_file=ann_file, class_file=class_file, data_prefix=data_prefix, **kwargs
        )

    def read_annotations(self) -> list[VideoAnnotation]:
        """A sample for each row; its extra entry ``categories`` names those that are labelled."""
        assert self.class_file is not None  # required here
        path = self.resolve(self.class_file)
        tags = _read_tags(path)
        labels = {
            category: [clean_label(self.label_of(t), f'{path}: {category}') for t in names]
            for category, names in tags.items()
        }
        self.classes_source = [label for names in labels.values() for label in names]
        category_of = {label: c for c, names in labels.items() for label in names}
        if len(category_of) != len(self.classes_source):
            raise DataError(f'{path}: a tag is in two categories; use the published file')
        self.file_attributes = dict(category=category_of)
        if self.ann_file.endswith('.json'):
            return list(self._read_json(labels))
        return list(self._read_csv(category_of))

    def _read_csv(self, category_of: Mapping[str, str]) -> Iterable[VideoAnnotation]:
        name_of = VideoNames(self.data_prefix.get('video', ''))
        label_of: dict[str, str] = {}  # 8 million tags are of 3,142 kinds
        for where, row in read_csv_rows(self.ann_file, COLUMNS):
            for tag in row['Tags'].split('|'):
                if tag not in label_of:
                    label_of[tag] = clean_label(self.label_of(tag), f'{where}: tag')
                if label_of[tag] not in category_of:
                    raise DataError(f'{where}: tag {shown(tag)} is not in {self.class_file}')
            names = tuple(label_of[tag] for tag in row['Tags'].split('|'))
            start, end = row['time_start'], row['time_end']
            span = seconds(start, where, 'time_start'), seconds(end, where, 'time_end')
            file = self.video_format.format(
                id=row['youtube_id'],
                start=start,
                end=end,
                start10=int(span[0] * 10),
                end10=int(span[1] * 10),
            )
            yield VideoAnnotation(
                name_of(file),
                names,
                segment=None if self.trimmed else span,
                video_id=f'{row["youtube_id"]}_{start}_{end}',
                where=where,
                extra=dict(categories=tuple(dict.fromkeys(category_of[n] for n in names))),
            )

    def _read_json(self, labels: Mapping[str, Sequence[str]]) -> Iterable[VideoAnnotation]:
        form = '[{"filename": ..., "label": {category: [index, ...]}}, ...]'
        for number, entry in enumerate(expect(read_json(self.ann_file), list, self.ann_file, form)):
            where = f'{self.ann_file}: entry {number + 1}'
            found = item(expect(entry, dict, where, form), 'label', dict, where)
            names = []
            for category in found:
                known = labels.get(category, ())
                for value in item(found, category, list, where):
                    index = whole_number(value, where, f'index of {category!r}')
                    if index >= len(known):
                        raise DataError(
                            f'{where}: {self.class_file} has no label {index} of {category!r}; use '
                            'the class file of the same release'
                        )
                    names.append(known[index])
            yield VideoAnnotation(
                item(entry, 'filename', str, where),
                names,
                where=where,
                extra=dict(categories=tuple(found)),
            )

    def get_data_info(self, idx: int) -> dict:
        """The sample, in which labels of categories that it was not labelled for are unknown.

        Until here, these are kept as names of categories: the 481,417 lists of unknown tags would
        not fit into memory.
        """
        data = super().get_data_info(idx)
        categories = data['categories']
        if categories not in self._unlabelled:  # at most 63 combinations
            columns = self._metainfo['class_attributes']['category']
            self._unlabelled[categories] = ~np.isin(columns, categories)
        data['label'][self._unlabelled[categories] & (data['label'] == 0)] = -1
        return data

    def _label_prior(self, data_list: Sequence[dict]) -> list[float]:
        """Share of positives among the samples that were labelled for the tag's category."""
        if self.missing == 'unknown':
            return super()._label_prior(data_list)
        categories = self._metainfo['class_attributes']['category']
        positive, known = np.zeros(len(categories)), dict.fromkeys(categories, 0)
        for data in data_list:
            positive[data['positive']] += 1
            for category in data['categories']:
                known[category] = known.get(category, 0) + 1
        return [
            p / known[c] if known[c] else math.nan
            for p, c in zip(positive.tolist(), categories, strict=True)
        ]


def _read_tags(path: str) -> dict[str, list[str]]:
    """Category -> its tags, in the order of the file."""
    tags: dict[str, list[str]] = {}
    if path.endswith('.json'):
        content = expect(read_json(path), dict, path, '{category: [tag, ...]}')
        for category in content:
            for tag in item(content, category, list, path):
                clean_label(tag, f'{path}: {category}: tag')
        return content
    for _, row in read_csv_rows(path, ('Tag', 'Category')):
        tags.setdefault(row['Category'], []).append(row['Tag'])
    return tags

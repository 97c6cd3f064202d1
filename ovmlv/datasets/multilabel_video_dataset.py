"""The generic data set: an annotation file of your own."""

from __future__ import annotations

from typing import Any

from ovmlv.labels import load_labels
from ovmlv.registry import DATASETS

from .annotation import VideoAnnotation
from .base_video_dataset import BaseVideoDataset
from .formats.annotation_files import read_annotation_file


@DATASETS.register_module()
class MultilabelVideoDataset(BaseVideoDataset):
    r"""Videos with labels from a JSONL, JSON, CSV, TSV or text file.

    ``.jsonl`` (``.json``: a list of the same objects)::

        {"video": "a/b c.mp4", "labels": ["a dog", "running"]}
        {"video": "d.mp4", "labels": ["a dog"], "unknown": ["running"], "segment": [1.5, 4.0]}
        {"video": "e.mp4", "labels": ["a cat"], "negatives": ["a dog"]}

    ``.csv`` (``.tsv``) with a header; ``unknown``, ``negatives``, ``start``, ``end``, ``video_id``
    are optional, further columns are kept in the sample's dict::

        video,labels,start,end
        a/b c.mp4,a dog;running,,
        "d, second.mp4",a dog,1.5,4.0

    ``.txt``: MMAction2's ``path index index ...`` with ``classes`` for the names; the path may
    contain blanks.

    A label that a row does not mention is negative; in a row with ``negatives`` it is unknown.
    Segments are in seconds; let :class:`SampleSegmentFrames` sample from them.

    Args:
        ann_file: The annotation file.
        delimiter: Text between the labels of a CSV cell.
        **kwargs: See :class:`BaseVideoDataset`: ``classes``, ``label_split``, ``label_set``, ...

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import MultilabelVideoDataset
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'own.csv').write_text('video,labels\na.mp4,dog;running\nb.mp4,cat\n')
        ...     data = MultilabelVideoDataset('own.csv', data_root=root)
        >>> data.metainfo['classes']
        ['cat', 'dog', 'running']
        >>> [data.get_data_info(i)['label'].tolist() for i in range(2)]
        [[0, 1, 1], [1, 0, 0]]
    """

    def __init__(self, ann_file: str, delimiter: str = ';', **kwargs: Any) -> None:
        self.delimiter = delimiter
        super().__init__(ann_file=ann_file, **kwargs)

    def read_annotations(self) -> list[VideoAnnotation]:
        """Read :attr:`ann_file`."""
        classes = None
        if self.ann_file.endswith('.txt') and self.classes_source is not None:
            classes = load_labels(self.classes_source, self.data_root or '')
        return read_annotation_file(self.ann_file, self.delimiter, classes)

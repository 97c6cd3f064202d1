"""Something-Something V2 (Goyal et al., ICCV 2017) from its official files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ovmlv.files import read_json
from ovmlv.registry import DATASETS

from .annotation import VideoAnnotation
from .base_class_file_dataset import BaseClassFileDataset
from .cells import expect, item
from .formats.official_files import ClassNames
from .video_names import VideoNames


@DATASETS.register_module()
class SSv2Dataset(BaseClassFileDataset):
    """220,847 clips of people who do something with something: 174 templates.

    Reads ``train.json`` / ``validation.json`` (``{"id": "74225", "label": ..., "template":
    "Spinning [something] that quickly stops spinning", "placeholders": [...]}``; ``test.json`` has
    ids alone), ``labels.json`` (template -> id), and lists (``74225.webm 140``). Known traps:

    - ``labels.json`` writes templates without the brackets that the annotations have, and ids as
      strings.
    - Templates hold commas: they are quoted in ``id,name`` files.
    - In the base and novel class files ids start at 0 again.
    - Many templates say left, right, up or down, so videos must not be flipped.

    Args:
        ann_file: The JSON file or list.
        class_file: ``labels.json``, or a file with one name a line or ``id,name``.
        file_format: Form of the path of a clip of the JSON file, from ``{id}``.
        **kwargs: See :class:`BaseClassFileDataset` (as words, templates are in lower case) and
            :class:`BaseVideoDataset`.

    Examples:
        >>> import json, tempfile
        >>> from pathlib import Path
        >>> from ovmlv.datasets import SSv2Dataset
        >>> clip = dict(id='74225', label='folding a napkin', template='Folding [something]')
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = Path(root, 'val.json').write_text(json.dumps([clip]))
        ...     _ = Path(root, 'labels.json').write_text(json.dumps({'Folding something': '0'}))
        ...     data = SSv2Dataset('val.json', 'labels.json', data_root=root)
        >>> data.metainfo['classes'], data.get_data_info(0)['video_id']
        (['folding something'], '74225')
    """

    DOWNLOAD = (
        'get labels and videos from https://www.qualcomm.com/developer/software/'
        'something-something-v-2-dataset, or correct data_root, ann_file, class_file or data_prefix'
    )

    def __init__(
        self,
        ann_file: str = 'labels/validation.json',
        class_file: str = 'labels/labels.json',
        file_format: str = '{id}.webm',
        **kwargs: Any,
    ) -> None:
        self.file_format = file_format
        super().__init__(ann_file, class_file, **kwargs)

    def label_of(self, name: str) -> str:
        """The label of a template; templates are sentences, so only the case changes."""
        return name.lower() if self.label_style == 'words' else name

    def read_samples(self, classes: ClassNames) -> Iterator[VideoAnnotation]:
        """The entries of the JSON file, or the lines of the list."""
        read = self._json_samples if self.ann_file.endswith('.json') else self.list_samples
        return read(classes)

    def _json_samples(self, classes: ClassNames) -> Iterator[VideoAnnotation]:
        form = '[{"id": "74225", "template": ...}, ...]'
        name_of = VideoNames(self.data_prefix.get('video', ''))
        for number, entry in enumerate(expect(read_json(self.ann_file), list, self.ann_file, form)):
            where = f'{self.ann_file}: entry {number + 1}'
            clip = item(expect(entry, dict, where, form), 'id', (str, int), where)
            name = None
            if entry.get('template') is not None:
                name = item(entry, 'template', str, where).replace('[', '').replace(']', '')
            yield VideoAnnotation(
                name_of(self.file_format.format(id=clip)),
                labels=() if name is None else (classes.by_name(name, where),),
                negatives=() if name is None else None,  # the test set: nothing is known
                video_id=str(clip),
                where=where,
                extra={k: entry[k] for k in ('label', 'placeholders') if k in entry},
            )

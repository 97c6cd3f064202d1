"""The last transform of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmcv.transforms import BaseTransform

from ovmlv.errors import DataError
from ovmlv.registry import TRANSFORMS

DEFAULT_META_KEYS = (
    'video_id',
    'filename',
    'sample_idx',
    'num_clips',
    'segment',
    'img_shape',
    'broken',
    'broken_reason',
    'replaced',
    'official_unlabeled',
)


@TRANSFORMS.register_module()
class PackMultilabelInputs(BaseTransform):
    """Pack frames and multi-label targets for :class:`OpenVocabRecognizer`.

    Required Keys:

        - imgs: uint8 ``(M, C, T, H, W)`` from ``mmaction.FormatShape(input_format='NCTHW')``
        - label (optional): ``(C,)`` of {1, 0, -1}

    Returns of :meth:`transform`: ``inputs`` (the frames as a tensor) and ``data_samples`` (an
    :class:`ActionDataSample` with ``gt_label`` and the meta keys; ``broken`` is always there).

    Args:
        meta_keys: Keys to keep as meta information, if the sample has them.

    Examples:
        >>> import numpy as np
        >>> from ovmlv.datasets import PackMultilabelInputs
        >>> frames = np.zeros((1, 3, 8, 4, 4), dtype=np.uint8)  # 1 view of 8 frames
        >>> packed = PackMultilabelInputs()(dict(imgs=frames, label=[1, 0, -1], filename='a.mp4'))
        >>> packed['inputs'].shape, packed['data_samples'].gt_label, packed['data_samples'].filename
        (torch.Size([1, 3, 8, 4, 4]), tensor([ 1,  0, -1]), 'a.mp4')
    """

    def __init__(self, meta_keys: Sequence[str] = DEFAULT_META_KEYS) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Pack one sample."""
        imgs = np.asarray(results['imgs'])
        if imgs.ndim != 5:
            raise DataError(
                f'PackMultilabelInputs: imgs of {results.get("filename")} have shape '
                f'{imgs.shape}, not (views, channels, frames, height, width); put '
                "mmaction.FormatShape(input_format='NCTHW') before it"
            )
        sample = ActionDataSample()
        if 'label' in results:
            sample.set_gt_label(np.asarray(results['label']))
        meta = {key: results[key] for key in self.meta_keys if key in results}
        sample.set_metainfo(dict(meta, broken=bool(results.get('broken', False))))
        return dict(inputs=torch.from_numpy(np.ascontiguousarray(imgs)), data_samples=sample)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(meta_keys={self.meta_keys})'

"""Frames of an open video."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform

from ovmlv.registry import TRANSFORMS


@TRANSFORMS.register_module()
class VideoDecode(BaseTransform):
    """Decode the chosen frames of a video opened by :class:`VideoInit`, and close it.

    Required Keys:

        - video_reader
        - frame_inds

    Added Keys:

        - imgs: RGB uint8 ``(H, W, 3)`` each, upright
        - original_shape
        - img_shape
        - frame_seconds: when each frame begins
    """

    def transform(self, results: dict) -> dict:
        """Decode."""
        reader, indices = results.pop('video_reader'), np.ravel(results['frame_inds'])
        try:
            results['imgs'] = reader.get_frames(indices)
        finally:
            reader.close()
        results['frame_inds'] = indices
        results['frame_seconds'] = reader.times[indices, 0]
        results['original_shape'] = results['img_shape'] = results['imgs'][0].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'

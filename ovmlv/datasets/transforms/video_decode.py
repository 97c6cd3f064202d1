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

    Examples:
        >>> import tempfile
        >>> import numpy as np
        >>> from ovmlv.datasets import VideoDecode, VideoInit
        >>> from ovmlv.datasets.motionshapes.generate import write_video
        >>> with tempfile.TemporaryDirectory() as root:
        ...     write_video(f'{root}/a.mp4', np.zeros((6, 32, 48, 3), dtype=np.uint8), fps=4)
        ...     results = VideoInit()(dict(filename=f'{root}/a.mp4', frame_inds=[1, 3]))
        ...     results = VideoDecode()(results)
        >>> results['frame_seconds'].tolist(), len(results['imgs']), results['imgs'][0].shape
        ([0.25, 0.75], 2, (32, 48, 3))
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

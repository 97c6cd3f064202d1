"""Frames of exactly the size that a model takes, whatever shape they had."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from ovmlv.errors import ConfigError
from ovmlv.registry import TRANSFORMS
from ovmlv.runtime.frames import resize


@TRANSFORMS.register_module()
class ResizeFrames(BaseTransform):
    """Resize frames to one size, so that all of a wide picture is seen, and squashed.

    Processors of VideoPrism, PE-AV and SigLIP do this, while CLIP's crop the centre. It is bicubic
    and antialiased, as torch's and Pillow's resizing is and as the crop of
    :class:`~ovmlv.apis.OVMLVInferencer` is; ``mmaction.Resize(keep_ratio=False)`` is not
    antialiased.

    Required Keys:

        - imgs

    Modified Keys:

        - imgs
        - img_shape

    Args:
        size: Height and width, or one number for both.

    Examples:
        >>> import numpy as np
        >>> from ovmlv.datasets import ResizeFrames
        >>> frames = [np.zeros((30, 50, 3), np.uint8)] * 2
        >>> results = ResizeFrames(size=24)(dict(imgs=frames))
        >>> results['imgs'][0].shape, results['img_shape']
        ((24, 24, 3), (24, 24))
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        sides = [size, size] if isinstance(size, int) else list(size)
        if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
            raise ConfigError(
                f'ResizeFrames: size={size!r} must be a number of pixels from 1 on, or height and '
                'width'
            )
        self.size: tuple[int, int] = (sides[0], sides[1])

    def transform(self, results: dict) -> dict:
        """Resize."""
        results['imgs'] = list(resize(np.stack(results['imgs']), self.size))
        results['img_shape'] = self.size
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size})'

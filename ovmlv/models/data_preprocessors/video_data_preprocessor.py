"""Stacks and normalises videos on the model's device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from ovmlv.errors import ConfigError, DataError
from ovmlv.models.utils.pixels import normalize_bytes
from ovmlv.registry import MODELS


@MODELS.register_module()
class VideoDataPreprocessor(BaseDataPreprocessor):
    """Moves frames as bytes to the device, then scales them to [0, 1] and normalises them there.

    Args:
        mean: Mean of each channel in [0, 1]; None takes that of the backbone's CLIP weights.
        std: Standard deviation of each channel; None likewise.
        float_range: Range of floating-point inputs: ``unit`` ([0, 1]), ``byte`` ([0, 255], as after
            mmaction2's ``ColorJitter``) or ``normalized`` (nothing is left to do).
        non_blocking: See mmengine's ``BaseDataPreprocessor``.

    Attributes:
        keep_bytes: Leave bytes as they are, for a backbone that normalises what it needs
            (``takes_bytes``); a recognizer sets it.
    """

    keep_bytes: bool = False

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        float_range: str = 'unit',
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking)
        if (mean is None) != (std is None):
            raise ConfigError(
                f'VideoDataPreprocessor: mean={mean} and std={std}; give both or neither'
            )
        if float_range not in ('unit', 'byte', 'normalized'):
            raise ConfigError(
                f"VideoDataPreprocessor: float_range={float_range!r} is not one of 'unit', 'byte', "
                "'normalized'"
            )
        self.float_range = float_range
        self.register_buffer('mean', None, persistent=False)
        self.register_buffer('std', None, persistent=False)
        if mean is not None:
            assert std is not None  # both or none, see above
            self.set_statistics(mean, std)

    @property
    def needs_statistics(self) -> bool:
        """Whether mean and standard deviation are still to be set."""
        return self.mean is None

    def set_statistics(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Set mean and standard deviation of each channel, in [0, 1]."""
        if (
            len(mean) != len(std)
            or not all(0 <= m <= 1 for m in mean)
            or not all(0 < s <= 1 for s in std)
        ):
            raise ConfigError(
                f'VideoDataPreprocessor: mean={list(mean)} and std={list(std)} must be one value '
                'per channel, for pixels in [0, 1]; divide values for [0, 255] by 255'
            )
        for name, value in (('mean', mean), ('std', std)):
            setattr(
                self,
                name,
                torch.tensor(value, dtype=torch.float32, device=self.device).view(-1, 1, 1, 1),
            )

    def forward(self, data: dict, training: bool = False) -> dict:
        """Stack and normalise a batch.

        Args:
            data: ``inputs``: a list of B tensors ``(M, C, T, H, W)`` or ``(C, T, H, W)``, or these
                stacked; ``data_samples`` (optional).
            training: Unused.

        Returns:
            ``inputs`` float32 ``(B, M, C, T, H, W)``, or uint8 with `keep_bytes`, and
            ``data_samples``.
        """
        if not isinstance(data, dict) or 'inputs' not in data:
            raise DataError(
                "VideoDataPreprocessor: a batch must be a dict with 'inputs'; let the pipeline end "
                'with PackMultilabelInputs'
            )
        data = self.cast_data(data)
        inputs = stack_videos(data['inputs'], data.get('data_samples'))
        if inputs.dtype != torch.uint8 or not self.keep_bytes:
            inputs = self.normalize(inputs)
        return dict(data, inputs=inputs, data_samples=data.get('data_samples'))

    def normalize(self, inputs: Tensor) -> Tensor:
        """Pixels ``(..., C, T, H, W)`` to normalised float32 of the same shape."""
        if inputs.is_floating_point():
            inputs = inputs.float()
            if self.float_range == 'normalized':
                return inputs
            if self.float_range == 'byte':
                inputs = inputs / 255
        elif inputs.dtype != torch.uint8:
            raise DataError(
                f'VideoDataPreprocessor: inputs are {inputs.dtype}; use uint8 or floating-point '
                'pixels'
            )
        if self.mean is None:
            raise ConfigError(
                'VideoDataPreprocessor: mean and std are not set; give them, or use it in an '
                'OpenVocabRecognizer, which takes them from its backbone'
            )
        if inputs.ndim < 4 or inputs.shape[-4] != len(self.mean):
            raise DataError(
                f'VideoDataPreprocessor: inputs {tuple(inputs.shape)} must end in '
                f'({len(self.mean)} channels, frames, height, width); use '
                "mmaction.FormatShape(input_format='NCTHW')"
            )
        if inputs.dtype == torch.uint8:
            return normalize_bytes(inputs, self.mean, self.std)
        return (inputs - self.mean) / self.std


def stack_videos(
    inputs: Tensor | Sequence[Tensor], data_samples: Sequence[Any] | None = None
) -> Tensor:
    """Stack videos to ``(B, M, C, T, H, W)``; a video without a dimension for views is one view."""
    if not isinstance(inputs, Tensor):
        if not len(inputs):
            raise DataError('VideoDataPreprocessor: the batch is empty')
        for i, video in enumerate(inputs):
            if video.shape != inputs[0].shape:
                raise DataError(
                    f'VideoDataPreprocessor: {_name(data_samples, i)} has shape '
                    f'{tuple(video.shape)} but '
                    f'{_name(data_samples, 0)} has {tuple(inputs[0].shape)}; resize and crop all '
                    'videos alike in the pipeline'
                )
        inputs = torch.stack(list(inputs))
    if inputs.ndim == 5:
        inputs = inputs[:, None]
    if inputs.ndim != 6:
        raise DataError(
            f'VideoDataPreprocessor: a batch has shape {tuple(inputs.shape)}, not (videos, views, '
            "channels, frames, height, width); use mmaction.FormatShape(input_format='NCTHW')"
        )
    return inputs


def _name(data_samples: Sequence[Any] | None, i: int) -> str:
    filename = None if data_samples is None else data_samples[i].get('filename', None)
    return str(filename or f'video {i} of the batch')

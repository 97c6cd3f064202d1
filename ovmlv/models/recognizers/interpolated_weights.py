"""Training for weights between CLIP's and the finetuned ones."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.contracts import Pretrained
from ovmlv.models.utils.weight_patching import tensors_from_clip
from ovmlv.registry import MODELS

from .start_weights import StartWeights


@MODELS.register_module()
class InterpolatedWeights(nn.Module):
    """Interpolated-weight regularisation (Open-VCLIP, Weng et al., ICML 2023, eq. 5-7).

    Each step also minimises the base loss at ``theta' = a theta_CLIP + (1 - a) theta`` with ``a``
    drawn from U(0, max_alpha), so that weights part of the way back to CLIP, as patching makes
    them, work well too. The gradient of ``theta'`` has its factor ``1 - a``; Open-VCLIP's code
    leaves it out. Only the video encoder is interpolated; the label embeddings of the step are used
    again. A step costs a second forward and backward pass of the trainable part of the tower.

    :func:`~ovmlv.models.utils.weights_from_clip` says which weights have a start in CLIP.

    Args:
        module: The video encoder as it starts, given by the recognizer; it is not kept.
        weight: Weight of the loss at ``theta'``.
        max_alpha: Largest share of CLIP's weights.

    Examples:
        >>> import torch
        >>> from ovmlv.models.backbones import TemporalCLIPBackbone
        >>> from ovmlv.models.recognizers import InterpolatedWeights
        >>> backbone = TemporalCLIPBackbone('motionshapes', 'motionshapes', trainable=1)
        >>> interpolate, video = InterpolatedWeights(backbone), torch.rand(1, 3, 8, 64, 64)
        >>> torch.allclose(interpolate(backbone, video), backbone(video), atol=1e-5)  # untrained
        True
    """

    def __init__(self, module: nn.Module, weight: float = 0.5, max_alpha: float = 0.6) -> None:
        super().__init__()
        if not weight > 0 or not 0 < max_alpha <= 1:
            raise ConfigError(
                f'InterpolatedWeights: weight={weight} must be positive and max_alpha={max_alpha} '
                'in (0, 1]; interpolation=None switches it off'
            )
        names = [name for name, _ in tensors_from_clip(cast(Pretrained, module))]
        if not names:
            raise ConfigError(
                'InterpolatedWeights: nothing that trains in the backbone starts as CLIP; finetune '
                'blocks (trainable), or set interpolation=None'
            )
        self.weight = weight
        self.max_alpha = max_alpha
        self.start = StartWeights(module, names)

    def forward(self, module: nn.Module, *args: Tensor) -> Tensor:
        """Run ``module`` on ``args`` with interpolated weights; the module stays unchanged."""
        # On the CPU: one number, and StepSeedHook makes it repeatable on every device.
        alpha = self.max_alpha * torch.rand(()).item()
        return torch.func.functional_call(module, self.start.mix(module, alpha), args)

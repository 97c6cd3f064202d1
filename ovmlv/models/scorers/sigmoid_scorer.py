"""Cosine similarities to logits of independent probabilities."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.utils.scalars import load_scalars_of_any_form, scalar_parameter
from ovmlv.registry import MODELS

from .base_scorer import BaseScorer
from .calibration import bias_for_prior

#: CLIP's cosines of an image and a text that does not fit it lie near this value.
_TYPICAL_COSINE = 0.2


@MODELS.register_module()
class SigmoidScorer(BaseScorer):
    """``logits = s / tau + b``, with ``tau`` stored as ``log_scale = log(1 / tau)``.

    With ``label_bias`` it is ``s / tau + b + w . f_t(l)``: labels differ in how often they are true
    ("a circle spinning" is rarer than "circle"), and a linear function of the embedding can tell
    this of labels that were never trained on. Without it, training bends the embeddings themselves
    to reach that. ``w`` starts at zero.

    Args:
        init_scale: ``1 / tau`` at the start; ``clip`` takes the CLIP weights' logit scale.
        init_bias: ``b`` at the start. ``prior``: found on the first training batch, such that the
            mean probability over its known entries is the data set's share of positives; recorded
            in checkpoints, so that resuming and finetuning keep what was learned. Until then the
            CLIP weights' bias, or where they have none, one that puts a typical cosine at
            probability 0.05. ``clip``: the CLIP weights' bias (sigmoid-trained ones only). None:
            no bias, now and later, as in the score ``sigmoid(s / tau)`` that Gupta et al. (arXiv
            2407.09073) are quoted with.
        learnable: Whether scale and bias are trained.
        label_bias: Learn ``w``.
        max_scale: The scale is clamped to ``[1, max_scale]`` in use.

    Examples:
        >>> import torch
        >>> from ovmlv.models.scorers import SigmoidScorer
        >>> scorer = SigmoidScorer(init_scale=10.0, init_bias=-2.0, learnable=False)
        >>> logits = scorer(torch.tensor([0.2, 0.3]))  # 10 * 0.2 - 2 and 10 * 0.3 - 2
        >>> logits.sigmoid()
        tensor([0.5000, 0.7311])
    """

    bias: nn.Parameter
    calibrated: Tensor

    def __init__(
        self,
        init_scale: str | float = 'clip',
        init_bias: str | float | None = 'prior',
        learnable: bool = True,
        label_bias: bool = False,
        max_scale: float = 1000.0,
    ) -> None:
        super().__init__()
        if init_scale != 'clip' and not (_is_number(init_scale) and 1 <= init_scale <= max_scale):
            raise ConfigError(
                f"SigmoidScorer: init_scale={init_scale!r} must be 'clip' or a number in [1, "
                f'{max_scale:g}]'
            )
        if init_bias not in ('prior', 'clip', None) and not _is_number(init_bias):
            raise ConfigError(
                f"SigmoidScorer: init_bias={init_bias!r} must be 'prior', 'clip', a number, or "
                'None for no bias'
            )
        self.init_scale, self.init_bias, self.max_scale = init_scale, init_bias, max_scale
        self.log_scale = scalar_parameter(0.0, learnable)
        self.bias = scalar_parameter(0.0, learnable and init_bias is not None)
        load_scalars_of_any_form(self)
        self._wants_label_bias, self._learnable = label_bias, learnable
        self.register_buffer('calibrated', torch.tensor(init_bias != 'prior'))
        self._known_calibrated = init_bias != 'prior'  # spares a device synchronisation a step
        if _is_number(init_scale):
            self._set(init_scale, init_bias if _is_number(init_bias) else None)

    @property
    def scale(self) -> Tensor:
        """``1 / tau``, clamped, ``(1,)``."""
        return self.log_scale.clamp(0.0, math.log(self.max_scale)).exp()

    def forward(self, similarities: Tensor, text: Tensor | None = None) -> Tensor:
        """Cosine similarities to logits.

        Args:
            similarities: ``(..., C)``
            text: Unit vectors ``(C, E)`` of the labels, for ``label_bias``.
        """
        logits = similarities * self.scale + self.bias
        if self.label_bias is None:
            return logits
        if text is None:
            raise ValueError(
                'SigmoidScorer: label_bias needs the embeddings of the labels; pass text'
            )
        return logits + text @ self.label_bias

    def start_from_clip(
        self,
        logit_scale: float | None,
        logit_bias: float | None,
        embed_dim: int | None = None,
    ) -> None:
        """Fill in the values that the config leaves to CLIP's weights."""
        if self._wants_label_bias:
            if embed_dim is None:
                raise ConfigError(
                    'SigmoidScorer: label_bias=True, but the head names no embed_dim; set it to '
                    'False'
                )
            self.label_bias = nn.Parameter(torch.zeros(embed_dim), requires_grad=self._learnable)
        if self.init_scale == 'clip' and logit_scale is None:
            raise ConfigError(
                "SigmoidScorer: init_scale='clip' but the head has no logit_scale; give a number"
            )
        if self.init_bias == 'clip' and logit_bias is None:
            raise ConfigError(
                "SigmoidScorer: init_bias='clip' but these CLIP weights have no logit bias (they "
                "were trained with a softmax); use 'prior' or a number"
            )
        given = logit_scale if self.init_scale == 'clip' else self.init_scale
        assert given is not None  # seen above
        scale = float(given)
        if self.init_bias is None:
            bias = 0.0
        elif _is_number(self.init_bias):
            bias = float(self.init_bias)
        elif logit_bias is not None:
            bias = float(logit_bias)
        else:
            bias = math.log(0.05 / 0.95) - scale * _TYPICAL_COSINE
        self._set(scale, bias)

    @property
    def wants_calibration(self) -> bool:
        """Whether the bias is still to be found, and this is training on the scorer's own
        parameters.
        """
        # A functional call on other parameters must not set these.
        if self._known_calibrated or not self.training or not isinstance(self.bias, nn.Parameter):
            return False
        self._known_calibrated = bool(self.calibrated)
        return not self._known_calibrated

    def calibrate(self, similarities: Tensor, weight: Tensor, prior: float) -> None:
        """Find the bias for ``init_bias='prior'``, once, in training; otherwise do nothing.

        Args:
            similarities: ``(B, C)``.
            weight: ``(B, C)``, 0 for unknown targets.
            prior: Wanted mean probability.
        """
        if not self.wants_calibration:
            return
        bias = bias_for_prior(similarities.detach() * self.scale.detach(), weight, prior)
        if bias is None:
            return
        self._set(None, bias)
        self.calibrated.fill_(True)
        MMLogger.get_current_instance().info(
            f'SigmoidScorer: bias {bias:.3f} puts the mean probability at the label prior '
            f'{prior:.4f}'
        )

    @torch.no_grad()
    def _set(self, scale: float | None, bias: float | None) -> None:
        if scale is not None:
            self.log_scale.fill_(math.log(scale))
        if bias is not None:
            self.bias.fill_(bias)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._known_calibrated = False


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)

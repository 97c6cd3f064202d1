"""Test with weights part of the way back to CLIP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import Tensor, nn

from ovmlv.models.utils.weight_patching import check_ratio, patch, weights_from_clip
from ovmlv.registry import HOOKS

from .bare_model import bare_model


@HOOKS.register_module()
class WeightPatchHook(Hook):
    """Validates and tests ``theta_CLIP + ratio (theta - theta_CLIP)`` (patching: Ilharco et al.,
    NeurIPS 2022; Open-VCLIP has ratio 0.5).

    Training goes on with the unpatched weights, and checkpoints hold these; to write patched ones,
    use ``tools/model_converters/patch_weights.py``. The hook works beside mmengine's ``EMAHook``:
    the averaged weights are then patched. :func:`~ovmlv.models.utils.weights_from_clip` says which
    weights have a start in CLIP.

    Args:
        ratio: Share of the way to the finetuned weights: 1 gives these, 0 the start.
        parts: Parts of the recognizer: ``backbone``, ``head``.
    """

    # Its after_val_epoch takes the patch off before EMAHook (NORMAL) swaps the weights back. Its
    # patch is put on by the first batch, when EMAHook has put in the averaged ones.
    priority = 'ABOVE_NORMAL'

    def __init__(self, ratio: float = 0.5, parts: Sequence[str] = ('backbone',)) -> None:
        self.ratio = check_ratio(ratio)
        self.parts = tuple(parts)
        self._start: dict[str, Tensor] | None = None
        self._finetuned: dict[str, Tensor] = {}

    def before_run(self, runner: Any) -> None:
        """Remember the start; no checkpoint is loaded yet."""
        if self._start is None:
            self._start = weights_from_clip(bare_model(runner), self.parts)

    def before_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Patch before the first batch."""
        if batch_idx == 0:
            self._put_on(bare_model(runner))

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Put the finetuned weights back."""
        self._take_off(bare_model(runner))

    before_test_iter = before_val_iter
    after_test_epoch = after_val_epoch

    @torch.no_grad()
    def _put_on(self, model: nn.Module) -> None:
        weights = dict(model.named_parameters())
        assert self._start is not None  # taken before training
        for name, start in self._start.items():
            self._finetuned[name] = weights[name].detach().clone()
            weights[name].copy_(patch(weights[name], start, self.ratio))

    @torch.no_grad()
    def _take_off(self, model: nn.Module) -> None:
        weights = dict(model.named_parameters())
        for name, value in self._finetuned.items():
            weights[name].copy_(value)
        self._finetuned = {}

"""Parts of a recognizer from their configs."""

from __future__ import annotations

from typing import Any

from torch import nn

from ovmlv.models.contracts import Criterion, lacking
from ovmlv.registry import MODELS


def build_part(cfg: dict | nn.Module | None, default: str | None = None) -> Any:
    """Build a part; unprefixed names are ours whatever the default scope is."""
    if isinstance(cfg, nn.Module):
        return cfg
    cfg = {'_scope_': 'ovmlv', **({'type': default} if default else {}), **(cfg or {})}
    return MODELS.build(cfg)


def build_criterion(loss: dict | nn.Module | None) -> Criterion:
    """Build the losses; a loss on logits alone becomes the base of ours."""
    criterion = build_part(loss, 'RegularizedMultilabelLoss')
    if 'needs' in lacking(criterion, Criterion):
        return build_part(dict(base=criterion), 'RegularizedMultilabelLoss')
    return criterion

"""Parts of a recognizer from their configs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from ovmlv.errors import ConfigError
from ovmlv.labels import read_reference_vocabulary
from ovmlv.models.contracts import Criterion, lacking
from ovmlv.registry import MODELS

#: What of a video's views is averaged in testing.
AVERAGES = ('score', 'embedding', 'probability')
_TRAINING_LABELS = 'training'


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


def check_settings(average_views: str, **counts: int | None) -> None:
    """Refuse an unknown average and a number below 1; None is no number."""
    for name, value in counts.items():
        if value is not None and value < 1:
            raise ConfigError(f'OpenVocabRecognizer: {name}={value} must be at least 1')
    if average_views not in AVERAGES:
        raise ConfigError(
            f'OpenVocabRecognizer: average_views={average_views!r} is not one of '
            f'{", ".join(AVERAGES)}'
        )


def read_references(
    criterion: Criterion, source: str | Sequence[str] | None
) -> tuple[str, ...] | None:
    """The labels that a loss compares videos with; None if it needs none, or those of training."""
    if 'reference_vocab' not in criterion.needs:
        return None
    if source is None:
        raise ConfigError(
            'OpenVocabRecognizer: similarity_distill and ranking_distill need '
            "reference_vocabulary=[...], or 'training' for the training labels"
        )
    return None if source == _TRAINING_LABELS else read_reference_vocabulary(source)

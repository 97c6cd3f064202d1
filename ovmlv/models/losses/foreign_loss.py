"""Losses of other projects on targets that are partly unknown."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError

from .reduction import entry_weight, mean_over_processes, multi_hot, prepare, reduce_terms

#: A logit of a label that is surely absent: it costs nothing, and enters no softmax and no ranking.
_ABSENT = -30.0


def foreign_loss(
    loss: nn.Module,
    logits: Tensor,
    targets: Tensor,
    weight: Tensor | None = None,
    avg_factor: float | Tensor | None = None,
    reduction_override: str | None = None,
) -> Tensor:
    """Call any loss ``(logits, targets) -> scalar``, which never sees an unknown label.

    If all labels are known and nothing else is asked for, this is a plain call. Otherwise, if the
    loss can give a term for each entry, and its own value is their mean or sum, the terms of known
    entries are reduced as by the losses of ovmlv. If it cannot, unknown labels are shown to it as
    surely absent, by a constant, and samples of which nothing is known are left out. In both cases,
    no gradient reaches an unknown entry.

    Args:
        loss: A loss of torch, mmaction2 or mmpretrain, for example.
        logits: ``(B, C)`` logits.
        targets: ``(B, C)`` of {1, 0, -1 = unknown}, or what the loss itself takes.
        weight: See :class:`BaseMultilabelLoss`.
        avg_factor: See :class:`BaseMultilabelLoss`.
        reduction_override: See :class:`BaseMultilabelLoss`.
    """
    host = dict(weight=weight, avg_factor=avg_factor, reduction_override=reduction_override)
    host = {name: value for name, value in host.items() if value is not None}
    name, accepted = type(loss).__name__, inspect.signature(loss.forward).parameters
    plain = all(argument in accepted for argument in host) and (weight is None or weight.ndim == 1)
    if targets.shape != logits.shape:
        if plain and not (targets < 0).any():
            return loss(logits, targets, **host)
        targets = multi_hot(logits, targets)
    filled, hot, known = prepare(logits, targets)
    if plain and known.all():
        return loss(logits, hot.to(logits.dtype), **host)
    kind = _reduction_of(loss, filled)
    if kind is not None:
        each = _terms(loss, filled, hot)
        assert each is not None  # since its reduction is known
        terms = torch.where(known, each, 0.0)
        if weight is not None:
            terms = terms * entry_weight(weight, logits, name)
        count = known.sum()
        if avg_factor is None:
            count = mean_over_processes(count.to(terms.dtype), loss.training)
        return reduce_terms(terms, reduction_override or kind, avg_factor, count, name)
    for argument in host:
        if argument not in accepted:
            raise ConfigError(
                f'RegularizedMultilabelLoss: base {name} takes no {argument}, which the head '
                'passes; use a base loss of ovmlv'
            )
    rows = known.any(1)
    if not rows.any():
        return filled.sum() * 0.0
    if weight is not None:
        host['weight'] = weight[rows]
    return loss(torch.where(known, filled, _ABSENT)[rows], hot[rows], **host)


@torch.no_grad()
def _reduction_of(loss: nn.Module, logits: Tensor) -> str | None:
    """How the loss's own value follows from its terms, tried on two samples, or None."""
    count = 2 * logits.shape[1]
    x = torch.linspace(-2.0, 3.0, count, dtype=logits.dtype, device=logits.device).view(2, -1)
    y = (torch.arange(count, device=logits.device) % 3 == 0).to(logits.dtype).view(2, -1)
    terms = _terms(loss, x, y)
    if terms is None:
        return None
    value = loss(x, y)
    if value.shape == terms.shape:
        return 'none'
    ways = {'mean': terms.mean(), 'sum_per_sample': terms.sum(1).mean(), 'sum': terms.sum()}
    return next((kind for kind, found in ways.items() if torch.isclose(value, found)), None)


def _terms(loss: nn.Module, logits: Tensor, targets: Tensor) -> Tensor | None:
    """Terms ``(B, C)`` of a loss, in the way that it offers them; None if it offers none."""
    names = inspect.signature(loss.forward).parameters
    asked: dict[str, Any] = {}
    if 'reduction_override' in names:
        asked['reduction_override'] = 'none'
    elif isinstance(getattr(loss, 'reduction', None), str):
        loss = copy.copy(loss)  # its own parameters and buffers, another setting
        loss.reduction = 'none'  # type: ignore[assignment]
    elif 'reduction' in names or any(p.kind is p.VAR_KEYWORD for p in names.values()):
        asked['reduction'] = 'none'
    else:
        return None
    try:
        terms = loss(logits, targets, **asked)
    except (TypeError, ValueError, AssertionError):  # it knows no such reduction
        return None
    return terms if isinstance(terms, Tensor) and terms.shape == logits.shape else None

"""Logits of videos of several views, by which labels are ranked."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.models.recognizers.batch import unit


def view_logits(model: nn.Module, views: Tensor, text: Tensor) -> Tensor:
    """Logits ``(B, C)`` of the probabilities that the model gives videos.

    Ranks are taken of these: among a million labels, many probabilities are one in float32.

    Args:
        model: A recognizer; its scorer and ``average_views`` count.
        views: Unit vectors ``(B, M, E)``.
        text: Embeddings ``(C, E)``.
    """
    text = text.to(views)
    with torch.autocast(views.device.type, enabled=False):
        if model.average_views == 'probability':
            each = model._logits(views @ text.T, text)
            # log(p / (1 - p)) of the mean p; the number of views cancels.
            return F.logsigmoid(each).logsumexp(1) - F.logsigmoid(-each).logsumexp(1)
        mean = views.mean(1)
        if model.average_views == 'embedding':
            mean = unit(mean)
        return model._logits(mean @ text.T, text)

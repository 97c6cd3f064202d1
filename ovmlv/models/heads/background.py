"""A bias for CLIPs that were trained with a softmax: it says from which cosine on a label fits."""

from __future__ import annotations

import torch
from torch import Tensor

#: Captions of what may be seen in any video, as far apart as a short list allows.
EVERYDAY = (
    'a person',
    'a crowd',
    'a dog',
    'a bird',
    'a fish',
    'a car',
    'a train',
    'a boat',
    'a road',
    'a building',
    'a kitchen',
    'an office',
    'a stage',
    'a sports field',
    'the sea',
    'a mountain',
    'a forest',
    'the sky',
    'fire',
    'food on a plate',
    'a computer screen',
    'a book',
    'a machine',
    'a musical instrument',
    'clothes',
    'a face',
    'talking',
    'running',
    'dancing',
    'text',
    'geometric shapes',
    'an empty room',
)
#: How much of a caption's distance from the mean caption an image's embedding repeats: with
#: OpenAI's ViT-B, cosines of an image are some 0.1 higher to its own caption than to others, and
#: those of captions with one another 0.25 below 1.
_SHARE = 0.4


def background_bias(text: Tensor, scale: float) -> float:
    """Minus the logit that all background captions together have, on average, if none is seen.

    A softmax over a label and K background captions gives the label the probability
    ``sigmoid(z_l - log sum_k exp(z_k))``. If ``z`` is measured from the mean of the background,
    that sum hardly depends on the video, and it can be estimated from captions alone: we assume
    that a video of caption j lies at ``_SHARE`` of the caption's distance from the mean.

    Args:
        text: Unit vectors ``(K, E)`` of the background.
        scale: Factor of the cosine in the softmax.
    """
    text = text.double()
    centred = text - text.mean(0)
    logits = scale * _SHARE * centred @ centred.T
    own = torch.eye(len(text), dtype=torch.bool, device=text.device)
    return -float(logits.masked_fill(own, -torch.inf).logsumexp(1).mean())

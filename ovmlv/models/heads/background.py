"""What CLIPs that were trained with a softmax lack: a measure of a fit that counts as one."""

from __future__ import annotations

import torch
from torch import Tensor

#: Captions of what may be seen in any video, as far apart as a short list allows.
EVERYDAY = (
    'a person',
    'a crowd',
    'a child',
    'a dog',
    'a cat',
    'a bird',
    'a horse',
    'a fish',
    'a car',
    'a train',
    'a boat',
    'an aeroplane',
    'a bicycle',
    'a road',
    'a city street',
    'a building',
    'a kitchen',
    'a bedroom',
    'an office',
    'a shop',
    'a stage',
    'a classroom',
    'a sports field',
    'a swimming pool',
    'the sea',
    'a mountain',
    'a forest',
    'a garden',
    'the sky',
    'snow',
    'fire',
    'food on a plate',
    'a drink',
    'a computer screen',
    'a telephone',
    'a book',
    'a tool',
    'a machine',
    'a musical instrument',
    'a ball',
    'clothes',
    'a face',
    'hands',
    'talking',
    'walking',
    'running',
    'dancing',
    'cooking',
    'eating',
    'sleeping',
    'playing a game',
    'working',
    'text',
    'a drawing',
    'a cartoon',
    'a map',
    'geometric shapes',
    'a plain surface',
    'darkness',
    'a bright light',
    'an empty room',
    'a toy',
    'a market',
    'a celebration',
)
#: How much of a caption's distance from the mean caption an image's embedding repeats: with
#: OpenAI's ViT-B, cosines of an image are some 0.1 higher to its own caption than to others, and
#: those of captions with one another 0.25 below 1.
_SHARE = 0.4


def background_bias(text: Tensor, scale: float) -> float:
    """Minus the logit that all the background together has, on average, where it is not seen.

    A softmax over a label and K background captions gives the label the probability
    ``sigmoid(z_l - log sum_k exp(z_k))``. With ``z`` measured from the mean of the background, that
    sum hardly depends on the video, and it can be estimated from captions alone: a video of caption
    j is taken to lie at ``_SHARE`` of the caption's distance from the mean.

    Args:
        text: Unit vectors ``(K, E)`` of the background.
        scale: Factor of the cosine in the softmax.
    """
    text = text.double()
    centred = text - text.mean(0)
    logits = scale * _SHARE * centred @ centred.T
    own = torch.eye(len(text), dtype=torch.bool, device=text.device)
    return -float(logits.masked_fill(own, -torch.inf).logsumexp(1).mean())

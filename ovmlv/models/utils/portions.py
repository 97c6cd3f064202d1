"""Passes over a few videos at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: Videos in a pass: activations of more fall out of a processor's own caches, and their memory is
#: new each time. Test batches of the tiny CLIP took 1.5 times as long.
PORTION = 16


def by_portions(compute: Callable[[Tensor], Tensor], videos: Tensor) -> Tensor:
    """Give ``compute(videos)``, on a processor and without gradients some videos at a time.

    Args:
        compute: It handles each video ``(B, ...)`` alone, and returns rows in the same order.
        videos: ``(B, ...)``

    Examples:
        >>> import torch
        >>> sizes = []
        >>> def double(videos):
        ...     sizes.append(len(videos))
        ...     return 2 * videos
        >>> with torch.no_grad():
        ...     bool((by_portions(double, torch.ones(40, 3)) == 2).all()), sizes
        (True, [16, 16, 8])
    """
    whole = torch.is_grad_enabled() or videos.device.type != 'cpu'
    # A graph that is captured is one for any number of videos.
    if whole or torch.compiler.is_compiling() or len(videos) <= PORTION:
        return compute(videos)
    return torch.cat([compute(portion) for portion in videos.split(PORTION)])

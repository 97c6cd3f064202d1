"""What the frozen part of an image tower gave for a video, kept in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch
from torch import Tensor


class PrefixCache:
    """Tokens of videos seen before, found by the content of their frames.

    The key is a hash of the pixels, so that no augmentation, sampling or file name can lead to
    tokens of other frames; a pipeline that draws other frames every time merely never hits. Frozen
    weights do not change, so entries are never stale. When the budget is used up, further videos
    are computed every time.

    Args:
        megabytes: Budget.
    """

    def __init__(self, megabytes: float) -> None:
        self.budget = int(megabytes * 2**20)
        self.used = 0
        self.hits = self.misses = 0
        self._entries: dict[bytes, Tensor] = {}

    def __call__(self, videos: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """Tokens ``(B * T, ...)`` of videos ``(B, C, T, H, W)``.

        Args:
            videos: The videos.
            compute: Gives the tokens of some of them.
        """
        # The number format of a pass is part of what it computes.
        suffix = str((videos.dtype, torch.is_autocast_enabled(videos.device.type))).encode()
        keys = [_digest(video) + suffix for video in videos]
        missing = [i for i, key in enumerate(keys) if key not in self._entries]
        self.misses += len(missing)
        self.hits += len(keys) - len(missing)
        fresh: dict[int, Tensor] = {}
        if missing:
            tokens = compute(videos[missing]).unflatten(0, (len(missing), -1))
            fresh = dict(zip(missing, tokens, strict=True))
            for i in missing:
                self._keep(keys[i], fresh[i])
        rows = [
            fresh[i] if i in fresh else self._entries[key].to(videos.device)
            for i, key in enumerate(keys)
        ]
        return torch.cat(rows)

    def __deepcopy__(self, memo: dict) -> PrefixCache:
        return PrefixCache(self.budget / 2**20)

    def __getstate__(self) -> dict:
        return {**self.__dict__, '_entries': {}, 'used': 0}

    def _keep(self, key: bytes, tokens: Tensor) -> None:
        size = tokens.numel() * tokens.element_size()
        if key not in self._entries and self.used + size <= self.budget:
            self._entries[key] = tokens.detach().to('cpu', copy=True)
            self.used += size


def _digest(video: Tensor) -> bytes:
    data = video.detach().to('cpu').contiguous()
    return hashlib.blake2b(data.view(torch.uint8).numpy(), digest_size=16).digest()

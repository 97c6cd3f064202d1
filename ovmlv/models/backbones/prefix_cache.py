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
        self._entries: dict[bytes, tuple[Tensor, ...]] = {}

    def __call__(
        self, videos: Tensor, compute: Callable[[Tensor], tuple[Tensor, ...]]
    ) -> tuple[Tensor, ...]:
        """What ``compute`` gives for the videos, one tensor with B or B * T rows each.

        Args:
            videos: ``(B, C, T, H, W)``
            compute: Called with those videos that were not seen before.
        """
        # The number format of a pass is part of what it computes.
        suffix = str((videos.dtype, torch.is_autocast_enabled(videos.device.type))).encode()
        keys = [_digest(video) + suffix for video in videos]
        missing = [i for i, key in enumerate(keys) if key not in self._entries]
        self.misses += len(missing)
        self.hits += len(keys) - len(missing)
        fresh: dict[int, tuple[Tensor, ...]] = {}
        if missing:
            results = (r.unflatten(0, (len(missing), -1)) for r in compute(videos[missing]))
            fresh = dict(zip(missing, zip(*results, strict=True), strict=True))
            for i in missing:
                self._keep(keys[i], fresh[i])
        rows = [fresh[i] if i in fresh else self._entries[key] for i, key in enumerate(keys)]
        return tuple(
            torch.cat([row.to(videos.device) for row in column])
            for column in zip(*rows, strict=True)
        )

    def __deepcopy__(self, memo: dict) -> PrefixCache:
        return PrefixCache(self.budget / 2**20)

    def __getstate__(self) -> dict:
        return {**self.__dict__, '_entries': {}, 'used': 0}

    def _keep(self, key: bytes, entry: tuple[Tensor, ...]) -> None:
        size = sum(tensor.numel() * tensor.element_size() for tensor in entry)
        if key not in self._entries and self.used + size <= self.budget:
            # Copies: a slice would keep the whole batch that it was cut from.
            self._entries[key] = tuple(t.detach().to('cpu', copy=True) for t in entry)
            self.used += size


def _digest(video: Tensor) -> bytes:
    data = video.detach().to('cpu').contiguous()
    return hashlib.blake2b(data.view(torch.uint8).numpy(), digest_size=16).digest()

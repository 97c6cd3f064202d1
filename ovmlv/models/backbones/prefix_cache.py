"""A cache, in memory and on disk, of what the frozen part of an image tower gave for a video."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ovmlv.files import whole_file
from ovmlv.models.utils.portions import PORTION
from ovmlv.models.utils.weight_watch import WeightWatch, tensor_fingerprint


class PrefixCache:
    """Tokens of videos seen before, found by the content of their frames.

    The key is a hash of the pixels, so that no augmentation, sampling or file name can lead to
    tokens of other frames; with a pipeline that draws other frames every time, the cache is merely
    of no use. Entries in memory are dropped when the weights behind them change, and names of files
    hold a hash of all those weights. When the budget is used up, further videos are computed every
    time.

    Args:
        megabytes: Budget of memory.
        folder: Folder that keeps the tokens too, for the next training with the same frozen
            weights; nothing is ever removed there.
        owner: Name of what computes the tokens; it is part of the names of files.
    """

    def __init__(self, megabytes: float, folder: str | Path | None = None, owner: str = '') -> None:
        self.budget = int(megabytes * 2**20)
        self.folder = None if folder is None else Path(folder)
        self.owner = owner
        self.used = 0
        self.hits = self.misses = 0
        self._entries: dict[bytes, tuple[Tensor, ...]] = {}
        self._watch = WeightWatch()
        self._weights = ''

    def __call__(
        self,
        videos: Tensor,
        compute: Callable[[Tensor], tuple[Tensor, ...]],
        weights: Sequence[Tensor] = (),
    ) -> tuple[Tensor, ...]:
        """Give what ``compute`` gives for the videos, one tensor with B or B * T rows each.

        Args:
            videos: ``(B, C, T, H, W)``
            compute: Function that is called with those videos that were not seen before.
            weights: All weights that its result depends on.
        """
        self._follow(weights)
        # The number format of a pass is part of what it computes.
        kind = videos.device.type
        autocast = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind)
        suffix = str((videos.dtype, autocast)).encode()
        keys = [_digest(video) + suffix for video in videos]
        found = {key: self._entries.get(key) or self._read(key) for key in keys}
        missing = [i for i, key in enumerate(keys) if found[key] is None]
        self.misses += len(missing)
        self.hits += len(keys) - len(missing)
        for part in (missing[i : i + PORTION] for i in range(0, len(missing), PORTION)):
            results = (r.unflatten(0, (len(part), -1)) for r in compute(videos[part]))
            for i, entry in zip(part, zip(*results, strict=True), strict=True):
                found[keys[i]] = entry
                self._keep(keys[i], entry)
        return tuple(
            torch.cat([row.to(videos.device) for row in column])
            for column in zip(*(found[key] for key in keys), strict=True)
        )

    def _follow(self, weights: Sequence[Tensor]) -> None:
        """Forget what was computed with other weights."""
        if self._watch.changed(weights):
            self._entries, self.used = {}, 0
            # Files of weights that were here before, or are in another run, are found again.
            self._weights = '' if self.folder is None else tensor_fingerprint(weights)

    def __deepcopy__(self, memo: dict) -> PrefixCache:
        return PrefixCache(self.budget / 2**20, self.folder, self.owner)

    def __getstate__(self) -> dict:
        return {**self.__dict__, '_entries': {}, 'used': 0}

    def _keep(self, key: bytes, entry: tuple[Tensor, ...], write: bool = True) -> None:
        # Copies: a slice would keep the whole batch that it was cut from.
        contiguous = torch.contiguous_format
        entry = tuple(t.detach().to('cpu', copy=True, memory_format=contiguous) for t in entry)
        size = sum(tensor.numel() * tensor.element_size() for tensor in entry)
        if key not in self._entries and self.used + size <= self.budget:
            self._entries[key] = entry
            self.used += size
        if write and self.folder is not None:
            path = self._path(key)
            with whole_file(path) as scratch:
                save_file({str(i): tensor for i, tensor in enumerate(entry)}, scratch)

    def _read(self, key: bytes) -> tuple[Tensor, ...] | None:
        """The entry of a file, or None if there is none that can be read."""
        if self.folder is None:
            return None
        try:
            tensors = load_file(self._path(key))
            entry = tuple(tensors[str(i)] for i in range(len(tensors)))
        except (OSError, SafetensorError, KeyError):
            return None
        self._keep(key, entry, write=False)
        return entry

    def _path(self, key: bytes) -> Path:
        assert self.folder is not None
        name = hashlib.sha256(f'{self.owner} {self._weights} '.encode() + key).hexdigest()[:32]
        return self.folder / name[:2] / f'{name}.safetensors'


def _digest(video: Tensor) -> bytes:
    # Processors have instructions for this hash, and none for most others.
    data = video.detach().to('cpu').contiguous()
    return hashlib.sha256(data.view(torch.uint8).numpy().data).digest()[:16]

"""What to do with videos that cannot be read: note each once, across workers, and replace it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import av  # noqa: F401 - before decord, whose own codec libraries else take the place of PyAV's
import numpy as np
import torch

from ovmlv.errors import UnreadableVideoError

try:  # decord is what the pipelines use, but reading annotations needs none
    from decord import DECORDError
except ImportError:
    DECORDError = OSError


__all__ = [
    'READ_ERRORS',
    'FailureFlags',
    'UnreadableVideoError',
    'black_frames',
    'describe_failure',
    'run_until_frames',
]

#: What decoders raise for missing and damaged files. Errors of the config or of a transform
#: (KeyError, TypeError, ValueError, ...) are not among them, so that they are not taken for a
#: damaged video.
READ_ERRORS = (OSError, EOFError, RuntimeError, IndexError, ZeroDivisionError, DECORDError)


class FailureFlags:
    """One flag for each sample in shared memory, so that all workers count together.

    Args:
        size: Number of samples.
    """

    def __init__(self, size: int) -> None:
        self.flags = torch.zeros(size, dtype=torch.uint8).share_memory_()

    def add(self, index: int) -> bool:
        """Note a failure; return True if it is the first one of this sample."""
        first = not bool(self.flags[index])
        self.flags[index] = 1
        return first

    def indices(self) -> list[int]:
        """Samples that failed so far, in any worker."""
        return self.flags.nonzero().flatten().tolist()

    def __len__(self) -> int:
        return int(self.flags.sum())


def run_until_frames(transforms: Sequence[Callable], data: dict) -> tuple[dict | None, int]:
    """Apply transforms until ``imgs`` exists.

    Returns:
        The data (None if a transform gave it up), and the number of transforms applied.
    """
    for done, transform in enumerate(transforms, 1):
        data = transform(data)
        if data is None or 'imgs' in data:
            return data, done
    return data, len(transforms)


def black_frames(
    transforms: Sequence[Callable], data: dict, shape: tuple[int, int]
) -> tuple[dict, int]:
    """Like :func:`run_until_frames`, with a black video in place of the file.

    The samplers run, so that the number of frames and views is right; transforms that open or
    decode the file are left out. These are known by MMAction2's naming: ``VideoInit``,
    ``DecordInit``, ``VideoDecode``, ...

    Args:
        transforms: The pipeline.
        data: The sample before the pipeline.
        shape: Height and width of the frames.
    """
    rate, segment = 30.0, data.get('segment')
    # Long enough for samplers that refuse short videos.
    data = dict(data, total_frames=int(rate * (100 + (segment[1] if segment else 0))), avg_fps=rate)
    for done, transform in enumerate(transforms, 1):
        name = type(transform).__name__
        if name.endswith('Init'):
            continue
        if name.endswith('Decode'):
            count = np.asarray(data['frame_inds']).size
            frame = np.zeros((*shape, 3), dtype=np.uint8)
            return dict(data, imgs=[frame] * count, original_shape=shape, img_shape=shape), done
        data = transform(data)
    raise UnreadableVideoError(
        f'{data.get("filename")}: no transform named *Decode in the pipeline, so no black frames '
        "can stand in for this unreadable video; use on_error='raise'"
    )


def describe_failure(error: BaseException) -> str:
    """Type and first line of an error, without the clock and source lines that decord puts
    there.
    """
    text = re.sub(r'\[\d\d:\d\d:\d\d\] \S+?:\d+: ', '', str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f'{type(error).__name__}: {lines[0][:300] if lines else "no message"}'

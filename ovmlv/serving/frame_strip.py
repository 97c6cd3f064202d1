"""Frames of a video that are shown, with embeddings to tell which of them speak for a label."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from ovmlv.apis.video_reader import fit_frames
from ovmlv.datasets.decoders import open_video

_WIDTH, _HEIGHT, _QUALITY = 320, 240, 80
#: Pixels of frames that are in memory at once: 24 frames of 4K would be 600 MB.
_PIXELS = 2**24


@dataclass(frozen=True, eq=False)
class FrameStrip:
    """N frames, spread evenly.

    Attributes:
        times: Begin and end of each in seconds.
        pictures: JPEG files of at most 320 x 240 pixels.
        embeddings: Unit vectors ``(N, 1, E)``: of each frame as a video of its own.
    """

    times: tuple[tuple[float, float], ...]
    pictures: tuple[bytes, ...]
    embeddings: np.ndarray


@torch.no_grad()
def read_strip(path: Path, model: nn.Module, count: int) -> FrameStrip:
    """Take at most ``count`` frames of a video, each from the middle of its part of the video.

    Raises:
        UnreadableVideoError: A frame cannot be decoded.
    """
    size = getattr(model.backbone, 'image_size', None)
    device = next(model.parameters()).device
    reader = open_video(path)
    try:
        total = len(reader)
        count = min(count, total)
        wanted = ((np.arange(count) + 0.5) * total / count).astype(np.int64)
        pictures, vectors, step, start = [], [], 1, 0
        while start < count:
            frames = reader.get_frames(wanted[start : start + step])
            pictures += [_picture(frame) for frame in frames]
            inputs = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
            inputs = fit_frames(inputs, size)[:, None, :, None].to(device)
            vectors.append(model.encode_views(model.data_preprocessor.normalize(inputs)).cpu())
            start += len(frames)
            step = max(1, _PIXELS // (frames[0].shape[0] * frames[0].shape[1]))
        times = tuple((float(a), float(b)) for a, b in reader.times[wanted])
    finally:
        reader.close()
    return FrameStrip(times, tuple(pictures), torch.cat(vectors).float().numpy())


def _picture(frame: np.ndarray) -> bytes:
    image = Image.fromarray(frame)
    image.thumbnail((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, 'JPEG', quality=_QUALITY)
    return buffer.getvalue()

"""From video files to rows of an index, by the inferencer's reader and model."""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ovmlv.apis import EncodedVideo, OVMLVInferencer
from ovmlv.apis.video_reader import Clip, VideoReader
from ovmlv.errors import ConfigError, DataError
from ovmlv.results import Timings

from .fragment import EncodedWindows
from .settings import Reading
from .video_rows import VideoRow, content_digest

_QUALITY = 70


class WatchedVideo:
    """A file whose content is hashed and whose pictures are kept while its clips go by.

    It is a ``ClipSource``: what the inferencer takes for a video that is read elsewhere.

    Args:
        row: The file.
        reader: Reads its clips.
        thumbnail: Longer side of the thumbnails in pixels; 0 makes none.
    """

    def __init__(self, row: VideoRow, reader: VideoReader, thumbnail: int) -> None:
        self.name = row.path
        self.row, self.reader, self.size = row, reader, thumbnail
        self.thumbnails: list[bytes | None] = []

    def clips(self, window: float | None, stride: float | None) -> Iterator[Clip]:
        """See ``VideoReader.clips``.

        Raises:
            DataError: The file cannot be read, or is being written.
        """
        self.row = replace(self.row, digest=content_digest(self.name))
        for clip in self.reader.clips(self.name, window, stride):
            self.thumbnails.append(thumbnail_of(clip.inputs, self.size) if self.size else None)
            yield clip
        if not self.row.is_of(os.stat(self.name)):
            raise DataError(f'video {self.name} was changed while it was read; add it again')


def encode_rows(
    inferencer: OVMLVInferencer,
    rows: Iterable[VideoRow],
    reading: Reading,
    thumbnail: int,
    batch_size: int | None = None,
) -> Iterator[tuple[EncodedWindows, Timings]]:
    """Encode files; clips of several files go through the model together.

    Args:
        inferencer: Inferencer with the model.
        rows: The files.
        reading: How they are read.
        thumbnail: See :class:`WatchedVideo`.
        batch_size: Clips that go through the model at once; None takes the inferencer's.

    Yields:
        Each file in its order, bad ones as well, with the time that it took.
    """
    model = inferencer.model
    reader = VideoReader(
        model.cfg,
        inferencer.pipeline,
        reading.num_frames,
        reading.num_clips,
        model.backbone.image_size,
    )
    waiting: deque[WatchedVideo] = deque()

    def sources() -> Iterator[WatchedVideo]:
        for row in rows:
            waiting.append(WatchedVideo(row, reader, thumbnail))
            yield waiting[-1]

    for video in inferencer.iterate_encoded(
        sources(),
        batch_size=batch_size,
        window=reading.window,
        stride=reading.stride,
        on_error='report',
    ):
        source = waiting.popleft()
        if isinstance(video, EncodedVideo):
            rows_of_video = _windows_of(video, source, model.average_views)
            yield rows_of_video, video.timings or Timings(0, 0)
        else:
            bad = EncodedWindows.bad(source.row, video.error, model.backbone.embed_dim)
            yield bad, Timings(0, 0)


def _windows_of(video: EncodedVideo, source: WatchedVideo, average: str) -> EncodedWindows:
    if video.windows:
        starts = np.array([window.start for window in video.windows])
        ends = np.array([window.end for window in video.windows])
    else:
        known = video.duration is not None
        starts = np.array([0.0 if known else np.nan])
        ends = np.array([video.duration if known else np.nan], np.float64)
    row = replace(source.row, duration=video.duration, fps=video.fps, windows=len(starts))
    vectors = pool_views(torch.from_numpy(video.embeddings), average)
    return EncodedWindows(row, starts, ends, vectors.numpy(), source.thumbnails)


def pool_views(views: Tensor, average: str) -> Tensor:
    """One vector a window, float16 ``(N, E)``, of unit vectors ``(N, M, E)``.

    Raises:
        ConfigError: Probabilities of views are averaged, which no single vector stands for.
    """
    if average == 'probability' and views.shape[1] > 1:
        raise ConfigError(
            f'the model averages probabilities of {views.shape[1]} views (average_views='
            "'probability'), but an index keeps one vector a window; set num_clips to 1"
        )
    pooled = views.mean(1)
    if average == 'embedding':
        pooled = torch.nn.functional.normalize(pooled, dim=-1)
    return pooled.half()


def thumbnail_of(inputs: Tensor, size: int) -> bytes | None:
    """A JPEG of the frame in the middle of a clip, as the model sees it.

    Args:
        inputs: uint8 ``(..., C, T, H, W)``, of which the first view is taken. Of other types there
            is no picture.
        size: Longer side in pixels; a smaller picture stays as it is.
    """
    if inputs.dtype != torch.uint8 or inputs.ndim < 4 or inputs.shape[-4] != 3:
        return None
    clip = inputs.reshape(-1, *inputs.shape[-4:])[0]
    picture = Image.fromarray(clip[:, clip.shape[1] // 2].permute(1, 2, 0).contiguous().numpy())
    picture.thumbnail((size, size))
    buffer = io.BytesIO()
    picture.save(buffer, 'JPEG', quality=_QUALITY)
    return buffer.getvalue()

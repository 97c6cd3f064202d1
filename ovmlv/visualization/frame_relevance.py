"""Frames that speak for a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ovmlv.apis.encoded_video import EncodedVideo
from ovmlv.apis.video_reader import fit_frames
from ovmlv.errors import ConfigError, VocabularyError
from ovmlv.models.contracts import Recognizer
from ovmlv.results import Window, source_name

from .canvas import Canvas
from .contact_sheet import FAINT, INK, RULE
from .percent import percent
from .pictures import check_picture, save_picture
from .strip import read_strip, shrink
from .timeline import clock

if TYPE_CHECKING:
    from ovmlv.apis.ovmlv_inferencer import Labels, OVMLVInferencer

_MARGIN, _GAP, _FRAME, _CAPTION = 16, 10, 84, 15
_WIDEST = 900
_BEST = (24, 98, 168)
_LEAST = 0.05  # below it, even the best frame hardly speaks for a label
_AT_ONCE = 16  # frames that go through the model
_KEPT = 448  # height of frames in memory


class FrameScore(NamedTuple):
    """A frame and how much it speaks for a label."""

    number: int
    time: float
    probability: float


@dataclass(frozen=True, eq=False)
class FrameRelevance:
    """Probabilities of labels for single frames, each seen as a video of its own.

    Single frames show no motion; for motion, call :meth:`OVMLVInferencer.__call__` with windows.

    Attributes:
        video: Path or name.
        labels: C labels.
        pictures: T frames, RGB uint8 ``(T, H, W, 3)``.
        times: Begin and end of each frame in seconds ``(T, 2)``.
        probabilities: float32 ``(T, C)``.
    """

    video: str
    labels: tuple[str, ...]
    pictures: np.ndarray
    times: np.ndarray
    probabilities: np.ndarray

    def best(self, label: str, k: int = 4) -> list[FrameScore]:
        """The k frames that speak most for a label, best first."""
        if label not in self.labels:
            raise VocabularyError(f'{label!r} is none of the labels; ask for one of them')
        values = self.probabilities[:, self.labels.index(label)]
        order = np.argsort(-values, kind='stable')[:k]
        return [FrameScore(int(i), float(self.times[i, 0]), float(values[i])) for i in order]


def frame_relevance(
    inferencer: OVMLVInferencer,
    video: str | Path | np.ndarray,
    labels: Labels | None = None,
    num_frames: int = 16,
    fps: float = 1.0,
) -> FrameRelevance:
    """Score single frames of a video, spread over its length.

    Args:
        inferencer: Inferencer with the model; its calibration is applied.
        video: Path of a video file, or its frames uint8 ``(T, H, W, 3)``.
        labels: See ``OVMLVInferencer.iterate``; None takes the inferencer's.
        num_frames: Number of frames; the video is decoded once.
        fps: Frames a second of an array.
    """
    strip = read_strip(video, num_frames, _KEPT, fps)
    inferencer.num_decoded += 1
    encoded = EncodedVideo(
        source_name(video),
        encode_frames(inferencer.model, strip.pictures),
        tuple(Window(float(a), float(b)) for a, b in strip.times),
    )
    result = inferencer.score(encoded, labels)
    assert result.window_probabilities is not None  # there are windows
    return FrameRelevance(
        result.video, result.labels, strip.pictures, strip.times, result.window_probabilities
    )


@torch.no_grad()
def encode_frames(model: Recognizer, frames: np.ndarray) -> np.ndarray:
    """Embeddings of frames, each as a video of one frame.

    Args:
        model: A recognizer.
        frames: RGB uint8 ``(T, H, W, 3)`` of any size.

    Returns:
        Unit vectors float32 ``(T, 1, E)``, as for T windows of one view.
    """
    size = model.backbone.image_size
    device = next(model.parameters()).device
    inputs = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    parts = [
        model.encode_views(fit_frames(part, size)[:, None, :, None].to(device)).float().cpu()
        for part in inputs.split(_AT_ONCE)
    ]
    return torch.cat(parts).numpy()


def draw_frame_relevance(
    relevance: FrameRelevance,
    out: str | Path,
    labels: Sequence[str] | None = None,
    top_k: int = 5,
    max_frames: int = 10,
    title: str | None = None,
    scale: int = 2,
) -> Path:
    """Draw the frames for each label; frames that speak less for it are paler.

    Args:
        relevance: Result of :func:`frame_relevance`.
        out: Picture to write: ``.png``, ``.jpg`` or ``.webp``.
        labels: Labels to draw; None takes the ``top_k`` with the highest probability in any frame.
        top_k: See ``labels``.
        max_frames: Number of frames to draw; the best one of each label is always among them.
        title: Heading; None takes the name of the video.
        scale: Pixels for each unit; 2 is sharp on screens of high resolution.
    """
    out = check_picture(out)
    if min(top_k, max_frames, scale) < 1:
        raise ConfigError(
            f'top_k={top_k}, max_frames={max_frames} and scale={scale} must be at least 1'
        )
    table = relevance.probabilities
    if labels is None:
        order = np.argsort(-table.max(0), kind='stable')[:top_k]
        labels = [relevance.labels[i] for i in order]
    title = Path(relevance.video).name if title is None else title
    pictures = shrink(relevance.pictures, 2 * _FRAME)
    width = max(1, round(_FRAME * pictures.shape[2] / pictures.shape[1]))
    count = max(1, min(len(pictures), max_frames, _WIDEST // (width + _GAP)))
    top = _MARGIN + (28 if title else 0)
    row = 20 + _FRAME + _CAPTION + 12
    size = (2 * _MARGIN + max(count * (width + _GAP) - _GAP, 240), top + row * len(labels) + 4)
    canvas = Canvas(*size, scale)
    if title:
        canvas.text(_MARGIN, _MARGIN + 7, title, 13, INK, True, room=size[0] - 2 * _MARGIN)
    for j, label in enumerate(labels):
        y = top + j * row
        best = relevance.best(label, 1)[0].number
        values = table[:, relevance.labels.index(label)]
        canvas.box(_MARGIN, y - 5, size[0] - 2 * _MARGIN, 1, RULE)
        canvas.text(_MARGIN, y + 8, label, 11.5, INK, True, room=size[0] - 2 * _MARGIN)
        for i, t in enumerate(_spread(len(pictures), count, best)):
            x = _MARGIN + i * (width + _GAP)
            share = float(values[t] / max(values[best], _LEAST))
            strength = 0.25 + 0.75 * share  # never so pale that it cannot be seen
            pale = 255 - (255 - pictures[t].astype(np.float32)) * strength
            if t == best:
                canvas.box(x - 2.5, y + 17.5, width + 5, _FRAME + 5, _BEST, 2)
            canvas.picture(x, y + 20, width, _FRAME, pale.round().astype(np.uint8))
            color = _BEST if t == best else FAINT
            y_text = y + 20 + _FRAME + 4 + _CAPTION / 2
            text = percent(float(values[t]))
            taken = canvas.text(x, y_text, text, 9.5, color, t == best)
            time = clock(float(relevance.times[t, 0]), 0.1)
            if canvas.measure(time, 9) + taken + 8 <= width:
                canvas.text(x + width, y_text, time, 9, FAINT, anchor='rm')
    return save_picture(canvas.pixels(), out)


def _spread(total: int, count: int, always: int) -> list[int]:
    """``count`` of ``total`` numbers, evenly spread; a given number is one of them."""
    chosen = ((np.arange(count) + 0.5) * total / count).astype(int)
    chosen[np.abs(chosen - always).argmin()] = always
    return sorted(chosen.tolist())

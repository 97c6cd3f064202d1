"""The frames that a temporal module looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError, DataError
from ovmlv.models.contracts import Recognizer, VideoEncoder
from ovmlv.models.temporal import (
    CrossFrameMessage,
    FrameTransformer,
    GridFrameTransformer,
    ParallelTemporalAttention,
)

from .style import COLORS, FAINT, INK, chart, save

if TYPE_CHECKING:
    from ovmlv.apis.ovmlv_inferencer import OVMLVInferencer
    from ovmlv.apis.video_reader import VideoSource

_TRANSFORMERS = (FrameTransformer, GridFrameTransformer)
_SHOWN = (ParallelTemporalAttention, CrossFrameMessage, *_TRANSFORMERS)


@torch.no_grad()
def frame_attention(backbone: VideoEncoder, video: Tensor) -> dict[str, Tensor]:
    """Attention over the frames of a video.

    Args:
        backbone: A ``TemporalCLIPBackbone``.
        video: Normalised ``(C, T, H, W)``.

    Returns:
        Name of the block or layer -> weights ``(N, heads, T, T)`` with which a frame (row) reads
        each frame (column), at each of N token positions (one for modules between frames).

    Raises:
        ConfigError: The temporal module has no attention over frames alone.
    """
    temporal = backbone.temporal
    if temporal is None:
        raise ConfigError(
            f'{type(backbone).__name__} has no temporal module here, and so no attention over '
            'frames to show'
        )
    with _recorded(temporal) as found:
        backbone(video[None])
    if not found:
        raise ConfigError(
            f'{type(temporal).__name__} has no attention over frames to show; those that have: '
            f'{", ".join(kind.__name__ for kind in _SHOWN)}'
        )
    return found


def video_attention(
    model: OVMLVInferencer | Recognizer, video: VideoSource, num_frames: int | None = None
) -> tuple[dict[str, Tensor], np.ndarray]:
    """Attention over the frames of a video file, read as the model's test pipeline does.

    Args:
        model: An ``OVMLVInferencer``, or a recognizer from :func:`~ovmlv.apis.open_model`.
        video: Path, binary file object, or frames uint8 ``(T, H, W, 3)``.
        num_frames: Frames of a clip, in place of the pipeline's.

    Returns:
        What :func:`frame_attention` returns, and the frames of the middle view, RGB uint8
        ``(T, H, W, 3)``.
    """
    from ovmlv.apis.ovmlv_inferencer import OVMLVInferencer
    from ovmlv.apis.video_reader import VideoReader

    recognizer: Any = model
    pipeline = None
    if isinstance(model, OVMLVInferencer):
        recognizer, pipeline = model.model, model.pipeline
    backbone = recognizer.backbone
    views = VideoReader(recognizer.cfg, pipeline, num_frames, None, backbone.image_size)(video)
    view = views[len(views) // 2]  # (C, T, H, W), bytes
    device = next(recognizer.parameters()).device
    inputs = recognizer.data_preprocessor.normalize(view[None].to(device))[0]
    return frame_attention(backbone, inputs), view.permute(1, 2, 3, 0).numpy()


@contextmanager
def _recorded(temporal: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Collect the attention of every part of a temporal module while it runs."""
    found: dict[str, Tensor] = {}
    handles = []

    def watch(module: nn.Module, name: str, read: Any) -> None:
        def hook(module: nn.Module, inputs: tuple, _: Any) -> None:
            found[name] = read(module, *inputs).float().cpu()

        handles.append(module.register_forward_hook(hook))

    if isinstance(temporal, ParallelTemporalAttention):
        for index, branch in temporal.branches.items():
            watch(branch, f'block {index}', lambda m, x, t: m.attention(x, t)[0])
    elif isinstance(temporal, CrossFrameMessage):
        for index, branch in temporal.branches.items():
            watch(branch, f'block {index}', _messages)
    elif isinstance(temporal, _TRANSFORMERS):

        def layers(module: nn.Module, inputs: tuple, _: Any) -> None:
            found.update(_transformer(module, inputs[-1]))

        handles.append(temporal.register_forward_hook(layers))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _messages(branch: Any, sender: Tensor) -> Tensor:
    """Attention in X-CLIP's exchange between the messages of frames."""
    y = branch.norm(branch.write(sender))
    return branch.exchange(y, y, y, average_attn_weights=False)[1]


def _transformer(module: Any, inputs: Tensor) -> dict[str, Tensor]:
    """Attention in the layers of a transformer over frames, one after the other."""
    y = module.embed(inputs)
    found = {}
    for i, layer in enumerate(module.layers.layers):
        z = layer.norm1(y)
        found[f'layer {i}'] = layer.self_attn(z, z, z, average_attn_weights=False)[1].cpu()
        y = layer(y)
    return found


def draw_attention(
    attention: Mapping[str, Tensor], frames: np.ndarray, path: str | Path, title: str = ''
) -> Path:
    """Draw the frames, how much attention each receives, and which frame reads which.

    Args:
        attention: Result of :func:`frame_attention`.
        frames: RGB uint8 ``(T, H, W, 3)``.
        path: Picture to write.
        title: Heading.
    """
    num_frames = len(frames)
    for name, weights in attention.items():
        if weights.shape[-1] != num_frames:
            raise DataError(
                f'{name} has attention over {weights.shape[-1]} frames, not {num_frames}'
            )
    heads = max(w.shape[1] for w in attention.values())
    columns = min(heads, 4) + 1
    rows = len(attention)
    width = max(1.9 * columns + 1.0, 0.9 * num_frames + 0.6)
    with chart(1, 1, (width, 2.6 + 2.35 * rows)) as (figure, _):
        figure.clear()
        parts: Any = figure.subfigures(2, 1, height_ratios=[2.3, 2.35 * rows])
        top, bottom = parts
        _draw_strip(top, attention, frames, title)
        axes = bottom.subplots(rows, columns, squeeze=False)
        for line, (name, weights) in zip(axes, attention.items(), strict=True):
            mean = weights.mean(0)  # over token positions
            whole = mean.mean(0)
            _draw_map(
                line[0], whole, f'{name}, mean (up to {float(whole.max()):.2f})', float(whole.max())
            )
            # The heads that differ most from reading every frame alike.
            focus = (mean * (mean * num_frames).clamp_min(1e-9).log()).sum(-1).mean(-1)
            best = focus.argsort(descending=True)[: columns - 1].tolist()
            for ax, head in zip(line[1:], best):
                _draw_map(ax, mean[head], f'head {head}', 1.0)
            for ax in line[1 + len(best) :]:
                ax.set_visible(False)
        for line in axes:
            line[0].set_ylabel('frame that reads')
        for ax in axes[-1]:
            ax.set_xlabel('frame that is read')
        return save(figure, path)


def _draw_strip(
    figure: Any, attention: Mapping[str, Tensor], frames: np.ndarray, title: str
) -> None:
    """Draw frames in a row, and under them a line for each block of the attention they get."""
    num_frames = len(frames)
    axes = figure.subplots(2, 1, height_ratios=[1.2, 1], sharex=True)
    height, width = frames.shape[1:3]
    for t, frame in enumerate(frames):
        half = 0.47 * min(1, width / height)
        axes[0].imshow(frame, extent=(t - half, t + half, 0, 0.94 * height / max(width, height)))
    axes[0].set(xlim=(-0.6, num_frames - 0.4), ylim=(0, 0.96), title=title, aspect='auto')
    axes[0].axis('off')
    for i, (name, weights) in enumerate(attention.items()):
        received = weights.mean((0, 1, 2)).numpy()  # its mean is 1 / T
        axes[1].plot(
            range(num_frames), num_frames * received, 'o-', markersize=4,
            color=COLORS[i % len(COLORS)], label=name,
        )  # fmt: skip
    axes[1].axhline(1, color=FAINT, linestyle='--', linewidth=1)
    axes[1].set(xticks=range(num_frames), ylabel='attention received\n(1: as if even)')
    axes[1].set_ylim(bottom=0)
    if len(attention) > 1:
        axes[1].legend(fontsize=8, ncols=2)


def _draw_map(ax: Any, weights: Tensor, title: str, highest: float) -> None:
    ax.imshow(weights.numpy(), cmap='Blues', vmin=0, vmax=float(highest), interpolation='nearest')
    ax.set_title(title, fontsize=8, color=INK)
    ax.grid(visible=False)
    ticks = range(0, weights.shape[-1], max(1, weights.shape[-1] // 4))
    ax.set_xticks(ticks)
    ax.set_yticks(ticks)
    ax.tick_params(length=0, labelsize=7)

"""Rows of inference: files to embeddings, against a plain script over open_clip and PyAV.

Beside it stands the export of the same model to ONNX, which onnxruntime runs without torch.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from ovmlv.apis import OVMLVInferencer
from ovmlv.export import export_model
from ovmlv.runtime import VideoTagger
from ovmlv.runtime.frames import make_views
from ovmlv.runtime.video_file import read_frames

from .reading import write_video
from .side_by_side import Row, Side, difference


def rows(args: argparse.Namespace) -> Iterator[Row]:
    """A row for each number of videos a batch: short files of 640 x 360 pixels."""
    torch.manual_seed(args.seed)
    clip, _, transform = open_clip.create_model_and_transforms(args.clip, pretrained=None)
    clip.eval()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / 'clip.safetensors'
        save_file(clip.state_dict(), str(weights))
        inferencer = OVMLVInferencer(args.clip, weights, device=args.device)
        clip.to(args.device)
        videos = []
        for i in range(max(args.batches)):
            videos.append(Path(folder) / f'{i:02}.mp4')
            write_video(videos[-1], (640, 360), args.seed + i, frames=90)
        tagger = None
        if args.device == 'cpu' and args.dtype == 'float32':
            export_model(inferencer.model, ['a label'], folder, check=False)
            tagger = VideoTagger(folder, num_threads=args.threads)
        for batch in args.batches:
            yield _row(args, clip, transform, inferencer, tagger, videos[:batch])


def _row(
    args: argparse.Namespace,
    clip: Any,
    transform: Any,
    inferencer: Any,
    tagger: VideoTagger | None,
    videos: list[Path],
) -> Row:
    count = inferencer.model.backbone.num_frames

    def ours() -> Tensor:
        encoded = inferencer.iterate_encoded(videos, batch_size=len(videos))
        return torch.stack([torch.as_tensor(video.embeddings[0, 0]) for video in encoded])

    def check(found: dict[str, Any]) -> str:
        theirs, *others = (F.normalize(value.float(), dim=-1) for value in found.values())
        cosine = min(float((theirs * mine).sum(-1).min()) for mine in others)
        assert cosine > 0.999, cosine
        apart = max(difference(theirs, mine) for mine in others)
        return (
            f'the same frames; cosine of the embeddings {cosine:.5f} at least (frames are made '
            f'smaller by another library), values {apart:.1e} apart'
        )

    sides = [
        Side('a script of open_clip and PyAV', lambda: script(clip, transform, videos, count)),
        Side('ovmlv', ours, goal=1.0),
    ]
    if tagger is not None:
        sides.append(Side('ovmlv.runtime on ONNX', lambda: by_onnx(tagger, videos)))
    name = f'inference, from files: {len(videos)} videos, {args.clip}, {count} frames each'
    return Row(name, sides, check, (len(videos), 'videos'))


@torch.inference_mode()
def script(clip: Any, transform: Any, videos: list[Path], count: int) -> Tensor:
    """What an engineer writes: decode each file, take frames from it, encode them in one batch.

    Returns:
        ``(N, E)``
    """
    inputs = []
    for video in videos:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            total = stream.frames  # as the file says
            wanted = set(((np.arange(count) + 0.5) * total / count).astype(int).tolist())
            for i, frame in enumerate(container.decode(stream)):
                if i in wanted:
                    inputs.append(transform(frame.to_image()))
                    if i == max(wanted):
                        break
    device = next(clip.parameters()).device
    frames = clip.encode_image(torch.stack(inputs).to(device))
    return F.normalize(frames.unflatten(0, (len(videos), count)).mean(1), dim=-1).cpu()


def by_onnx(tagger: VideoTagger, videos: list[Path]) -> Tensor:
    """The same by the exported model, ``(N, E)``; frames of all videos go through it together."""
    meta = tagger.meta
    frames = [
        make_views(clips[0], meta.image_size, meta.short_side, meta.num_crops, meta.squash)
        for clips in (read_frames(video, meta.num_frames, meta.num_clips) for video in videos)
    ]
    return torch.from_numpy(tagger.encode(np.stack(frames))[:, 0])

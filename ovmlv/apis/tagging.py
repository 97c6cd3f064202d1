"""Probabilities of any labels for any video files, in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn

from ovmlv.evaluation.score_calibration import Calibration

from .label_bank import LabelBank
from .ovmlv_inferencer import OVMLVInferencer
from .tag_result import TagResult


def tag_video(
    model: nn.Module,
    video: str | Path,
    labels: Sequence[str] | LabelBank,
    pipeline: Sequence[dict | Callable] | None = None,
    num_frames: int | None = None,
    num_clips: int | None = None,
    calibration: Calibration | str | Path | None = None,
) -> TagResult:
    """Tag one video; :class:`OVMLVInferencer` does more.

    Embeddings of labels are computed once, for as long as the same labels are asked for.

    Args:
        model: From :func:`init_recognizer`.
        video: Path of a video file.
        labels: Any texts, without duplicates; or a bank of labels that were encoded before.
        pipeline: Transforms to read the video with, instead of the config's test pipeline.
        num_frames: Frames of a clip, instead of the pipeline's.
        num_clips: Clips of the video to average over, instead of the pipeline's.
        calibration: See :class:`OVMLVInferencer`.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: It cannot be decoded.
        VocabularyError: A label is empty, no text, or given twice.
    """
    inferencer = OVMLVInferencer(model, calibration=calibration, pipeline=pipeline)
    return inferencer.score(inferencer.encode(video, None, None, num_frames, num_clips), labels)


def tag_videos(
    model: nn.Module,
    videos: Sequence[str | Path],
    labels: Sequence[str] | LabelBank,
    pipeline: Sequence[dict | Callable] | None = None,
    num_frames: int | None = None,
    num_clips: int | None = None,
    batch_size: int = 8,
    on_error: str = 'raise',
    calibration: Calibration | str | Path | None = None,
) -> list[TagResult]:
    """Tag several videos with the same labels, in batches.

    Args:
        model: See :func:`tag_video`.
        videos: Paths of video files.
        labels: See :func:`tag_video`.
        pipeline: See :func:`tag_video`.
        num_frames: See :func:`tag_video`.
        num_clips: See :func:`tag_video`.
        batch_size: Videos that go through the model at once.
        on_error: For a file that is missing or damaged: ``raise``, or ``report`` it in its result
            and in the log.
        calibration: See :func:`tag_video`.

    Returns:
        One result a video, in their order.
    """
    if isinstance(videos, (str, Path)):
        raise TypeError(f'videos is the single path {str(videos)!r}; write [{str(videos)!r}]')
    inferencer = OVMLVInferencer(model, calibration=calibration, pipeline=pipeline)
    return inferencer(
        list(videos),
        labels,
        batch_size=batch_size,
        num_frames=num_frames,
        num_clips=num_clips,
        on_error=on_error,
    )

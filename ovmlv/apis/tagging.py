"""Probabilities of any labels for any video files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

from ovmlv.errors import ConfigError, DataError, VocabularyError
from ovmlv.evaluation.score_calibration import Calibration
from ovmlv.models.heads.base_prompt_head import check_labels

from .label_bank import LabelBank
from .tag_result import TagResult
from .video_reader import VideoReader


def tag_video(
    model: nn.Module,
    video: str | Path,
    labels: Sequence[str] | LabelBank,
    pipeline: Sequence[dict | Callable] | None = None,
    num_frames: int | None = None,
    num_clips: int | None = None,
    calibration: Calibration | str | Path | None = None,
) -> TagResult:
    """Tag one video.

    Embeddings of labels are computed once, for as long as the same labels are asked for.

    Args:
        model: From :func:`init_recognizer`.
        video: Path of a video file.
        labels: Any texts, without duplicates; or a bank of labels that were encoded before.
        pipeline: Transforms to read the video with, instead of the config's test pipeline.
        num_frames: Frames of a clip, instead of the pipeline's.
        num_clips: Clips of the video to average over, instead of the pipeline's.
        calibration: Applied to the probabilities, and its thresholds to :meth:`TagResult.present`;
            or its file, see ``tools/analysis_tools/fit_calibration.py``.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: It cannot be decoded.
        VocabularyError: A label is empty, no text, or given twice.
    """
    args = (pipeline, num_frames, num_clips, 1, 'raise', calibration)
    return next(_tag(model, [video], labels, *args))


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
    if on_error not in ('raise', 'report'):
        raise ConfigError(f"on_error={on_error!r} is not 'raise' or 'report'")
    if batch_size < 1:
        raise ConfigError(f'batch_size={batch_size} must be at least 1')
    args = (pipeline, num_frames, num_clips, batch_size, on_error, calibration)
    return list(_tag(model, videos, labels, *args))


def _tag(
    model: nn.Module,
    videos: Sequence[str | Path],
    labels: Sequence[str] | LabelBank,
    pipeline: Sequence[dict | Callable] | None,
    num_frames: int | None,
    num_clips: int | None,
    batch_size: int,
    on_error: str,
    calibration: Calibration | str | Path | None,
) -> Iterator[TagResult]:
    if not hasattr(model, 'predict_labels') or not hasattr(model, 'cfg'):
        raise TypeError(
            f'{type(model).__name__} cannot tag videos; make the model by init_recognizer'
        )
    if model.training:
        raise ConfigError('the model is in training mode; call model.eval() first')
    bank = labels if isinstance(labels, LabelBank) else None
    names = unique_labels(labels) if bank is None else bank.labels
    if isinstance(calibration, (str, Path)):
        calibration = Calibration.load(calibration)
    thresholds = None if calibration is None else calibration.thresholds_of(names)
    size = getattr(model.backbone, 'image_size', None)
    read = VideoReader(model.cfg, pipeline, num_frames, num_clips, size)
    for start in range(0, len(videos), batch_size):
        inputs: dict[int, Tensor] = {}
        errors: dict[int, str] = {}
        batch = videos[start : start + batch_size]
        for i, video in enumerate(batch):
            try:
                inputs[i] = read(video)
            except (DataError, FileNotFoundError) as error:
                if on_error == 'raise':
                    raise
                errors[i] = str(error)
                MMLogger.get_current_instance().warning(str(error))
        scores = _score(model, inputs, names if bank is None else bank, calibration)
        for i, video in enumerate(batch):
            found = scores[i] if i in scores else np.full(len(names), np.nan, np.float32)
            yield TagResult(str(video), names, found, errors.get(i), thresholds)


@torch.no_grad()
def _score(
    model: nn.Module,
    inputs: dict[int, Tensor],
    labels: Sequence[str] | LabelBank,
    calibration: Calibration | None,
) -> dict[int, np.ndarray]:
    """Probabilities ``(C,)`` of each video that was read."""
    if not inputs:
        return {}
    preprocessor = model.data_preprocessor
    batch = preprocessor(dict(inputs=list(inputs.values())), False)['inputs']
    if isinstance(labels, LabelBank):
        scores = labels.probabilities(model, batch)
    else:
        scores = model.predict_labels(batch, labels)
    scores = scores.float().cpu()
    if calibration is not None:
        scores = calibration.apply(scores)
    return dict(zip(inputs, scores.numpy(), strict=True))


def unique_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels without outer spaces.

    Raises:
        VocabularyError: One is empty or no text, or two are the same.
    """
    names = tuple(label.strip() for label in check_labels(labels))
    seen: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in seen:
            raise VocabularyError(
                f'label {name!r} is given twice (entries {seen[name] + 1} and {i + 1}); remove one'
            )
        seen[name] = i
    return names

"""Per-frame mAP of untrimmed video: MultiTHUMOS, and localisation on Charades."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ovmlv.errors import ConfigError, DataError

from .average_precision import average_precision


def per_frame_average_precision(
    scores: Sequence[Tensor], targets: Sequence[Tensor], empty: str = 'skip'
) -> Tensor:
    """Average precision of each class over the frames of all videos in one list.

    The mean over classes is the official per-frame mAP of MultiTHUMOS (Yeung et al., 2018; the
    usual code is the ``APMeter`` of super-events, Piergiovanni and Ryoo, 2018). With 25 evenly
    spaced points in each video, it is that of ``Charades_v1_localize.m``, which, unlike
    ``Charades_v1_classify.m``, counts the frames of videos without actions as negatives. The data
    set decides which labels hold at a point, and whether they hold at the very ends of a segment
    (:func:`ovmlv.datasets.segments.label_matrix`).

    Args:
        scores: Scores ``(T, C)`` of each video; T may differ.
        targets: Targets ``(T, C)`` of {1, 0, -1} of each video.
        empty: Value of a class without positives: ``skip`` (NaN) or ``zero`` (as ``APMeter``).

    Returns:
        ``(C,)`` float64.

    Examples:
        A video of two frames and one of a single frame are three rows of one list:

        >>> import torch
        >>> scores = [torch.tensor([[0.9], [0.2]]), torch.tensor([[0.6]])]
        >>> targets = [torch.tensor([[1], [1]]), torch.tensor([[0]])]
        >>> values = per_frame_average_precision(scores, targets)
        >>> [round(value, 4) for value in values.tolist()]  # (1/1 + 2/3) / 2
        [0.8333]
    """
    if empty not in ('skip', 'zero'):
        raise ConfigError(f"empty {empty!r} is not one of 'skip', 'zero'")
    if len(scores) != len(targets) or not len(scores):
        raise DataError(
            f'{len(scores)} videos have scores and {len(targets)} targets; give both for each of '
            'at least one video'
        )
    for i, (score, target) in enumerate(zip(scores, targets, strict=True)):
        if score.shape != target.shape or score.ndim != 2:
            raise DataError(
                f'video {i} has scores {tuple(score.shape)} and targets {tuple(target.shape)}; '
                'both must be (frames, classes)'
            )
    values = average_precision(torch.cat(list(scores)), torch.cat(list(targets)))
    return values.nan_to_num(0.0) if empty == 'zero' else values

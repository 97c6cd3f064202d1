"""Labels of videos for mmengine's Runner and its backends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import master_only
from mmengine.visualization import Visualizer
from torch import Tensor

from ovmlv.errors import ConfigError, DataError
from ovmlv.registry import VISUALIZERS

from .contact_sheet import SheetRow, contact_sheet
from .frame_labeler import FrameLabeler, PlateRow
from .pictures import save_picture
from .sheet_labels import best_labels, title_with_truth, true_labels
from .strip import read_strip


@VISUALIZERS.register_module()
class VideoLabelVisualizer(Visualizer):
    """Draws videos with the probabilities of their labels, and whether they are right.

    A sample becomes one picture: frames from left to right, then the most probable labels with
    bars. If the data set knows seen, unseen and novel labels, they have separate columns. The
    picture goes to all backends: files, TensorBoard, Weights & Biases.

    Args:
        name: See mmengine's ``Visualizer``.
        vis_backends: See mmengine's ``Visualizer``.
        save_dir: See mmengine's ``Visualizer``.
        top_k: Number of labels to draw in each column.
        max_frames: Number of frames to draw.
        threshold: Least probability of labels that stand out in :meth:`draw_labels`.
        scale: Pixels for each unit of the sheet; 2 is sharp on screens of high resolution.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        vis_backends: Sequence[dict] | dict | None = None,
        save_dir: str | None = None,
        top_k: int = 5,
        max_frames: int = 6,
        threshold: float = 0.5,
        scale: int = 2,
    ) -> None:
        if min(top_k, max_frames, scale) < 1:
            raise ConfigError(
                f'VideoLabelVisualizer: top_k={top_k}, max_frames={max_frames} and scale={scale} '
                'must be at least 1'
            )
        super().__init__(name, None, vis_backends, save_dir)
        self.top_k, self.max_frames = top_k, max_frames
        self.threshold, self.scale = threshold, scale

    @master_only
    def add_datasample(
        self,
        name: str,
        video: np.ndarray | Tensor | str | Path,
        data_sample: Any = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | Path | None = None,
        step: int = 0,
    ) -> np.ndarray:
        """Draw a sample and give it to the backends.

        Args:
            name: Name of the picture.
            video: Frames uint8 ``(T, H, W, 3)``; or ``inputs`` as a pipeline packs them, uint8
                ``(C, T, H, W)`` or ``(M, C, T, H, W)``, of which the middle view is drawn; or the
                path of a video.
            data_sample: Sample with ``gt_label``, ``pred_score``, both or neither.
            draw_gt: Whether to draw the right labels.
            draw_pred: Whether to draw the predicted labels.
            show: Whether to show the picture in a window.
            wait_time: Seconds that the window stays; with 0, it stays until a key is pressed.
            out_file: File to write; the picture is then given to no backend.
            step: Step of the training, for the backends.

        Returns:
            The picture, RGB uint8 ``(H, W, 3)``.
        """
        frames = self._frames(video)
        truth = _field(data_sample, 'gt_label') if draw_gt else None
        scores = _field(data_sample, 'pred_score') if draw_pred else None
        labels, title = [], name
        if truth is not None or scores is not None:
            metainfo = self._metainfo(scores)
            if truth is not None:
                truth = _as_columns(truth, len(metainfo['classes']))
                title = title_with_truth(name, truth, metainfo)
                labels = true_labels(truth, metainfo)
            if scores is not None:
                labels = best_labels(scores, truth, metainfo, self.top_k)
        if data_sample is not None and data_sample.get('broken', False):
            title = f'{title} · could not be read: {data_sample.get("broken_reason", "damaged")}'
        row = SheetRow(frames, labels, title)
        count = self.top_k if scores is not None else max(len(labels), 1)
        sheet = contact_sheet([row], '', self.max_frames, count, scale=self.scale)
        if show:
            self.show(sheet, name, wait_time)
        if out_file is None:
            self.add_image(name, sheet, step)
        else:
            save_picture(sheet, out_file)
        return sheet

    def draw_labels(
        self,
        frame: np.ndarray,
        scores: Mapping[str, float] | Iterable[tuple[str, float]],
        place: str = 'auto',
    ) -> np.ndarray:
        """Write labels on a frame.

        Args:
            frame: RGB uint8 ``(H, W, 3)``.
            scores: Labels with their probabilities, such as ``result.top()``; the ``top_k`` most
                probable are drawn.
            place: Place of the labels: ``over`` the frame, ``beside`` it, or ``auto``, with which
                small frames are enlarged and get their labels beside them.

        Returns:
            RGB uint8, of the frame's size if labels are over it and it is not small.
        """
        pairs = list(scores.items() if isinstance(scores, Mapping) else scores)
        pairs = sorted(pairs, key=lambda pair: -pair[1])[: self.top_k]
        rows = [PlateRow(label, float(p), p >= self.threshold) for label, p in pairs]
        labeler = FrameLabeler(frame.shape[:2], [row.label for row in rows], self.top_k, place)
        return labeler(frame, rows)

    def _frames(self, video: np.ndarray | Tensor | str | Path) -> np.ndarray:
        if isinstance(video, (str, Path)):
            return read_strip(video, self.max_frames).pictures
        if isinstance(video, Tensor):
            if video.ndim == 5:
                video = video[len(video) // 2]
            if video.ndim == 4 and video.shape[0] == 3:
                video = video.permute(1, 2, 3, 0)
            video = video.cpu().numpy()
        if video.dtype != np.uint8:
            raise DataError(
                f'frames are {video.dtype}; leave normalisation to the data preprocessor, so that '
                'pictures can be drawn'
            )
        return video

    def _metainfo(self, scores: np.ndarray | None) -> Mapping[str, Any]:
        metainfo = self.dataset_meta or {}
        classes = metainfo.get('classes')
        if not classes:
            raise DataError(
                'the names of the labels are not known; set visualizer.dataset_meta = '
                'dataset.metainfo'
            )
        if scores is not None and len(scores) != len(classes):
            raise DataError(
                f'a sample has {len(scores)} probabilities for the {len(classes)} labels of '
                'dataset_meta; set that of its own data set'
            )
        return metainfo


def _field(sample: Any, name: str) -> np.ndarray | None:
    if sample is None or name not in sample:
        return None
    return sample.get(name).detach().cpu().numpy()


def _as_columns(truth: np.ndarray, count: int) -> np.ndarray:
    """Truth of every label ``(C,)``, also if only the indices of the right ones are given."""
    if truth.shape == (count,):
        return truth
    columns = np.zeros(count, np.int64)
    columns[truth] = 1
    return columns

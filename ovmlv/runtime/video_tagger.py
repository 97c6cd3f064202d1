"""Tagging videos with an exported model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ovmlv.errors import CheckpointError, ConfigError, DataError, DependencyError
from ovmlv.results import TagResult, source_name

from .encoder_meta import EncoderMeta
from .frames import make_views
from .label_set import LabelSet
from .video_file import read_frames

ENCODER, META, LABELS = 'video_encoder.onnx', 'meta.json', 'labels'


class VideoTagger:
    """Tags videos with the content of an exported folder.

    Args:
        folder: Folder that ``ovmlv export`` made.
        labels: Label file to use instead of the folder's ``labels.json``, or a `LabelSet`.
        providers: onnxruntime's execution providers; None takes the CPU.
        num_threads: Threads of one run; None leaves it to onnxruntime.
        views_per_pass: Views that go through the encoder at once.

    Attributes:
        meta: What the folder says about the encoder.
        labels: The labels in use.
        fixed_frames: The only number of frames that the encoder takes; None if it takes any.

    Examples:
        The folder is written with torch, and read without it:

        >>> import tempfile
        >>> import numpy as np
        >>> from ovmlv.apis import open_model
        >>> from ovmlv.export import export_model
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model = open_model('motionshapes', device='cpu')
        ...     _ = export_model(model, ['red circle'], folder, check=False)
        ...     print(VideoTagger(folder).tag(np.zeros((8, 64, 64, 3), np.uint8)).labels)
        ('red circle',)
    """

    def __init__(
        self,
        folder: str | Path,
        labels: str | Path | LabelSet | None = None,
        providers: Sequence[str] | None = None,
        num_threads: int | None = None,
        views_per_pass: int = 16,
    ) -> None:
        folder = Path(folder)
        if views_per_pass < 1:
            raise ConfigError(f'views_per_pass={views_per_pass} must be at least 1')
        self.views_per_pass = views_per_pass
        self.meta = EncoderMeta.load(folder / META)
        self.labels: LabelSet
        self.use_labels(folder / LABELS if labels is None else labels)
        self.session = _open_session(folder / ENCODER, providers, num_threads)
        time = self.session.get_inputs()[0].shape[1]
        self.fixed_frames: int | None = time if isinstance(time, int) else None

    def use_labels(self, labels: str | Path | LabelSet) -> None:
        """Change the labels.

        Args:
            labels: Label file (``NAME.json`` beside ``NAME.npz``), or a `LabelSet`.

        Raises:
            CheckpointError: The labels were embedded by another model.
        """
        found = labels if isinstance(labels, LabelSet) else LabelSet.load(labels)
        if found.fingerprint != self.meta.fingerprint:
            raise CheckpointError(
                f'the labels were embedded by the model {found.fingerprint}, but the video encoder '
                f'is of {self.meta.fingerprint}; export them with the model of this folder'
            )
        self.labels = found

    def tag(self, video: str | Path | np.ndarray) -> TagResult:
        """Tag one video.

        Args:
            video: Path of a video file (needs PyAV), or its frames ``(T, H, W, 3)`` in RGB, of any
                size; they are taken as one clip of T frames.
        """
        meta = self.meta
        if isinstance(video, np.ndarray):
            if video.ndim != 4 or video.shape[-1] != 3:
                raise DataError(f'frames have shape {video.shape}; give (T, H, W, 3)')
            clips = video[None]
        else:
            clips = read_frames(video, meta.num_frames, meta.num_clips)
        views = [
            make_views(clip, meta.image_size, meta.short_side, meta.num_crops, meta.squash)
            for clip in clips
        ]
        frames = np.concatenate(views)[None]
        if not isinstance(video, np.ndarray) and meta.input_type == 'float32':
            frames = frames.astype(np.float32) / 255
        scores = self.predict(frames)[0]
        return TagResult(
            source_name(video), self.labels.labels, scores, thresholds=self.labels.thresholds
        )

    def predict(self, frames: np.ndarray) -> np.ndarray:
        """Probabilities ``(B, C)`` of the labels in use; for frames see :meth:`encode`."""
        return self.labels.probabilities(self.encode(frames), self.meta.average_views)

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """Unit vectors ``(B, M, E)`` of the views of videos.

        Args:
            frames: RGB ``(B, T, H, W, 3)`` or, with views, ``(B, M, T, H, W, 3)``, of the model's
                height and width and any T: uint8, or float32 in [0, 1] if it was exported so.
        """
        if frames.ndim == 5:
            frames = frames[:, None]
        if frames.ndim != 6 or frames.shape[3:] != (*self.meta.image_size, 3) or not frames.size:
            height, width = self.meta.image_size
            raise DataError(
                f'frames have shape {frames.shape}; give (B, T, {height}, {width}, 3), or one '
                'video of any size to tag()'
            )
        if self.fixed_frames not in (None, frames.shape[2]):
            raise DataError(
                f'this encoder takes {self.fixed_frames} frames, not {frames.shape[2]}; give as '
                'many, spread evenly over the video'
            )
        frames = self._as_input(frames)
        flat = frames.reshape(-1, *frames.shape[2:])
        step = self.views_per_pass
        parts = [flat[i : i + step] for i in range(0, len(flat), step)]
        found = [self.session.run(['embedding'], {'frames': part})[0] for part in parts]
        return np.concatenate(found).reshape(*frames.shape[:2], -1)

    def _as_input(self, frames: np.ndarray) -> np.ndarray:
        wanted = np.dtype(self.meta.input_type)
        if frames.dtype == np.uint8 and wanted == np.float32:
            return frames.astype(np.float32) / 255
        if not (frames.dtype == wanted or frames.dtype.kind == wanted.kind == 'f'):
            raise DataError(
                f'frames are {frames.dtype}; this encoder takes {wanted}'
                + ('; export it with --input-type float32' if wanted == np.uint8 else ' or uint8')
            )
        return np.ascontiguousarray(frames, wanted)


def _open_session(path: Path, providers: Sequence[str] | None, num_threads: int | None) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError('ovmlv.runtime needs onnxruntime; pip install onnxruntime') from error
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found; give a folder that "ovmlv export" wrote')
    options = onnxruntime.SessionOptions()
    if num_threads is not None:
        options.intra_op_num_threads = num_threads
    try:
        return onnxruntime.InferenceSession(
            str(path), options, providers=list(providers or ['CPUExecutionProvider'])
        )
    except Exception as error:  # onnxruntime's own classes derive from nothing narrower
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f'{path} cannot be loaded ({first}); export the model again') from error

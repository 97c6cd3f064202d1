"""Videos in, labels with probabilities out."""

from __future__ import annotations

import functools
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from torch import Tensor
from tqdm import tqdm

from ovmlv.errors import ConfigError, VocabularyError
from ovmlv.evaluation.score_calibration import Calibration
from ovmlv.label_bank.bank import LabelBank
from ovmlv.label_bank.identity import EncoderIdentity
from ovmlv.models.contracts import Recognizer
from ovmlv.registry import INFERENCERS
from ovmlv.results import TagResult, Timings

from .encoded_video import EncodedVideo
from .label_source import read_labels
from .loaded_model import LoadedModel
from .open_model import load_model
from .video_batches import UnreadVideo, encode_all
from .video_reader import Clip, VideoReader, VideoSource
from .video_sources import UnusableSource, as_source, single_videos

Labels = Sequence[str] | LabelBank | str | Path


@INFERENCERS.register_module()
class OVMLVInferencer:
    """Tags videos with any labels.

    In the manner of mmengine's ``BaseInferencer``, with results of one type in place of dicts.

    Args:
        model: Whatever :func:`open_model` takes: a config, a published folder, an architecture of
            open_clip, a recognizer, or what :func:`load_model` gave.
        weights: See :func:`open_model`.
        device: Such as ``cuda:0``; None takes a GPU where there is one.
        labels: Labels for calls that name none: a list, a text file (one a line), a label bank or
            its folder. None takes the bank of a published folder, if it has one.
        calibration: Applied to probabilities, with its thresholds for :meth:`TagResult.present`; or
            its file. None takes that of a published folder.
        batch_size: Videos or windows that go through the model at once.
        cfg_options: Changes of the config.
        pipeline: Transforms to read videos with, instead of the config's test pipeline.

    Attributes:
        model: The recognizer.
        labels: Default labels; None if there are none.
        calibration: What is applied to probabilities; None if nothing is.
        num_decoded: How many videos were decoded so far.

    It can be pickled, and so be sent to a worker of any start method; the weights go along.

    Examples:
        >>> import numpy as np
        >>> from ovmlv.datasets.motionshapes import Actor, Scene, render_clip
        >>> scene = Scene('plain', (Actor('circle', 'red', 'moving left'),))
        >>> frames = render_clip(scene, 8, np.random.default_rng(0))
        >>> inferencer = OVMLVInferencer('motionshapes', device='cpu')
        >>> result = inferencer(frames, labels=['blue square', 'red circle'])[0]
        >>> [score.label for score in result.present()]
        ['red circle']
    """

    def __init__(
        self,
        model: str | Path | Config | Recognizer | LoadedModel,
        weights: str | Path | None = None,
        device: str | torch.device | None = None,
        labels: Labels | None = None,
        calibration: Calibration | str | Path | None = None,
        batch_size: int = 8,
        cfg_options: Mapping[str, Any] | None = None,
        pipeline: Sequence[dict] | None = None,
    ) -> None:
        loaded = load_model(model, weights, device, cfg_options)
        self.model, published = loaded.recognizer, loaded.published
        if published is not None:
            labels = published.bank() if labels is None else labels
            calibration = published.calibration() if calibration is None else calibration
        if isinstance(calibration, (str, Path)):
            calibration = Calibration.load(calibration)
        self.calibration = calibration
        self.batch_size = _at_least_one('batch_size', batch_size)
        self.pipeline = pipeline
        self.num_decoded = 0
        self._checked: weakref.WeakSet[LabelBank] = weakref.WeakSet()
        self.labels = None if labels is None else self._read_labels(labels)

    def __getstate__(self) -> dict[str, Any]:
        # Copies, also those of other processes, look at banks again; all else goes along.
        return {**vars(self), '_checked': None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _checked=weakref.WeakSet())

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of the label encoder, as label banks carry it."""
        return EncoderIdentity.of(self.model).fingerprint

    def __call__(
        self,
        inputs: VideoSource | Iterable[VideoSource],
        labels: Labels | None = None,
        *,
        batch_size: int | None = None,
        window: float | None = None,
        stride: float | None = None,
        num_frames: int | None = None,
        num_clips: int | None = None,
        fps: float | None = None,
        on_error: str = 'raise',
        progress: bool = False,
    ) -> list[TagResult]:
        """Tag videos; for the arguments see :meth:`iterate`.

        Returns:
            One result a video, in their order.
        """
        return list(
            self.iterate(
                inputs,
                labels,
                batch_size=batch_size,
                window=window,
                stride=stride,
                num_frames=num_frames,
                num_clips=num_clips,
                fps=fps,
                on_error=on_error,
                progress=progress,
            )
        )

    def iterate(
        self,
        inputs: VideoSource | Iterable[VideoSource],
        labels: Labels | None = None,
        *,
        batch_size: int | None = None,
        window: float | None = None,
        stride: float | None = None,
        num_frames: int | None = None,
        num_clips: int | None = None,
        fps: float | None = None,
        on_error: str = 'raise',
        progress: bool = False,
    ) -> Iterator[TagResult]:
        """Tag videos one after the other, in memory that does not grow with their number.

        Args:
            inputs: A path, a folder, a pattern (``clips/*.mp4``), a binary file object or the bytes
                of a file, RGB frames uint8 ``(T, H, W, 3)`` as an array or a tensor, or several of
                these; also a generator of them.
            labels: See ``labels`` of the class; None takes those.
            batch_size: Videos or windows that go through the model at once.
            window: Seconds of a sliding window; None tags whole videos.
            stride: Seconds from one window to the next; None: they do not overlap.
            num_frames: Frames of a clip, instead of the pipeline's.
            num_clips: Clips of the video or window to average over, instead of the pipeline's.
            fps: Frames a second of arrays, for windows.
            on_error: For a video that is missing or damaged: ``raise``, or ``report`` it in its
                result and in the log.
            progress: Show a bar, if this is a terminal.

        Raises:
            FileNotFoundError: There is no such video.
            DataError: A video cannot be decoded.
            VocabularyError: A label is empty, no text, or given twice.
        """
        target = self._target(labels)
        encoded = self.iterate_encoded(
            inputs,
            batch_size=batch_size,
            window=window,
            stride=stride,
            num_frames=num_frames,
            num_clips=num_clips,
            fps=fps,
            on_error=on_error,
            progress=progress,
        )
        return (self._result(video, target) for video in encoded)

    def iterate_encoded(
        self,
        inputs: VideoSource | Iterable[VideoSource],
        *,
        batch_size: int | None = None,
        window: float | None = None,
        stride: float | None = None,
        num_frames: int | None = None,
        num_clips: int | None = None,
        fps: float | None = None,
        on_error: str = 'raise',
        progress: bool = False,
    ) -> Iterator[EncodedVideo | UnreadVideo]:
        """Decode and embed videos one after the other, to :meth:`score` them later.

        For the arguments see :meth:`iterate`. Of a video that cannot be read, ``report`` gives its
        name and the reason.
        """
        if on_error not in ('raise', 'report'):
            raise ConfigError(f"on_error={on_error!r} is not 'raise' or 'report'")
        size = self.batch_size if batch_size is None else _at_least_one('batch_size', batch_size)
        reader = self._reader(num_frames, num_clips, window, stride)
        report = on_error == 'report'
        sources = single_videos(inputs, report)
        if progress:
            sources = tqdm(sources, unit='video', disable=None)
        return self._encode(sources, reader, size, report, window, stride, fps)

    def encode(
        self,
        video: VideoSource,
        window: float | None = None,
        stride: float | None = None,
        num_frames: int | None = None,
        num_clips: int | None = None,
        fps: float | None = None,
    ) -> EncodedVideo:
        """Decode and embed one video, to :meth:`score` it against labels as often as wanted.

        Args:
            video: One of those that :meth:`iterate` takes.
            window: See :meth:`iterate`.
            stride: See :meth:`iterate`.
            num_frames: See :meth:`iterate`.
            num_clips: See :meth:`iterate`.
            fps: See :meth:`iterate`.
        """
        reader = self._reader(num_frames, num_clips, window, stride)
        args = ([as_source(video)], reader, self.batch_size, False, window, stride, fps)
        encoded = next(self._encode(*args))
        assert isinstance(encoded, EncodedVideo)  # report=False: what is unread raises
        return encoded

    def score(self, encoded: EncodedVideo, labels: Labels | None = None) -> TagResult:
        """Probabilities of labels for a video that was encoded; nothing is decoded."""
        return self._result(encoded, self._target(labels))

    def _encode(
        self,
        sources: Iterable[VideoSource | UnusableSource],
        reader: VideoReader,
        batch_size: int,
        report: bool,
        window: float | None,
        stride: float | None,
        fps: float | None,
    ) -> Iterator[EncodedVideo | UnreadVideo]:
        def read(source: VideoSource | UnusableSource) -> Iterator[Clip]:
            if isinstance(source, UnusableSource):
                raise source
            return reader.clips(source, window, stride, fps)

        for video in encode_all(
            read,
            self._embed,
            sources,
            batch_size,
            report,
            ahead=next(self.model.parameters()).device.type != 'cpu',
        ):
            if isinstance(video, UnreadVideo):
                MMLogger.get_current_instance().warning(video.error)
            else:
                self.num_decoded += 1
            yield video

    @torch.no_grad()
    def _embed(self, inputs: list[Tensor]) -> np.ndarray:
        """Unit vectors ``(B, M, E)`` of clips of one shape."""
        batch = self.model.data_preprocessor(dict(inputs=inputs), False)['inputs']
        return self.model.encode_views(batch).float().cpu().numpy()

    @torch.no_grad()
    def _result(
        self, video: EncodedVideo | UnreadVideo, target: tuple[str, ...] | LabelBank
    ) -> TagResult:
        names = target.labels if isinstance(target, LabelBank) else target
        thresholds = None if self.calibration is None else self.calibration.thresholds_of(names)
        if isinstance(video, UnreadVideo):
            missing = np.full(len(names), np.nan, np.float32)
            return TagResult(video.video, names, missing, video.error, thresholds)
        started = time.perf_counter()
        views = torch.from_numpy(video.embeddings).to(next(self.model.parameters()).device)
        if views.shape[-1] != self.model.head.embed_dim:
            raise ConfigError(
                f'{video.video} was encoded by another model (embeddings of {views.shape[-1]} '
                f'instead of {self.model.head.embed_dim}); encode it again'
            )
        if isinstance(target, LabelBank):
            scores = target.score_views(self.model, views)
        else:
            scores = self.model.score_labels(views, target)
        scores = scores.float().cpu()
        if self.calibration is not None:
            scores = self.calibration.apply(scores)
        each = scores.numpy()
        timings = video.timings
        if timings is not None:
            timings = Timings(timings.decode, timings.encode, time.perf_counter() - started)
        return TagResult(
            video.video,
            names,
            each.max(0) if video.windows else each[0],
            None,
            thresholds,
            video.windows,
            each if video.windows else None,
            timings,
        )

    def _reader(
        self,
        num_frames: int | None,
        num_clips: int | None,
        window: float | None,
        stride: float | None,
    ) -> VideoReader:
        if window is None and stride is not None:
            raise ConfigError(f'stride={stride:g} needs a window; give window, in seconds')
        if self.model.training:
            raise ConfigError('the model is in training mode; call model.eval() first')
        size = self.model.backbone.image_size
        return VideoReader(self.model.cfg, self.pipeline, num_frames, num_clips, size)

    def _target(self, labels: Labels | None) -> tuple[str, ...] | LabelBank:
        if labels is not None:
            return self._read_labels(labels)
        if self.labels is None:
            raise VocabularyError("no labels are given; write labels=['a dog', 'running'], say")
        return self.labels

    def _read_labels(self, labels: Labels) -> tuple[str, ...] | LabelBank:
        """Labels or a bank, which is compared with the model once."""
        if isinstance(labels, LabelBank):
            if labels not in self._checked:
                labels.check(self.model)
                self._checked.add(labels)
            return labels
        return read_labels(labels, self.model)


def _at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise ConfigError(f'{name}={value} must be at least 1')
    return value

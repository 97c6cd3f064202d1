"""From videos to model inputs, by the test pipeline of a config."""

from __future__ import annotations

import contextlib
import copy
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast, runtime_checkable

import numpy as np
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from torch import Tensor

from ovmlv.datasets.decoders import ArrayReader, BaseReader, open_video
from ovmlv.datasets.transforms import SampleSegmentFrames, VideoInit
from ovmlv.datasets.video_failures import (
    READ_ERRORS,
    UnreadableVideoError,
    describe_failure,
    run_until_frames,
)
from ovmlv.errors import ConfigError, DataError
from ovmlv.results import Window, source_name

from .video_windows import split_windows

#: Frames of several windows are decoded at once, so that none is decoded twice; as they are in the
#: file, so not too many of them (1080p: 6 MB each).
_FRAMES_AT_ONCE = 128
#: Bounds of windows that are meant to fall on bounds of frames do so but for rounding.
_ROUNDING = 1e-6


@runtime_checkable
class ClipSource(Protocol):
    """A video that is read elsewhere, such as in a process that can be ended."""

    name: str

    def clips(self, window: float | None, stride: float | None) -> Iterator[Clip]:
        """See :meth:`VideoReader.clips`."""


VideoSource = str | Path | BinaryIO | np.ndarray | ClipSource


@dataclass(frozen=True, eq=False)
class Clip:
    """A video, or a window of it, as the model takes it.

    Attributes:
        inputs: uint8 ``(M, C, T, H, W)``, or what else the pipeline packs.
        window: The part of the video; None means the whole video.
        duration: Length of the video in seconds; None if the pipeline does not give it.
        fps: Frames a second of the video; None if the pipeline does not give them.
    """

    inputs: Tensor
    window: Window | None = None
    duration: float | None = None
    fps: float | None = None


class VideoReader:
    """Reads a video as the config's test pipeline does.

    Args:
        cfg: Config with a test data set.
        pipeline: Transforms to use instead of its own.
        num_frames: Frames of a clip, if they shall differ from the pipeline's.
        num_clips: Clips of a video, if they shall differ from the pipeline's.
        image_size: Height and width that the model needs. Frames that come out of the pipeline in
            another size are resized and centre-cropped to it.
    """

    def __init__(
        self,
        cfg: Config,
        pipeline: Sequence[dict | Callable] | None = None,
        num_frames: int | None = None,
        num_clips: int | None = None,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        steps = copy.deepcopy(list(find_test_pipeline(cfg) if pipeline is None else pipeline))
        set_sampling(steps, clip_len=num_frames, num_clips=num_clips)
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'ovmlv'):
            self.transforms = Compose(steps).transforms
        self.image_size = image_size
        samplers = [i for i, step in enumerate(self.transforms) if hasattr(step, 'clip_len')]
        self._sampler = samplers[0] if samplers else None

    def __call__(self, video: VideoSource) -> Tensor:
        """The whole video; see :meth:`clips`.

        Returns:
            uint8 ``(M, C, T, H, W)``, or what else the pipeline packs.
        """
        return next(self.clips(video)).inputs

    def clips(
        self,
        video: VideoSource,
        window: float | None = None,
        stride: float | None = None,
        fps: float | None = None,
    ) -> Iterator[Clip]:
        """The whole video, or its windows one after the other.

        Args:
            video: Path of a file that the pipeline's decoder reads; a binary file object; frames
                uint8 ``(T, H, W, 3)`` in RGB; or a :class:`ClipSource`.
            window: Seconds of a window; see :func:`split_windows`.
            stride: Seconds from one window to the next; with None, windows do not overlap.
            fps: Frames a second of an array.

        Raises:
            FileNotFoundError: There is no such file.
            DataError: The video cannot be decoded.
        """
        if hasattr(video, 'clips'):
            yield from video.clips(window, stride)
            return
        if window is None and isinstance(video, (str, Path)):
            yield self._whole(_existing(video))
            return
        if self._sampler is None:
            raise ConfigError(
                'the pipeline has no transform with clip_len, so it reads whole files alone: no '
                'windows, file objects or arrays'
            )
        data = self._open(video, fps)
        try:
            if window is None:
                yield from self._cut(data, [None], video, fps)
                return
            if not isinstance(self.transforms[self._sampler], SampleSegmentFrames):
                raise ConfigError(
                    'windows need a pipeline with SampleSegmentFrames, not '
                    f'{type(self.transforms[self._sampler]).__name__}'
                )
            if isinstance(video, np.ndarray) and fps is None:
                raise ConfigError('windows of an array need its fps; give fps=25, say')
            begins, ends = SampleSegmentFrames.frame_times(data, data['total_frames'])
            windows = split_windows(float(begins[0]), float(ends[-1]), window, stride)
            yield from self._cut(data, windows, video, fps)
        finally:
            if isinstance(data['video_reader'], BaseReader):
                data['video_reader'].close()

    def _whole(self, path: Path) -> Clip:
        """Read a file with the unchanged pipeline."""
        with _read_errors(path):
            data, done = run_until_frames(self.transforms, _sample(path))
            if data is None or not len(data.get('imgs', ())):
                raise DataError(f'video {path}: no frame could be decoded; repair or remove it')
        return self._finish(data, done, None)

    def _open(self, video: VideoSource, fps: float | None) -> dict[str, Any]:
        """Open a video and give what the sampler needs to know."""
        openers = self.transforms[: self._sampler]
        if isinstance(video, (str, Path)):
            data: dict[str, Any] = _sample(_existing(video))
            with _read_errors(video):
                for transform in openers:
                    data = transform(data)
            return data
        data = _sample(Path(source_name(video)))
        if isinstance(video, np.ndarray):
            reader: BaseReader = ArrayReader(video, 1.0 if fps is None else fps)
        else:
            init = next((step for step in openers if isinstance(step, VideoInit)), None)
            options = {} if init is None else dict(backend=init.backend, **init.kwargs)
            with _read_errors(source_name(video)):
                reader = open_video(cast(BinaryIO, video).read(), **options)
        data.update(video_reader=reader, total_frames=len(reader), frame_times=reader.times)
        if not isinstance(video, np.ndarray) or fps is not None:
            data['avg_fps'] = reader.rate
        return data

    def _cut(
        self,
        data: dict[str, Any],
        windows: Sequence[Window | None],
        video: VideoSource,
        fps: float | None,
    ) -> Iterator[Clip]:
        """Clips of the windows; frames that several windows share are mostly decoded once."""
        sampler, name = self.transforms[self._sampler], source_name(video)
        step = max(1, _FRAMES_AT_ONCE // (sampler.clip_len * getattr(sampler, 'num_clips', 1)))
        empty = 0
        for start in range(0, len(windows), step):
            if start and not isinstance(data['video_reader'], BaseReader):
                data = self._open(video, fps)  # not all readers of others go back
            group = windows[start : start + step]
            with _read_errors(name):
                group, chosen = _sample_windows(sampler, data, group)
                empty += len(windows[start : start + step]) - len(group)
                if not group:
                    continue
                wanted = np.unique(np.concatenate([c['frame_inds'].ravel() for c in chosen]))
                decoded, done = self._decode(dict(chosen[0], frame_inds=wanted))
            pictures = dict(zip(wanted.tolist(), decoded['imgs'], strict=True))
            for window, sample in zip(group, chosen, strict=True):
                indices = sample['frame_inds'].ravel()
                one = {**decoded, **sample, 'imgs': [pictures[i] for i in indices.tolist()]}
                one.pop('video_reader', None)
                yield self._finish(one, done, window)
        if empty == len(windows):
            raise DataError(f'video {name}: no window has a good frame; repair or remove it')
        if empty:
            MMLogger.get_current_instance().warning(
                f'{name}: {empty} windows without a good frame are left out'
            )

    def _decode(self, data: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Frames ``imgs`` of ``frame_inds``, and the number of transforms that this replaces."""
        assert self._sampler is not None  # the caller has it
        after, reader = self._sampler + 1, data['video_reader']
        if not isinstance(reader, BaseReader):
            decoded, done = run_until_frames(self.transforms[after:], data)
            return cast(dict[str, Any], decoded), after + done
        names = [type(step).__name__ for step in self.transforms]
        decoders = [i for i, name in enumerate(names) if name.endswith('Decode')]
        frames = reader.get_frames(data['frame_inds'])
        size = frames[0].shape[:2]
        found = dict(data, imgs=frames, original_shape=size, img_shape=size)
        return found, (decoders[0] + 1 if decoders else after)

    def _finish(self, data: dict[str, Any], done: int, window: Window | None) -> Clip:
        """Apply the transforms behind the decoder."""
        times, rate = data.get('frame_times'), data.get('avg_fps') or None
        duration = None
        if rate is not None and 'total_frames' in data:
            duration = data['total_frames'] / rate
            duration = duration if times is None else float(times[-1, 1] - times[0, 0])
        for transform in self.transforms[done:]:
            data = transform(data)
        if not isinstance(data, dict) or 'inputs' not in data:
            raise ConfigError(
                "the pipeline gives no 'inputs'; let it end with PackMultilabelInputs"
            )
        return Clip(fit_frames(data['inputs'], self.image_size), window, duration, rate)


def _sample_windows(
    sampler: Callable, data: dict[str, Any], windows: Sequence[Window | None]
) -> tuple[list[Window | None], list[dict[str, Any]]]:
    """Frames of each window. Where damaged frames are skipped, windows that had no others are left
    out.
    """
    skips = getattr(data['video_reader'], 'skips_damage', False)
    kept, chosen = [], []
    for window in windows:
        try:
            chosen.append(sampler(_with_segment(data, window)))
        except UnreadableVideoError:
            if not skips or window is None:
                raise
            continue
        kept.append(window)
    return kept, chosen


def _existing(video: str | Path) -> Path:
    path = Path(video)
    if not path.is_file():
        kind = 'is a folder, not a video' if path.is_dir() else 'not found'
        raise FileNotFoundError(f'video {video} {kind}; give the path of a video file')
    return path


def _sample(path: Path) -> dict[str, Any]:
    """A sample of a data set, with which pipelines begin."""
    return dict(filename=str(path), video_id=path.stem, sample_idx=0, start_index=0, modality='RGB')


def _with_segment(data: dict[str, Any], window: Window | None) -> dict[str, Any]:
    if window is None:
        return dict(data)
    return dict(data, segment=(window.start + _ROUNDING, window.end - _ROUNDING))


@contextlib.contextmanager
def _read_errors(video: object) -> Iterator[None]:
    """Turn the errors of readers for bad files into a :class:`DataError`."""
    try:
        yield
    except READ_ERRORS as error:
        reason = describe_failure(error)
        # A reader of decord kept alive by the traceback would make forked workers abort.
        traceback.clear_frames(error.__traceback__)
        raise DataError(f'video {video} cannot be read ({reason}); repair or remove it') from None


def find_test_pipeline(cfg: Config) -> list[dict]:
    """The transforms of the config's test data set, which may be inside wrappers of data sets."""
    for name in ('test_dataloader', 'val_dataloader'):
        dataset = (cfg.get(name) or {}).get('dataset')
        while dataset is not None and 'pipeline' not in dataset:
            dataset = dataset.get('dataset') or (dataset.get('datasets') or [None])[0]
        if dataset is not None:
            return dataset['pipeline']
    if cfg.get('test_pipeline'):
        return cfg.test_pipeline
    raise ConfigError('the config has no test_dataloader with a pipeline; give pipeline=[...]')


def set_sampling(steps: Sequence[dict | Callable], **values: int | None) -> None:
    """Change ``clip_len`` and ``num_clips`` of the transform that samples frames, in place."""
    given = {key: value for key, value in values.items() if value is not None}
    for key, value in given.items():
        if value < 1:
            name = 'num_frames' if key == 'clip_len' else key
            raise ConfigError(f'{name}={value} must be at least 1')
    if not given:
        return
    samplers = [step for step in steps if isinstance(step, dict) and 'clip_len' in step]
    if not samplers:
        raise ConfigError(
            'the pipeline has no transform with clip_len, so num_frames and num_clips cannot be '
            'set; write them into pipeline=[...]'
        )
    samplers[0].update(given)


def fit_frames(frames: Tensor, size: tuple[int, int] | None) -> Tensor:
    """Resize the shorter side and crop the centre if frames are not of the model's size.

    Args:
        frames: ``(..., H, W)``, uint8 or floating point.
        size: Height and width.
    """
    if size is None or tuple(frames.shape[-2:]) == tuple(size):
        return frames
    (height, width), (h, w) = frames.shape[-2:], size
    scale = max(h / height, w / width)
    target = (max(h, round(height * scale)), max(w, round(width * scale)))
    flat = frames.reshape(-1, 1, height, width).float()
    flat = F.interpolate(flat, target, mode='bicubic', antialias=True)
    top, left = (target[0] - h) // 2, (target[1] - w) // 2
    flat = flat[..., top : top + h, left : left + w]
    if not frames.is_floating_point():
        flat = flat.round().clamp(0, 255)
    return flat.to(frames.dtype).reshape(*frames.shape[:-2], h, w)

"""Video files to model inputs, by the test pipeline of a config."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from torch import Tensor

from ovmlv.datasets.video_failures import READ_ERRORS, describe, run_until_frames
from ovmlv.errors import ConfigError, DataError


class VideoReader:
    """Reads a video file as the config's test pipeline does.

    Args:
        cfg: Config with a test data set.
        pipeline: Transforms to use instead of its own.
        num_frames: Frames of a clip, if they shall differ from the pipeline's.
        num_clips: Clips of a video, likewise.
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

    def __call__(self, video: str | Path) -> Tensor:
        """Read a video.

        Args:
            video: Path of a file that the pipeline's decoder reads.

        Returns:
            uint8 ``(M, C, T, H, W)``, or what else the pipeline packs.

        Raises:
            FileNotFoundError: There is no such file.
            DataError: It cannot be decoded.
        """
        path = Path(video)
        if not path.is_file():
            kind = 'is a folder, not a video' if path.is_dir() else 'not found'
            raise FileNotFoundError(f'video {video} {kind}; give the path of a video file')
        data: dict[str, Any] | None = dict(
            filename=str(path), video_id=path.stem, sample_idx=0, start_index=0, modality='RGB'
        )
        try:
            data, done = run_until_frames(self.transforms, data)
            if data is None or not len(data.get('imgs', ())):
                raise DataError(f'video {video}: no frame could be decoded; repair or remove it')
        except READ_ERRORS as error:
            reason = describe(error)
            # A reader of decord kept alive by the traceback would make forked workers abort.
            traceback.clear_frames(error.__traceback__)
            raise DataError(
                f'video {video} cannot be read ({reason}); repair or remove it'
            ) from None
        for transform in self.transforms[done:]:
            data = transform(data)
        if not isinstance(data, dict) or 'inputs' not in data:
            raise ConfigError(
                "the pipeline gives no 'inputs'; let it end with PackMultilabelInputs"
            )
        return fit_frames(data['inputs'], self.image_size)


def find_test_pipeline(cfg: Config) -> list[dict]:
    """The transforms of the config's test data set, through wrappers of data sets."""
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
    values = {key: value for key, value in values.items() if value is not None}
    for key, value in values.items():
        if value < 1:
            name = 'num_frames' if key == 'clip_len' else key
            raise ConfigError(f'{name}={value} must be at least 1')
    if not values:
        return
    samplers = [step for step in steps if isinstance(step, dict) and 'clip_len' in step]
    if not samplers:
        raise ConfigError(
            'the pipeline has no transform with clip_len, so num_frames and num_clips cannot be '
            'set; write them into pipeline=[...]'
        )
    samplers[0].update(values)


def fit_frames(frames: Tensor, size: tuple[int, int] | None) -> Tensor:
    """Resize the shorter side and crop the centre where frames are not of the model's size.

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

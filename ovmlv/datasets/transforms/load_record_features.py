"""Features from TFRecord files, in place of decoded frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from ovmlv.datasets.formats.tf_example import Feature, parse_example
from ovmlv.datasets.formats.tfrecord import read_record
from ovmlv.errors import ConfigError, DataError
from ovmlv.registry import TRANSFORMS

# YouTube-8M stores features of frames as bytes, from -2 to 2.
_MIN, _RANGE = -2.0, 4.0


@TRANSFORMS.register_module()
class LoadRecordFeatures(BaseTransform):
    """Read the features of a :class:`YouTube8MDataset` sample.

    They come as a "video" of D channels and one pixel, so that the rest of a pipeline and the
    recognizer accept them unchanged; :class:`FeatureBackbone` encodes this "video".

    Video-level records hold ``mean_rgb`` and ``mean_audio`` (floats): T is 1. Frame-level records
    hold ``rgb`` and ``audio``, one row of bytes a second, which are dequantised as in the data
    set's starter code: ``x * 4 / 255 + 4 / 512 - 2``.

    Required Keys:

        - record: ``(path, offset)``
        - segment (optional): ``(start, end)`` in seconds; frame-level records only

    Added Keys:

        - imgs: float32 ``(1, D, T, 1, 1)``
        - num_clips: 1

    Args:
        features: Features to join along D, in this order: ``rgb`` (1024), ``audio`` (128).
        num_frames: T of frame-level records: the middle frames of that many equal parts (frames are
            repeated if there are fewer). None takes the mean over the frames, and T is 1.
    """

    def __init__(
        self, features: Sequence[str] = ('rgb', 'audio'), num_frames: int | None = None
    ) -> None:
        if isinstance(features, str) or not features:
            raise ConfigError(f'LoadRecordFeatures: features={features!r} must be a list of names')
        if num_frames is not None and num_frames < 1:
            raise ConfigError(f'LoadRecordFeatures: num_frames={num_frames} must be at least 1')
        self.features, self.num_frames = tuple(features), num_frames

    def transform(self, results: dict) -> dict:
        """Read the record."""
        path, offset = results['record']
        where = f'{path}: record at byte {offset}'
        context, lists = parse_example(read_record(path, offset))
        parts = [self._feature(name, context, lists, where) for name in self.features]
        # The two kinds of a video can differ by a frame.
        length = min(len(part) for part in parts)
        frames = np.concatenate([part[:length] for part in parts], axis=1)
        frames = self._sample(frames, results.get('segment'), bool(lists), where)
        results['imgs'] = frames.T[None, :, :, None, None].astype(np.float32)
        results['num_clips'] = 1
        return results

    @staticmethod
    def _feature(
        name: str, context: dict[str, Feature], lists: dict[str, list[Feature]], where: str
    ) -> np.ndarray:
        """One kind of features ``(T, D)``."""
        if name in lists:
            rows = [np.frombuffer(step[0], dtype=np.uint8) for step in lists[name]]
            if not rows or len({len(row) for row in rows}) > 1:
                raise DataError(f'{where}: {name!r} has no frames, or frames of different sizes')
            return np.stack(rows) * (_RANGE / 255) + (_RANGE / 512 + _MIN)
        if f'mean_{name}' in context:
            return np.asarray(context[f'mean_{name}'], dtype=np.float64)[None]
        found = sorted({*context, *lists})
        raise DataError(f'{where}: no feature {name!r} or mean_{name} among {found}; set features')

    def _sample(
        self,
        frames: np.ndarray,
        segment: tuple[float, float] | None,
        timed: bool,
        where: str,
    ) -> np.ndarray:
        """``(T, D)`` of the segment."""
        if segment is not None:
            if not timed:
                raise DataError(
                    f'{where} holds means over the video; segments need frame-level records'
                )
            first, last = int(segment[0]), int(np.ceil(segment[1]))
            if first >= len(frames):
                raise DataError(f'{where}: the segment starts past the last of its frames')
            frames = frames[first:last]
        if not timed:
            return frames
        if self.num_frames is None:
            return frames.mean(axis=0, keepdims=True)
        places = (np.arange(self.num_frames) + 0.5) / self.num_frames * len(frames)
        return frames[places.astype(np.int64)]

    def __repr__(self) -> str:
        return f'{type(self).__name__}(features={self.features}, num_frames={self.num_frames})'

"""Frames spread evenly over a video or a segment of it."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform

from ovmlv.datasets.decoders.video_index import is_even
from ovmlv.errors import ConfigError, DataError, UnreadableVideoError
from ovmlv.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SampleSegmentFrames(BaseTransform):
    """Cut a video, or its ``segment``, into ``clip_len`` equal parts and take a frame of each
    (TSN).

    The parts are equal in time: if the frame rate varies, each gives the frame that is on the
    screen at the chosen moment. At an even rate, this is the same as equal numbers of frames.

    MMAction2's ``SampleFrames`` and ``UniformSample`` do not support segments. In training, the
    frame is drawn at random within its part. In test mode, the ``num_clips`` views take it at
    evenly spaced places (one view takes the middle), so that views differ and nothing is random.

    A segment that reaches past the end of the video is cut there. Frames are found by their own
    time stamps if the reader has them (:class:`VideoInit`, decord), and else by ``avg_fps``.

    Required Keys:

        - total_frames
        - start_index (optional)
        - segment (optional): ``(start, end)`` in seconds
        - frame_times (optional): begin and end of each frame in seconds ``(N, 2)``
        - avg_fps (for segments, if there are no time stamps)

    Added Keys:

        - frame_inds: ``(num_clips * clip_len,)`` int32
        - clip_len
        - frame_interval
        - num_clips

    Args:
        clip_len: Number of frames of a clip (T).
        num_clips: Number of clips (temporal views) of a video.
        test_mode: Whether sampling is deterministic.
        out_of_bound: What to do if there are fewer frames than ``clip_len``: ``repeat`` frames, or
            ``error``.

    Examples:
        >>> from ovmlv.datasets import SampleSegmentFrames
        >>> sample = SampleSegmentFrames(clip_len=4, test_mode=True)
        >>> sample(dict(total_frames=40))['frame_inds'].tolist()  # the middles of 4 parts
        [5, 15, 25, 35]
        >>> segment = dict(total_frames=40, avg_fps=10, segment=(1.0, 3.0))  # frames 10 to 29
        >>> sample(segment)['frame_inds'].tolist()
        [12, 17, 22, 27]
    """

    def __init__(
        self,
        clip_len: int,
        num_clips: int = 1,
        test_mode: bool = False,
        out_of_bound: str = 'repeat',
    ) -> None:
        if clip_len < 1 or num_clips < 1:
            raise ConfigError(
                f'SampleSegmentFrames: clip_len={clip_len} and num_clips={num_clips} must be at '
                'least 1'
            )
        if out_of_bound not in ('repeat', 'error'):
            raise ConfigError(
                f"SampleSegmentFrames: out_of_bound={out_of_bound!r} is not 'repeat' or 'error'"
            )
        self.clip_len = clip_len
        self.num_clips = num_clips
        self.test_mode = test_mode
        self.out_of_bound = out_of_bound

    def transform(self, results: dict) -> dict:
        """Choose the frames."""
        first, last = self._window(results)
        length = last - first
        if self.out_of_bound == 'error' and length < self.clip_len:
            raise DataError(
                f'{results.get("filename")}: {length} frames, but clip_len={self.clip_len}; '
                "sample fewer frames or set out_of_bound='repeat'"
            )
        if self.test_mode:
            views = (np.arange(self.num_clips)[:, None] + 0.5) / self.num_clips
            places = np.broadcast_to(views, (self.num_clips, self.clip_len))
        else:
            places = np.random.uniform(size=(self.num_clips, self.clip_len))
        parts = (np.arange(self.clip_len) + places) / self.clip_len
        inds = self._frames_at(parts, first, last, results)
        results['frame_inds'] = (inds.reshape(-1) + results.get('start_index', 0)).astype(np.int32)
        results['clip_len'] = self.clip_len
        results['frame_interval'] = None
        results['num_clips'] = self.num_clips
        return results

    @staticmethod
    def _frames_at(parts: np.ndarray, first: int, last: int, results: dict) -> np.ndarray:
        """Frames at these places in [0, 1) of the window, of the same shape."""
        times = results.get('frame_times')
        if times is None or is_even(times[first:last]):
            return first + np.minimum((parts * (last - first)).astype(np.int64), last - first - 1)
        start, stop = times[first, 0], times[last - 1, 1]
        if results.get('segment') is not None:  # frames at its ends may reach far out of it
            start, stop = max(start, results['segment'][0]), min(stop, results['segment'][1])
        inds = np.searchsorted(times[:, 0], start + parts * (stop - start), side='right') - 1
        return np.clip(inds, first, last - 1)

    def _window(self, results: dict) -> tuple[int, int]:
        """First frame of the sample and the one after its last."""
        total = results['total_frames']
        if total < 1:
            raise UnreadableVideoError('the video has no frames')
        segment = results.get('segment')
        if segment is None:
            return 0, total
        begins, ends = self.frame_times(results, total)
        # A frame belongs to the segment if it is on the screen at some time of it.
        inside = np.flatnonzero((ends > segment[0]) & (begins < segment[1]))
        if not len(inside):
            raise UnreadableVideoError(
                f'segment [{segment[0]:g}, {segment[1]:g}] s is outside the video, which ends at '
                f'{ends[-1]:.2f} s'
            )
        return int(inside[0]), int(inside[-1]) + 1

    @staticmethod
    def frame_times(results: dict, total: int) -> tuple[np.ndarray, np.ndarray]:
        """Begin and end of each frame in seconds, both ``(total,)``."""
        times, reader = results.get('frame_times'), results.get('video_reader')
        if times is None and reader is not None and hasattr(reader, 'get_frame_timestamp'):
            times = np.asarray(reader.get_frame_timestamp(range(total)), dtype=np.float64)
            if (np.diff(times[:, 0]) <= 0).any():
                raise UnreadableVideoError(
                    'decord gives time stamps that do not increase, so the segment cannot be '
                    'found; use VideoInit and VideoDecode'
                )
        if times is not None:
            return times[:, 0], times[:, 1]
        rate = results.get('avg_fps')
        if not rate or rate <= 0:
            raise UnreadableVideoError('the frame rate is unknown, so the segment cannot be found')
        begins = np.arange(total) / rate
        return begins, begins + 1 / rate

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(clip_len={self.clip_len}, num_clips={self.num_clips}, '
            f'test_mode={self.test_mode}, out_of_bound={self.out_of_bound!r})'
        )

"""The first transform of a pipeline."""

from __future__ import annotations

from typing import Any

from mmcv.transforms import BaseTransform
from mmengine.fileio import get

from ovmlv.datasets.decoders import READERS, check_installed, open_video
from ovmlv.errors import ConfigError
from ovmlv.registry import TRANSFORMS


@TRANSFORMS.register_module()
class VideoInit(BaseTransform):
    """Open the video of a sample; :class:`VideoDecode` reads its frames.

    The two take the place of ``mmaction.DecordInit`` and ``mmaction.DecordDecode``, for any sampler
    between them. This transform gives the samplers the times of all frames.

    Required Keys:

        - filename

    Added Keys:

        - video_reader
        - total_frames
        - avg_fps
        - frame_times: begin and end of each frame in seconds ``(N, 2)``

    Args:
        backend: Reader: ``pyav`` (right for all videos of ``docs/datasets.md``), ``decord`` or
            ``torchcodec``.
        num_threads: Threads of the decoder.
        backend_args: Arguments of mmengine's ``fileio``, for videos that are not local files.
        **kwargs: Further arguments of the reader, such as ``truncated='use'`` of
            :class:`~ovmlv.datasets.decoders.PyAVReader`.

    Raises:
        DependencyError: The library of the backend is missing or cannot be loaded.

    Examples:
        >>> import tempfile
        >>> import numpy as np
        >>> from ovmlv.datasets import VideoInit
        >>> from ovmlv.datasets.motionshapes.generate import write_video
        >>> with tempfile.TemporaryDirectory() as root:
        ...     write_video(f'{root}/a.mp4', np.zeros((6, 32, 48, 3), dtype=np.uint8), fps=4)
        ...     results = VideoInit()(dict(filename=f'{root}/a.mp4'))
        ...     results['video_reader'].close()
        >>> results['total_frames'], results['avg_fps'], results['frame_times'][1].tolist()
        (6, 4.0, [0.25, 0.5])
    """

    def __init__(
        self,
        backend: str = 'pyav',
        num_threads: int = 1,
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if backend not in READERS:
            raise ConfigError(f'VideoInit: backend={backend!r} is none of {", ".join(READERS)}')
        check_installed(backend)
        self.backend, self.num_threads, self.kwargs = backend, num_threads, kwargs
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Open the file."""
        source = results['filename']
        if self.backend_args is not None or '://' in source:
            source = get(source, backend_args=self.backend_args)
        reader = open_video(source, self.backend, num_threads=self.num_threads, **self.kwargs)
        results['video_reader'] = reader
        results['total_frames'] = len(reader)
        results['avg_fps'] = reader.rate
        results['frame_times'] = reader.times
        return results

    def __repr__(self) -> str:
        extra = ''.join(f', {key}={value!r}' for key, value in self.kwargs.items())
        return (
            f'{type(self).__name__}(backend={self.backend!r}, num_threads={self.num_threads}'
            f'{extra})'
        )

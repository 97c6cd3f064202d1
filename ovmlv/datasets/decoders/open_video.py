"""Readers by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ovmlv.errors import ConfigError

from .base import BaseReader
from .decord_reader import DecordReader
from .pyav_reader import PyAVReader
from .torchcodec_reader import TorchCodecReader

#: Name -> reader. Add your own to use it as ``VideoInit(backend=name)``.
READERS: dict[str, Callable[..., BaseReader]] = {
    'pyav': PyAVReader,
    'decord': DecordReader,
    'torchcodec': TorchCodecReader,
}


def check_installed(backend: str) -> None:
    """Check that the library of a reader can be loaded, see :meth:`BaseReader.check_installed`.

    Examples:
        >>> check_installed('pyav')  # nothing is raised: it is there
    """
    # Readers of users may be plain functions.
    getattr(READERS[backend], 'check_installed', lambda: None)()


def open_video(source: str | Path | bytes, backend: str = 'pyav', **kwargs: Any) -> BaseReader:
    """Open a video.

    Args:
        source: Path, or content of the file.
        backend: One of :data:`READERS`.
        **kwargs: Arguments of that reader.

    Examples:
        >>> import tempfile
        >>> import numpy as np
        >>> from ovmlv.datasets.decoders import open_video
        >>> from ovmlv.datasets.motionshapes.generate import write_video
        >>> with tempfile.TemporaryDirectory() as root:
        ...     write_video(f'{root}/a.mp4', np.zeros((6, 32, 48, 3), dtype=np.uint8), fps=4)
        ...     reader = open_video(f'{root}/a.mp4')
        ...     len(reader), [frame.shape for frame in reader.get_frames([0, 5])]
        ...     reader.close()
        (6, [(32, 48, 3), (32, 48, 3)])
    """
    if backend not in READERS:
        raise ConfigError(f'backend={backend!r} is none of {", ".join(READERS)}')
    return READERS[backend](source, **kwargs)

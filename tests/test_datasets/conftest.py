"""Small real video files, and the folder of real sample data where there is one."""

import os
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest


def make_video(path: Path, num_frames: int = 20, size: tuple[int, int] = (48, 64), fps: int = 10):
    """An mp4 whose frame ``i`` is grey of level ``10 * i``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), fps, size[::-1])
    assert writer.isOpened()
    for i in range(num_frames):
        writer.write(np.full((*size, 3), min(10 * i, 255), dtype=np.uint8))
    writer.release()
    return path


@pytest.fixture(scope='session')
def videos(tmp_path_factory) -> Path:
    """A folder of videos; names with blanks and other alphabets, one missing, two damaged."""
    root = tmp_path_factory.mktemp('videos')
    for name in ('a.mp4', 'with blank/b c.mp4', 'ü/чашка 杯.mp4', 'd, e.mp4'):
        make_video(root / name)
    make_video(root / 'short.mp4', num_frames=3)
    (root / 'empty.mp4').write_bytes(b'')
    (root / 'cut.mp4').write_bytes((root / 'a.mp4').read_bytes()[:400])
    write_truncated(root / 'stops.mp4')
    return root


def write_truncated(path: Path) -> None:
    """An mp4 with its index in front, cut in the middle: it opens, and decoding fails later."""
    whole = path.with_suffix('.whole.mp4')
    frames = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), dtype=np.uint8)
    with av.open(str(whole), 'w', options={'movflags': 'faststart'}) as container:
        stream = container.add_stream('libx264', rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, 'yuv420p'
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())
    data = whole.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    whole.unlink()


@pytest.fixture(scope='session')
def shared() -> Path:
    """Sample data that lie beside the repository; tests skip where there are none."""
    default = Path(__file__).resolve().parents[3] / 'shared' / 'data'
    folder = Path(os.environ.get('OVMLV_SHARED_DATA', default))
    if not folder.is_dir():
        pytest.skip(f'no sample data at {folder}')
    return folder


@pytest.fixture
def write_video() -> Callable[..., Path]:
    """Function that writes a small mp4, see :func:`make_video`."""
    return make_video


@pytest.fixture
def pipeline() -> list[dict]:
    """A test pipeline on MMAction2's decord transforms."""
    return [
        dict(type='mmaction.DecordInit'),
        dict(type='SampleSegmentFrames', clip_len=4, test_mode=True),
        dict(type='mmaction.DecordDecode'),
        dict(type='mmaction.Resize', scale=(-1, 32)),
        dict(type='mmaction.CenterCrop', crop_size=32),
        dict(type='mmaction.FormatShape', input_format='NCTHW'),
        dict(type='PackMultilabelInputs'),
    ]


@pytest.fixture(autouse=True)
def scope():
    """As a config with ``default_scope='ovmlv'`` has it."""
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('ovmlv'):
        yield

"""Spoilt videos: FFmpeg's plain decode frame by frame, or one line that says what is wrong."""

from __future__ import annotations

import av
import numpy as np
import pytest

from ovmlv.datasets.decoders import open_video
from tests.test_datasets.odd_videos import write_video
from tests.test_fuzz.cases import attempt, cases, generators
from tests.test_fuzz.mutations import mutate_bytes

SOURCES = {
    'h264.mp4': dict(codec='libx264', b_frames=2),
    'h264.avi': dict(codec='libx264', b_frames=2),
    'h264.ts': dict(codec='libx264', b_frames=0),
    'mpeg4.avi': dict(codec='mpeg4', b_frames=2),
    'mpeg2.mpg': dict(codec='mpeg2video', b_frames=2, rate=25),
    'vp8.webm': dict(codec='libvpx', b_frames=0),
    'vp9.webm': dict(codec='libvpx-vp9', b_frames=0),
    'ffv1.mkv': dict(codec='ffv1', b_frames=0),
}


@pytest.fixture(scope='module')
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sources')
    found = {}

    def get(name):
        if name not in found:
            found[name] = write_video(folder / name, count=24, **SOURCES[name]).read_bytes()
        return found[name]

    return get


def plain_decode(path):
    """All frames as FFmpeg gives them, or None where it complains."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            return [f.to_ndarray(format='rgb24') for f in container.decode(stream)]
    except (av.error.FFmpegError, IndexError, ValueError):
        return None


@pytest.mark.parametrize('numbers', cases('video'))
@pytest.mark.parametrize('name', sorted(SOURCES))
def test_frames(sources, tmp_path, name, numbers):
    data = sources(name)
    for number, rng in generators(numbers, name):
        path = tmp_path / f'{number}-{name}'
        path.write_bytes(mutate_bytes(data, rng))

        def read(path=path, rng=rng):
            reader = open_video(path)
            try:
                some = rng.permutation(len(reader))[:3]
                return reader.get_frames(range(len(reader))), some, reader.get_frames(some)
            finally:
                reader.close()

        result = attempt(read, (name, number))
        path_frames = plain_decode(path) if result is not None else None
        path.unlink()
        if result is None:
            continue
        frames, some, again = result
        assert path_frames is not None, (name, number, 'FFmpeg complains, the reader does not')
        assert len(frames) == len(path_frames), (name, number)
        for i, (ours, plain) in enumerate(zip(frames, path_frames, strict=True)):
            np.testing.assert_array_equal(ours, plain, err_msg=f'{name} {number} frame {i}')
        for i, frame in zip(some, again, strict=True):
            np.testing.assert_array_equal(frame, frames[i], err_msg=f'{name} {number} frame {i}')

"""Spoilt videos: FFmpeg's plain decode frame by frame, or one line that says what is wrong."""

from __future__ import annotations

from typing import NamedTuple

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from ovmlv.containers import open_container, rgb_of
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


class Plain(NamedTuple):
    """A plain decode: pictures, where decoding can start, and after how many FFmpeg complains."""

    pictures: list[np.ndarray]
    keys: list[bool]
    complaints: list[int]


def plain_decode(path, keep):
    """All frames as FFmpeg gives them, whatever is between them.

    Frames are kept until the end and decoded in one thread, or given back one by one, so that their
    memory is used again, and decoded by a thread for each slice.
    """
    plain, frames = Plain([], [], []), []
    # The file's title and such are none of the frames' business.
    with open_container(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1 if keep else 2
        stream.thread_type = 'SLICE'
        for packet in container.demux(stream):
            try:
                decoded = packet.decode()
            except av.error.FFmpegError:
                plain.complaints.append(len(plain.keys))
                continue
            for frame in decoded:
                plain.keys.append(bool(frame.key_frame) and frame.pict_type == PictureType.I)
                if keep:
                    frames.append(frame)
                else:
                    plain.pictures.append(rgb_of(frame))
    plain.pictures.extend(rgb_of(frame) for frame in frames)
    return plain


def same(some, others):
    """Whether plain decodes of the same file agree.

    Decoders that do not notice an error may leave in a picture what its memory held before, or
    (VP8) what another thread had done by then, so that there is none that could be called right.
    """
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


@pytest.mark.parametrize('numbers', cases('video'))
@pytest.mark.parametrize('name', sorted(SOURCES))
def test_frames(sources, tmp_path, name, numbers):
    data = sources(name)
    for number, rng in generators(numbers, name):
        case = f'{name} {number}'
        path = tmp_path / f'{number}-{name}'
        path.write_bytes(mutate_bytes(data, rng))

        def read(path=path, rng=rng):
            reader = open_video(path)
            try:
                some = rng.permutation(len(reader))[:3]
                frames = reader.get_frames(range(len(reader)))
                return frames, some, reader.get_frames(some), reader.index.left_out
            finally:
                reader.close()

        result = attempt(read, case)
        plains = [plain_decode(path, keep) for keep in (True, False)] if result is not None else []
        path.unlink()
        if result is None:
            continue
        frames, some, again, left_out = result
        plain = plains[0]
        assert not any(plain.complaints), f'{case}: FFmpeg complains, the reader does not'
        # What a recording has before its first key frame is left out, and said to be; no more.
        assert left_out == 0 or left_out == plain.keys.index(True), case
        wanted = plain.pictures[left_out:]
        assert len(frames) == len(wanted), case
        if same(plain.pictures, plains[1].pictures):
            for i, (ours, theirs) in enumerate(zip(frames, wanted, strict=True)):
                np.testing.assert_array_equal(ours, theirs, err_msg=f'{case} frame {i}')
        for i, frame in zip(some, again, strict=True):
            np.testing.assert_array_equal(frame, frames[i], err_msg=f'{case} frame {i}')

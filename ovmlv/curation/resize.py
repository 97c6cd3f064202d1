"""Making videos smaller, so that training need not decode pixels that it throws away."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ovmlv.containers import converting, rgb_of
from ovmlv.datasets.decoders import PyAVReader
from ovmlv.datasets.decoders.upright import upright
from ovmlv.errors import UnreadableVideoError
from ovmlv.files import whole_file

_BASE = Fraction(1, 90000)  # of time stamps: exact for all usual frame rates


@dataclass(frozen=True)
class ResizeTask:
    """A file to make smaller.

    Attributes:
        source: Video to read.
        target: ``.mp4`` file to write.
        short_side: Shorter side of the pictures, in pixels; smaller videos keep their size.
        gop: Frames from one key frame to the next; fewer make seeking faster and files larger.
        quality: CRF of x264; 18 is nearly lossless, and 23 is its default.
        preset: Preset of x264.
    """

    source: str
    target: str
    short_side: int = 256
    gop: int = 32
    quality: int = 20
    preset: str = 'veryfast'


def resize_video(task: ResizeTask) -> dict:
    """Write the video in H.264, upright, its frames at the same times; sound is left out.

    The target appears when it is complete; a run that is killed leaves at most a hidden file.

    Returns:
        ``frames`` and ``size``.

    Raises:
        UnreadableVideoError: The source is damaged; nothing is written.
        OutputError: The target cannot be written.
    """
    reader = PyAVReader(task.source)
    try:
        with whole_file(task.target) as part:
            frames, size = _write(reader, part, task)
            if frames != len(reader):
                raise UnreadableVideoError(
                    f'damaged: {frames} of {len(reader)} frames can be decoded'
                )
    except av.error.FFmpegError as error:
        raise UnreadableVideoError(f'damaged: {error.strerror}') from None
    finally:
        reader.close()
    return dict(frames=frames, size=size)


def _write(reader: PyAVReader, part: Path, task: ResizeTask) -> tuple[int, tuple[int, int]]:
    stamps = np.round((reader.times - reader.times[0, 0]) / float(_BASE)).astype(int)
    count, size, at = 0, (0, 0), -1
    with av.open(
        f'file:{part.absolute()}', 'w', format='mp4', options={'movflags': 'faststart'}
    ) as container:
        stream, packets = None, []
        for _, frame, damage in reader.decode_all():
            if damage:
                raise UnreadableVideoError(f'damaged: {damage}, so frame {count} is no good')
            if count >= len(stamps):
                raise UnreadableVideoError(f'damaged: more than its {len(stamps)} frames')
            matrix = frame.side_data.get('DISPLAYMATRIX')
            if matrix is not None:
                picture = upright(rgb_of(frame), matrix)
                frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
            if stream is None:
                size = _fit(frame.width, frame.height, task.short_side)
                stream = _add_stream(container, reader, size, task)
                if matrix is None:  # else the colours are those of RGB
                    stream.codec_context.colorspace = frame.colorspace
                    stream.codec_context.color_range = frame.color_range
            frame = frame.reformat(*size, format='yuv420p', interpolation='BICUBIC', **converting())
            at = max(int(stamps[count, 0]), at + 1)  # encoders refuse equal times
            frame.pts, frame.time_base = at, _BASE
            packets += stream.encode(frame)
            container.mux(packets[:-1])
            packets = packets[-1:]
            count += 1
        if stream is not None:
            packets += stream.encode()
            if packets[-1].pts == at:  # how long the last frame is shown
                packets[-1].duration = int(stamps[count - 1, 1] - stamps[count - 1, 0])
            container.mux(packets)
    return count, size


def _add_stream(
    container: av.container.OutputContainer,
    reader: PyAVReader,
    size: tuple[int, int],
    task: ResizeTask,
) -> av.VideoStream:
    rate = Fraction(reader.rate or 25).limit_denominator(1001)
    stream = container.add_stream(
        'libx264', rate=rate, options={'crf': str(task.quality), 'preset': task.preset}
    )
    stream.width, stream.height = size
    stream.pix_fmt = 'yuv420p'
    stream.time_base = stream.codec_context.time_base = _BASE
    stream.codec_context.gop_size = task.gop
    stream.codec_context.thread_count = 1
    if reader.index.variable_rate:  # the last packet is then the last frame
        stream.codec_context.max_b_frames = 0
    return stream


def _fit(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Width and height with this short side, both even."""
    scale = min(1.0, short_side / min(width, height))
    wide, high = (max(2, 2 * round(scale * v / 2)) for v in (width, height))
    return wide, high

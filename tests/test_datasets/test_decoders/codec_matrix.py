"""Small videos of many codecs in many containers, and what a plain decode makes of them."""

from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np

from ovmlv.containers import rgb_of

SIZE, COUNT, RATE = (48, 64), 40, 10


@dataclass(frozen=True)
class Case:
    """A file to make.

    Attributes:
        suffix: Of the file.
        codec: Encoder.
        b_frames: At most so many in a row.
        gop: Frames from key frame to key frame.
        options: Of the encoder.
        muxer: Of the container.
        pix_fmt: Of the pictures.
        times: Milliseconds of the frames; None: even.
        size: Height and width.
    """

    suffix: str
    codec: str
    b_frames: int = 0
    gop: int = 12
    options: dict = field(default_factory=dict)
    muxer: dict = field(default_factory=dict)
    pix_fmt: str = 'yuv420p'
    times: tuple | None = None
    size: tuple = SIZE
    interlaced: bool = False


def _cases():
    fine, fast = {'qmin': '2', 'qmax': '4'}, {'cpu-used': '8', 'deadline': 'realtime'}
    lagging = {'cpu-used': '8', 'auto-alt-ref': '1', 'lag-in-frames': '12', 'b': '50k'}
    quiet = 'log-level=none:pools=none:frame-threads=1'
    cases = {}
    for suffix in 'mp4 mov mkv avi ts flv h264 nut asf 3gp mpg vob'.split():
        for b in (0, 3):
            cases[f'h264-{suffix}-b{b}'] = Case(suffix, 'libx264', b)
    for suffix in 'mp4 mkv ts avi'.split():
        x264 = {'x264opts': 'open-gop=1'}
        cases[f'h264-{suffix}-open'] = Case(suffix, 'libx264', 3, 6, x264)
        cases[f'h264-{suffix}-refresh'] = Case(suffix, 'libx264', 0, 10, {'intra-refresh': '1'})
        fields = {'flags': '+ildct+ilme', 'x264opts': 'tff=1'}
        cases[f'h264-{suffix}-fields'] = Case(suffix, 'libx264', 2, options=fields, interlaced=True)
        cases[f'h264-{suffix}-one-key'] = Case(suffix, 'libx264', 2, 1000)
    for suffix in 'mp4 mkv ts h265'.split():
        for b in (0, 3):
            cases[f'hevc-{suffix}-b{b}'] = Case(
                suffix, 'libx265', b, options={'x265-params': quiet}
            )
        cases[f'hevc-{suffix}-open'] = Case(
            suffix, 'libx265', 3, 5, {'x265-params': f'{quiet}:open-gop=1'}
        )
    for suffix in 'mp4 mov mkv avi m4v ts'.split():
        for b in (0, 2):
            cases[f'mpeg4-{suffix}-b{b}'] = Case(suffix, 'mpeg4', b, options=fine)
    for suffix in 'mpg vob ts mkv m2v avi'.split():
        for b in (0, 2):
            cases[f'mpeg2-{suffix}-b{b}'] = Case(suffix, 'mpeg2video', b, options=fine)
    cases['mpeg2-ts-fields'] = Case(
        'ts', 'mpeg2video', 2, options=dict(fine, flags='+ildct+ilme'), interlaced=True
    )
    for suffix in 'webm mkv ivf avi'.split():
        cases[f'vp8-{suffix}'] = Case(suffix, 'libvpx', options=fast)
        cases[f'vp8-{suffix}-altref'] = Case(suffix, 'libvpx', options=lagging)
    for suffix in 'webm mp4 ivf'.split():
        cases[f'vp9-{suffix}'] = Case(suffix, 'libvpx-vp9', options=fast)
        cases[f'vp9-{suffix}-altref'] = Case(suffix, 'libvpx-vp9', options=lagging)
    for suffix in 'mkv mp4 ivf'.split():
        cases[f'av1-{suffix}'] = Case(
            suffix, 'libsvtav1', options={'preset': '12', 'svtav1-params': 'keyint=9'}
        )
    for codec, suffixes in {
        'wmv2': 'asf avi',
        'msmpeg4': 'avi',
        'flv': 'flv',
        'mjpeg': 'avi mov mkv',
        'ffv1': 'mkv avi',
        'huffyuv': 'avi',
        'prores_ks': 'mov',
        'utvideo': 'avi',
        'snow': 'nut',
    }.items():
        formats = dict(mjpeg='yuvj420p', huffyuv='yuv422p', prores_ks='yuv422p10le')
        for suffix in suffixes.split():
            cases[f'{codec}-{suffix}'] = Case(
                suffix, codec, options=fine, pix_fmt=formats.get(codec, 'yuv420p')
            )
    cases['gif'] = Case('gif', 'gif', pix_fmt='rgb8')
    uneven = tuple(int(t) for t in np.cumsum(np.random.default_rng(0).choice([7, 40, 300], COUNT)))
    for suffix in 'mp4 mkv ts flv'.split():
        for b in (0, 3):
            cases[f'h264-{suffix}-uneven-b{b}'] = Case(suffix, 'libx264', b, times=uneven)
    late = tuple(3000 + 100 * i for i in range(COUNT))
    early = tuple(100 * i - 500 for i in range(COUNT))
    for suffix in ('mp4', 'mkv', 'ts', 'flv'):
        cases[f'h264-{suffix}-late'] = Case(suffix, 'libx264', 2, times=late)
    cases['h264-mp4-negative'] = Case('mp4', 'libx264', 2, times=early)
    cases['vp9-webm-uneven'] = Case('webm', 'libvpx-vp9', options=fast, times=uneven)
    return cases


CASES = _cases()


def pictures(count=COUNT, size=SIZE):
    """Coloured squares that move, over a grey that tells the frame."""
    tiles = np.random.default_rng(0).integers(0, 160, (size[0] // 8, size[1] // 8, 3))
    tiles = tiles.repeat(8, 0).repeat(8, 1)
    for i in range(count):
        image = np.roll(tiles, 2 * i, 1) // 2 + 3 * i
        image[-16:, -16:] = 20 + 5 * i
        yield np.clip(image, 0, 255).astype(np.uint8)


def write(case, path):
    """Make the file. ValueError: this build of PyAV does not encode or mux it."""
    with av.open(str(path), 'w', options=case.muxer) as container:
        stream = container.add_stream(case.codec, rate=RATE, options=dict(case.options))
        stream.height, stream.width = case.size
        stream.pix_fmt = case.pix_fmt
        context = stream.codec_context
        context.gop_size, context.max_b_frames = case.gop, case.b_frames
        context.thread_count = 1
        if case.times is not None:
            context.time_base = Fraction(1, 1000)
        for i, image in enumerate(pictures(COUNT, case.size)):
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            if case.pix_fmt != 'yuv420p':
                frame = frame.reformat(format=case.pix_fmt)
            if case.times is not None:
                frame.time_base, frame.pts = Fraction(1, 1000), case.times[i]
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def plain_decode(path):
    """Pictures and times (seconds from the start of the file; None where a frame has none)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        start = (container.start_time or 0) / av.time_base
        frames = list(container.decode(stream))
        times = [None if f.time is None else f.time - start for f in frames]
        return [rgb_of(f) for f in frames], times

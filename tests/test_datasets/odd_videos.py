"""Videos whose frames are told by their brightness, and the odd ways in which files come."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (48, 80)  # height, width


def level(i):
    """The grey of frame ``i``, for up to 55 frames."""
    return 20 + 4 * i


def picture(i, size=SIZE):
    """Grey with a white square in the upper left corner."""
    image = np.full((*size, 3), level(i), np.uint8)
    image[:16, :16] = 255
    return image


def write_video(
    path,
    count=20,
    codec='libx264',
    times=None,
    rate=10,
    size=SIZE,
    gop=12,
    b_frames=2,
    options=None,
    muxer=None,
):
    """Frames 0..count-1, at ``times`` (seconds, to a millisecond) where given."""
    path = Path(path)
    with av.open(str(path), 'w', options=dict(muxer or {})) as container:
        stream = add_stream(container, codec, rate, size, gop, b_frames, options)
        encode(container, stream, count, times, size)
    return path


def add_stream(container, codec, rate=10, size=SIZE, gop=12, b_frames=2, options=None):
    stream = container.add_stream(codec, rate=rate, options=dict(options or {}))
    stream.height, stream.width = size
    stream.pix_fmt = 'yuv420p'
    stream.codec_context.gop_size = gop
    stream.codec_context.max_b_frames = b_frames
    return stream


def encode(container, stream, count, times=None, size=SIZE):
    if times is not None:
        stream.codec_context.time_base = Fraction(1, 1000)
    for i in range(count):
        frame = av.VideoFrame.from_ndarray(picture(i, size), format='rgb24')
        if times is not None:
            frame.time_base, frame.pts = Fraction(1, 1000), round(1000 * times[i])
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def spoil_packet(path, number, run):
    """Blank bytes of a packet, counted in the order of the file; ``run`` is a slice of it."""
    with av.open(str(path)) as container:
        packets = [bytes(p) for p in container.demux(video=0) if p.size]
    data, packet = bytearray(path.read_bytes()), packets[number]
    spoilt = bytearray(packet)
    spoilt[run] = bytes(len(packet[run]))
    at = data.index(packet)
    data[at : at + len(packet)] = spoilt
    path.write_bytes(data)


def write_sound(path):
    """An mp4 without a video stream."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('aac', rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), 'fltp', 'mono')
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return Path(path)


def set_matrix(path, a, b, c, d):
    """Write a display matrix into the track header of an mp4 (ISO 14496-12, 8.3.2)."""
    data = bytearray(Path(path).read_bytes())
    at = data.index(b'tkhd') + 44
    assert struct.unpack('>9i', data[at : at + 36])[0] == 1 << 16, 'not the unit matrix'
    one = 1 << 16
    data[at : at + 36] = struct.pack('>9i', a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    Path(path).write_bytes(data)
    return Path(path)


def truncate(path, share=0.5):
    """Cut the end off; the header is to be in front (``movflags=faststart``)."""
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[: int(len(data) * share)])
    return Path(path)


def damage(path, share=0.6, length=0.2):
    """Zeros in the middle of the pictures."""
    data = bytearray(Path(path).read_bytes())
    start = data.index(b'mdat') + 4
    begin = start + int((len(data) - start) * share)
    size = int((len(data) - start) * length)
    data[begin : begin + size] = bytes(size)
    Path(path).write_bytes(data)
    return Path(path)


def write_noise(path, count=40, size=SIZE, seed=0):
    """Pictures that take many bytes, with the header in front."""
    images = np.random.default_rng(seed).integers(0, 255, (count, *size, 3), dtype=np.uint8)
    with av.open(str(path), 'w', options={'movflags': 'faststart'}) as container:
        stream = add_stream(container, 'libx264', size=size, gop=10)
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode())
    return Path(path)

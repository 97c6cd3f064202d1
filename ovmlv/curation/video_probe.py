"""Facts about one video file."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np

from ovmlv.datasets.decoders import PyAVReader
from ovmlv.datasets.video_failures import READ_ERRORS, UnreadableVideoError, describe_failure
from ovmlv.files import file_digest

_CHUNK = 1 << 22
_HASH = functools.partial(hashlib.blake2b, digest_size=16)


@dataclass(frozen=True)
class ProbeTask:
    """A file to look at.

    Attributes:
        path: The file.
        full: Whether to decode every frame rather than the first and the last.
        min_frames: Least number of frames; fewer are a problem.
    """

    path: str
    full: bool = True
    min_frames: int = 1


@dataclass
class VideoFacts:
    """The facts that were found.

    Attributes:
        problems: ``(kind, detail)``; kinds are ``missing``, ``unreadable``, ``no video``,
            ``truncated``, ``damaged``, ``too short``.
        notes: Points that a reader must take care of; the readers here do.
        duration: Seconds from the start of the file to the end of the last frame.
        digest: Digest of the content, to find the same file under two names.
    """

    path: str
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    frames: int = 0
    duration: float = 0.0
    rate: float = 0.0
    width: int = 0
    height: int = 0
    codec: str = ''
    digest: str = ''

    def as_dict(self) -> dict[str, Any]:
        """The facts as plain values for JSON."""
        return asdict(self)


def probe_video(task: ProbeTask) -> dict[str, Any]:
    """Open a video, decode it, and say what is wrong or unusual about it.

    Returns:
        :meth:`VideoFacts.as_dict`.
    """
    facts = VideoFacts(task.path)
    path = Path(task.path)
    if not path.is_file():
        facts.problems.append(('missing', 'there is no such file'))
        return facts.as_dict()
    try:
        facts.digest = _digest(path, task.full)
        reader = PyAVReader(task.path, truncated='use')
    except READ_ERRORS as error:
        reason = str(error) if isinstance(error, UnreadableVideoError) else describe_failure(error)
        kind = 'no video' if 'no video stream' in reason or 'cover' in reason else 'unreadable'
        facts.problems.append((kind, reason))
        return facts.as_dict()
    try:
        _describe(reader, facts)
        if reader.index.cut_short:
            facts.problems.append(('truncated', reader.index.cut_short))
        _decode(reader, facts, task.full)
    finally:
        reader.close()
    if facts.frames < task.min_frames:
        facts.problems.append(
            ('too short', f'{facts.frames} frames, fewer than {task.min_frames}: they would repeat')
        )
    return facts.as_dict()


def _describe(reader: PyAVReader, facts: VideoFacts) -> None:
    """Facts and notes from the header and the packets."""
    stream, index = reader.stream, reader.index
    facts.frames, facts.rate = len(reader), round(reader.rate, 4)
    facts.duration = round(float(reader.times[-1, 1]), 4)
    facts.width, facts.height = stream.codec_context.width, stream.codec_context.height
    facts.codec = stream.codec_context.codec.canonical_name
    notes = facts.notes
    if index.variable_rate:
        gaps = np.diff(reader.times, axis=1)
        notes.append(
            f'variable frame rate: {facts.frames} frames in {facts.duration:.2f} s, each on the '
            f'screen for {1000 * gaps.min():.0f} to {1000 * gaps.max():.0f} ms'
        )
    videos = reader.container.streams.video
    if len(videos) > 1:
        each = ', '.join(
            f'{s.index}: {s.codec_context.width}x{s.codec_context.height}' for s in videos
        )
        notes.append(f'{len(videos)} video streams ({each}); number {stream.index} is used')
    if facts.codec == 'av1':
        notes.append('AV1, which decord 0.6 and many builds of OpenCV do not decode')
    aspect = stream.sample_aspect_ratio
    if aspect and aspect != 1:
        notes.append(f'pixels that are not square ({aspect}); they are read as if they were')
    if not stream.frames and not stream.duration:
        notes.append('no number of frames and no length of the picture in the header')


def _decode(reader: PyAVReader, facts: VideoFacts, full: bool) -> None:
    """Decode, and note what only frames show; damage is what the reader refuses."""
    try:
        damage = reader.survey() if full else {}
        good = next((i for i in range(len(reader)) if i not in damage), None)
        if good is not None:
            height, width = reader.get_frames([good])[0].shape[:2]
            if (width, height) != (facts.width, facts.height):
                facts.notes.append(f'turned upright: {width}x{height} is shown')
                facts.width, facts.height = width, height
        if not full:
            reader.get_frames([len(reader) - 1])
    except (av.error.FFmpegError, UnreadableVideoError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        facts.problems.append(('damaged', reason.removeprefix('damaged: ')))
        return
    if damage:
        at = next(iter(damage))
        facts.problems.append(
            (
                'damaged',
                f'{len(reader) - len(damage)} of {len(reader)} frames can be decoded; from frame '
                f'{at} on: {damage[at]}',
            )
        )
    sizes = reader.index.sizes
    if len(sizes) > 1:
        facts.problems.append(
            ('damaged', f'its frames change their size: {", ".join(map(_times, sorted(sizes)))}')
        )
    _note_order(reader, facts)


def _note_order(reader: PyAVReader, facts: VideoFacts) -> None:
    index = reader.index
    if not index.reliable:
        facts.notes.append(
            'time stamps missing or in the order of decoding: frames are counted from the first'
        )
    if index.backwards:
        facts.notes.append(
            f'the time stamps of decoded frames go backwards {index.backwards} times'
        )
    if index.left_out:
        facts.notes.append(
            f'it starts inside a group of pictures: {index.left_out} frames before the first key '
            'frame are left out'
        )


def _times(size: tuple[int, int]) -> str:
    return f'{size[0]}x{size[1]}'


def _digest(path: Path, full: bool) -> str:
    """Hash of the content, or of its length, first and last megabytes if it is not read anyway."""
    size = path.stat().st_size
    if full or size <= 2 * _CHUNK:
        return file_digest(path, _HASH)
    with path.open('rb') as file:
        found = _HASH(str(size).encode() + file.read(_CHUNK))
        file.seek(-_CHUNK, 2)
        found.update(file.read())
    return found.hexdigest()

"""Videos with their labels written on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ovmlv.containers import open_container, rgb_of
from ovmlv.datasets.decoders.upright import upright
from ovmlv.errors import ConfigError, DataError, DependencyError, OutputError, UnreadableVideoError
from ovmlv.files import whole_file

from .frame_labeler import FrameLabeler, PlateRow
from .window_cells import cell_at, window_cells

if TYPE_CHECKING:
    from ovmlv.results import TagResult

_SUFFIXES = ('.mp4', '.mov', '.mkv')
_ENCODERS = ('libx264', 'libopenh264', 'mpeg4')  # the first that this PyAV has is taken
_OPTIONS = {'libx264': {'crf': '20', 'preset': 'veryfast'}}
_CLOCK = Fraction(1, 60000)  # MPEG-4 cannot count finer than 1 / 65535
_BITS = 0.2  # a pixel, for encoders without a constant quality


def write_annotated_video(
    video: str | Path,
    result: TagResult,
    out: str | Path,
    top_k: int = 5,
    threshold: float | None = None,
    place: str = 'auto',
) -> Path:
    """Write a video with the most probable labels on its frames.

    If the result has windows, the video shows at each moment the labels of the window at that
    moment; if several windows overlap, those of the window whose middle is nearest. Frames keep
    their times; the sound is left out.

    Args:
        video: The video file that the result is of.
        result: Result of tagging the video.
        out: Video to write: ``.mp4``, ``.mov`` or ``.mkv``.
        top_k: Number of labels to show at a moment.
        threshold: Least probability of labels that are shown. Without it, labels stand out from the
            result's own thresholds on, or from 0.5.
        place: Place of the labels: ``over`` the picture, ``beside`` it, or ``auto``; see
            :class:`FrameLabeler`.

    Raises:
        DataError: The video cannot be read, or its result is an error.
        OutputError: ``out`` cannot be written.
        FileNotFoundError: There is no such file.
    """
    import av

    out = Path(out)
    if out.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f'{out}: name a file ending in {", ".join(_SUFFIXES)}')
    if not Path(video).is_file():
        raise FileNotFoundError(f'video {video} not found; give the path of a video file')
    if out.resolve() == Path(video).resolve():
        raise ConfigError(f'{out} is the video itself; write another file')
    moments = Moments(result, top_k, threshold)
    encoder, options = choose_encoder()
    try:
        with (
            whole_file(out) as partial,
            open_container(video) as source,
            av.open(f'file:{partial.absolute()}', 'w') as target,
        ):
            frames = _read(source, video)
            time, frame, rate = next(frames, (0.0, None, None))
            if frame is None or rate is None:
                raise DataError(f'video {video}: no frame could be decoded; repair or remove it')
            labeler = FrameLabeler(
                frame.shape[:2], moments.labels, top_k, place, bool(moments.headings)
            )
            stream: Any = target.add_stream(encoder, rate=rate, options=options)
            stream.height, stream.width = labeler.output_size
            stream.pix_fmt = 'yuv420p'
            stream.codec_context.time_base = _CLOCK
            if not options:
                stream.bit_rate = round(_BITS * stream.height * stream.width * float(rate)) + 200000
            last = -1
            while frame is not None:
                picture = av.VideoFrame.from_ndarray(
                    labeler(frame, *moments.at(time)), format='rgb24'
                )
                last = max(round(time / _CLOCK), last + 1)  # encoders refuse equal times
                picture.pts, picture.time_base = last, _CLOCK
                target.mux(stream.encode(picture))
                time, frame, _ = next(frames, (0.0, None, None))
            target.mux(stream.encode())
    except OutputError:
        raise
    except (av.error.FFmpegError, UnreadableVideoError) as error:
        raise DataError(
            f'video {video} cannot be annotated ({error.strerror or error}); repair or remove it'
        ) from None
    return out


class Moments:
    """The part of a result to show at each time.

    Args:
        result: Result of a whole video or of windows.
        top_k: Number of labels at a moment.
        threshold: See :func:`write_annotated_video`.

    Attributes:
        labels: All labels that are shown at any time.
        headings: The times of the windows in words; none for a whole video.
    """

    def __init__(self, result: TagResult, top_k: int = 5, threshold: float | None = None) -> None:
        if result.error is not None:
            raise DataError(f'{result.video} has no labels to draw: {result.error}')
        if top_k < 1:
            raise ConfigError(f'top_k={top_k} must be at least 1')
        windows: Sequence[Any] = result.windows
        table = result.window_probabilities if len(windows) else result.probabilities[None]
        limits = result.thresholds if threshold is None else threshold
        limits = np.broadcast_to(0.5 if limits is None else limits, len(result.labels))
        self._rows = []
        for values in np.asarray(table):
            order = np.argsort(-values, kind='stable')[:top_k]
            rows = [
                PlateRow(result.labels[i], float(values[i]), bool(values[i] >= limits[i]))
                for i in order
            ]
            self._rows.append([row for row in rows if row.present or threshold is None])
        self._cells = window_cells(windows)
        self.headings = [f'{w.start:.1f} – {w.end:.1f} s' for w in windows]
        self.labels = list(dict.fromkeys(row.label for rows in self._rows for row in rows))

    def at(self, time: float) -> tuple[list[PlateRow], str]:
        """Labels and heading at a time in seconds."""
        if not self.headings:
            return self._rows[0], ''
        i = cell_at(self._cells, time)
        return self._rows[i], self.headings[i]


def choose_encoder() -> tuple[str, dict[str, str]]:
    """The best available encoder, with its options."""
    import av

    for name in _ENCODERS:
        try:
            av.Codec(name, 'w')
        except (av.codec.codec.UnknownCodecError, ValueError):
            continue
        return name, _OPTIONS.get(name, {})
    raise DependencyError(f'this PyAV has none of {", ".join(_ENCODERS)}; pip install -U av')


def _read(source: Any, video: str | Path) -> Iterator[tuple[float, np.ndarray, Fraction]]:
    """Time, upright picture ``(H, W, 3)`` and mean rate of each frame.

    After damage, the video goes on with the next frame that can be decoded.
    """
    from av.error import FFmpegError

    stream = source.streams.best('video')
    if stream is None:
        raise DataError(f'video {video} has no pictures; give the path of a video file')
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    rate = Fraction(rate).limit_denominator(1001 * 100)
    count, shape, start, fit = 0, None, None, None
    for packet in source.demux(stream):
        try:
            frames = packet.decode()
        except FFmpegError:
            continue
        for frame in frames:
            picture = upright(rgb_of(frame), frame.side_data.get('DISPLAYMATRIX'))
            if shape is None:
                shape = picture.shape
            elif picture.shape != shape:
                fit = fit or _resizer(shape)
                picture = fit(picture)
            time = count / float(rate) if frame.time is None else frame.time
            start = time if start is None else start
            yield time - start, picture, rate
            count += 1


def _resizer(shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    from PIL import Image

    size = (shape[1], shape[0])
    return lambda picture: np.asarray(Image.fromarray(picture).resize(size))

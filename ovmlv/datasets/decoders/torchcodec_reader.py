"""Frames by torchcodec, which uses the FFmpeg of the system."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from ovmlv.containers import decode_packets
from ovmlv.errors import DependencyError, UnreadableVideoError, reason_of

from .base import BaseReader
from .plain_source import plain_source
from .pyav_reader import PyAVReader
from .upright import upright

# By torchcodec's own table; older ones are bound to one version of torch each.
_FITTING = {(2, 9): '==0.9.*', (2, 10): '==0.10.*'}
_FITTING_NEWER = '>=0.12,<0.14'
# What it raises for files that it cannot read; its own messages have many lines.
_ERRORS = (RuntimeError, IndexError, ValueError)
_OTHER_FRAMES = "torchcodec gives other frames than a plain decode; use backend='pyav'"
_MICROSECOND = 1e-6
_FULL = 2  # of AVColorRange; yuvj formats, which say so themselves, are converted rightly


class TorchCodecReader(BaseReader):
    """A video read by torchcodec, refused where it can be seen to be wrong.

    The frames are counted and timed by :class:`PyAVReader`, so that numbers, times and refusals
    are the same. torchcodec tells the time of each frame that it gives, and this must be the time
    of the frame that was asked for. If it is not, or if torchcodec fails, the frames are read one
    after the other from the first. If this fails as well, the video is refused, for the reason that
    PyAV gives. Refused when they are opened are videos whose stored times do not tell their frames,
    MPEG program streams, files whose edit list cuts the start, and values of full range that the
    pixel format does not tell, as in VP9 and AV1.

    It is turned as its display matrix says; torchcodec alone does not mirror it. torchcodec does
    not tell which frames a decoder has patched up: damage that breaks no packet gives a wrong
    picture without an error, which :class:`PyAVReader` would refuse. Colours of interlaced and of
    10-bit 4:2:0 pictures differ a little, since another version of FFmpeg converts them.

    The FFmpeg of the system opens the files that playlists name, so it gets only files that PyAV
    takes for a plain container. MPEG transport streams and raw streams are not among them.

    Args:
        source: Path, or content of the file.
        num_threads: Threads of the decoder.

    Raises:
        UnreadableVideoError: The video cannot be used; the message has the reason.
        FileNotFoundError: There is no such file.
        DependencyError: torchcodec is not installed, or cannot load its libraries.

    Examples:
        >>> import tempfile
        >>> import numpy as np
        >>> from ovmlv.datasets.decoders import TorchCodecReader
        >>> from ovmlv.datasets.motionshapes.generate import write_video
        >>> with tempfile.TemporaryDirectory() as root:
        ...     write_video(f'{root}/a.mp4', np.zeros((6, 32, 48, 3), dtype=np.uint8), fps=4)
        ...     reader = TorchCodecReader(f'{root}/a.mp4')
        ...     len(reader), reader.rate, [frame.shape for frame in reader.get_frames([5])]
        ...     reader.close()
        (6, 4.0, [(32, 48, 3)])
    """

    def __init__(self, source: str | Path | bytes, num_threads: int = 1) -> None:
        self.check_installed()
        self.source, self.num_threads = plain_source(source, 'torchcodec'), num_threads
        plain = PyAVReader(self.source)
        try:
            assert plain.stream.time_base is not None  # FFmpeg sets it for all that it demuxes
            self.times, self._stream = plain.times, plain.stream.index
            #: Seconds, as the container counts them, at which each frame is shown.
            self._stamps = plain.index.pts * float(plain.stream.time_base)
            doubtful = not plain.index.reliable or _is_sought_wrongly(plain)
            first = _first_frame(plain)
        finally:
            plain.close()
        # Streams have it as well, but PyAV does not tell.
        matrix = first.side_data.get('DISPLAYMATRIX')
        self._matrix = None if matrix is None else bytes(matrix)
        if first.color_range == _FULL and first.format.name.startswith(('yuv4', 'yuva4')):
            raise UnreadableVideoError(
                "torchcodec takes its full range of values for a limited one; use backend='pyav'"
            )
        self.decoder: Any = self._open()
        count, begin = len(self.decoder), self.decoder.metadata.begin_stream_seconds
        if doubtful or count != len(self) or abs(begin - self._stamps[0]) > _MICROSECOND:
            self.close()
            raise UnreadableVideoError(_OTHER_FRAMES)
        # Quarter turns against the clock; it gives its pictures turned.
        self._turns = round((self.decoder.metadata.rotation or 0) / 90)

    @classmethod
    def check_installed(cls) -> None:
        """See :class:`BaseReader`."""
        try:
            import torchcodec
            import torchcodec.decoders  # noqa: F401
        except ImportError as error:
            if error.name == 'torchcodec':
                raise DependencyError(f'torchcodec is not installed: {_mend()}') from None
            raise DependencyError(_not_loaded(error)) from None
        except (OSError, RuntimeError) as error:
            raise DependencyError(_not_loaded(error)) from None

    def get_frames(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """See :class:`BaseReader`."""
        if self.decoder is None:
            raise UnreadableVideoError('the reader was closed')
        indices = self.inside(indices).tolist()
        wanted = sorted(set(indices))
        if not wanted:
            return []
        found = self._by_seeking(wanted)
        if found is None:
            found = self._from_first(wanted)
        if found is None or len({picture.shape for picture in found.values()}) > 1:
            raise self._refusal(indices)
        frames = {i: self._upright(picture) for i, picture in found.items()}
        return [frames[i] for i in indices]

    def close(self) -> None:
        """Let the decoder go."""
        self.decoder = None

    def _open(self) -> Any:
        from torchcodec.decoders import VideoDecoder

        try:
            return VideoDecoder(
                self.source,
                stream_index=self._stream,
                dimension_order='NHWC',
                num_ffmpeg_threads=self.num_threads,
                device='cpu',
                seek_mode='exact',
            )
        except _ERRORS as error:
            raise UnreadableVideoError(
                f"torchcodec cannot open it ({_short(error)}); use backend='pyav'"
            ) from None

    def _by_seeking(self, wanted: list[int]) -> dict[int, np.ndarray] | None:
        """Frames by the key frames before them; None if others come out."""
        try:
            batch = self.decoder.get_frames_at(wanted)
        except _ERRORS:
            return None
        if not self._are(wanted, batch.pts_seconds):
            return None
        return dict(zip(wanted, batch.data.numpy(), strict=True))

    def _from_first(self, wanted: list[int]) -> dict[int, np.ndarray] | None:
        """Frames by reading all up to the last of them; None if others come out."""
        found, left = {}, set(wanted)
        self.decoder = self._open()
        for i in range(wanted[-1] + 1):
            try:
                frame = self.decoder.get_frame_at(i)
            except _ERRORS:
                return None
            if not self._are([i], frame.pts_seconds):
                return None
            if i in left:
                found[i] = frame.data.numpy()
        return found

    def _are(self, wanted: list[int], seconds: torch.Tensor | float) -> bool:
        """Whether frames that are shown at these seconds are those that are wanted."""
        off = np.abs(np.asarray(seconds) - self._stamps[wanted])
        return bool((off <= _MICROSECOND).all())

    def _refusal(self, indices: list[int]) -> UnreadableVideoError:
        """The reason that PyAV has against these frames, else that it finds others."""
        reader = PyAVReader(self.source, num_threads=self.num_threads)
        try:
            reader.get_frames(indices)
        except UnreadableVideoError as error:
            return UnreadableVideoError(f"{error} with backend='pyav'")
        finally:
            reader.close()
        return UnreadableVideoError(_OTHER_FRAMES)

    def _upright(self, picture: np.ndarray) -> np.ndarray:
        if self._matrix is None and not self._turns:
            return picture
        return upright(np.rot90(picture, -self._turns), self._matrix)


def _first_frame(plain: PyAVReader) -> av.VideoFrame:
    rest = decode_packets(plain.container.demux(plain.stream), plain.stream)
    first = next((row.frame for row in rest), None)
    if first is None:  # the packets were read already
        first = next((frame for _, frame, _ in plain.decode_all()), None)
    if first is None:
        raise UnreadableVideoError('no frame could be decoded')
    return first


def _is_sought_wrongly(plain: PyAVReader) -> bool:
    """Whether torchcodec does not find the frames of such a file, or others with their times."""
    if plain.container.format.name == 'mpeg':  # the index of such a file goes by decoding
        return True
    # It goes to the first frame that is shown, and an edit list has cut off its key frame.
    keys, shown = plain.index.key_pts, plain.index.pts
    return bool(len(keys)) and keys[0] < shown[0]


def _mend() -> str:
    """What to type, for the torch that is here."""
    numbers = re.findall(r'\d+', torch.__version__)
    fitting = _FITTING.get((int(numbers[0]), int(numbers[1])), _FITTING_NEWER)
    return (
        f'pip install "torchcodec{fitting}" --index-url https://download.pytorch.org/whl/cpu '
        f"(fits torch {torch.__version__}), and FFmpeg's shared libraries, version 4 to 8"
    )


def _not_loaded(error: BaseException) -> str:
    """Why its libraries do not load, in one line: what is missing, over all FFmpegs it tries."""
    chain: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(str(cause))
        cause = cause.__cause__
    missing = re.findall(r'([\w.+-]+): cannot open shared object file', '\n'.join(chain))
    reason = f'missing: {", ".join(dict.fromkeys(missing))}' if missing else _short(error)
    return f'torchcodec is installed, but cannot be loaded ({reason}): {_mend()}'


def _short(error: BaseException) -> str:
    """Its message without the function and the source line that it begins with."""
    return reason_of(RuntimeError(re.sub(r'^\w+, \S+:\d+, ', '', str(error))))

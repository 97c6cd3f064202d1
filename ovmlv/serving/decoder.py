"""Decoding in a process that can be ended."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import socket
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import TypeVar

import torch

from ovmlv.apis.video_reader import Clip, VideoReader
from ovmlv.errors import ConfigError
from ovmlv.visualization.strip import Strip

from .decoder_process import Task
from .fork_server import FORK_SERVER
from .limits import ServingLimits, minutes
from .service_error import ServiceError
from .uploads import Upload
from .wire import Begun, Fault, Part, unpack

T = TypeVar('T')

LOG = logging.getLogger('ovmlv.serving')
#: Seconds in which the process has to have imported everything, on a slow and busy machine.
_START = 180.0


class Decoder:
    """Opens uploads in processes of their own.

    Args:
        reader: Reader of clips in the form that the model takes.
        limits: Limits of what is read of a video, and of the time that it takes.
    """

    def __init__(self, reader: VideoReader, limits: ServingLimits) -> None:
        self.reader, self.limits, self.closed = reader, limits, False
        self._lock = threading.Lock()
        self._open: set[RemoteVideo] = set()
        self._modules = sorted({type(step).__module__ for step in reader.transforms})
        try:
            pickle.dumps(reader)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ConfigError(
                f'the pipeline cannot be sent to the process that decodes ({error}); make its '
                'transforms of classes and functions of modules'
            ) from None
        if '__main__' in self._modules:
            raise ConfigError(
                'the pipeline has a transform of the script that is run, which the process that '
                'decodes cannot import; move it into a module'
            )

    def start(self, wait: bool = False) -> None:
        """Have a process ready for the first upload.

        Args:
            wait: Whether to wait until it is ready.
        """
        FORK_SERVER.start(self._modules)
        if wait and not FORK_SERVER.is_ready(_START):
            LOG.error('the process that decodes did not start')

    @contextlib.contextmanager
    def open(
        self, upload: Upload, window: float | None, stride: float | None
    ) -> Iterator[RemoteVideo]:
        """Check an upload and begin to decode it; the process ends with the context.

        Args:
            upload: The file.
            window: Seconds of a window; None takes a length that suits the video.
            stride: Seconds between the starts of windows; None takes half a window.
        """
        FORK_SERVER.start(self._modules)
        with upload.path.open('rb') as file:
            pipe = FORK_SERVER.fork(file.fileno())
            if not _answers(pipe) and not self.closed:
                # The process to copy was killed, and had not ended yet when it was asked.
                pipe.close()
                pipe = FORK_SERVER.fork(file.fileno())
        video = RemoteVideo(self, pipe, upload.name)
        try:
            with self._lock:
                self._open.add(video)
            threads = torch.get_num_threads()
            video.begin(Task(self.reader, upload.name, self.limits, window, stride, threads))
            yield video
        finally:
            video.end()
            with self._lock:
                self._open.discard(video)
            pipe.close()

    def pids(self) -> list[int]:
        """Numbers of the processes that are at a video."""
        with self._lock:
            return [video.pid for video in self._open if video.pid]

    def close(self) -> None:
        """End what runs; who waits for it gets a ``stopping`` error. Any thread may call this."""
        self.closed = True
        with self._lock:
            for video in self._open:
                video.end()
        FORK_SERVER.stop()


def _answers(pipe: Connection) -> bool:
    """Wait for a new copy's first word, which stays in the pipe; False if it ended without one."""
    if not pipe.poll(_START):
        return True  # who waits for it next says that it is late
    with socket.socket(fileno=os.dup(pipe.fileno())) as link, contextlib.suppress(OSError):
        return bool(link.recv(1, socket.MSG_PEEK))
    return False


class RemoteVideo:
    """A video that another process decodes; an inferencer takes it as a source.

    Attributes:
        name: Name that the client gave.
        duration: Seconds, by its container.
        window: Seconds of a window.
        stride: Seconds between the starts of windows.
        strip: Frames to show; None until all clips were read.
        pid: Number of the process; 0 until it has said so.
    """

    def __init__(self, decoder: Decoder, pipe: Connection, name: str) -> None:
        self.name = name
        self.strip: Strip | None = None
        self.duration = self.window = self.stride = 0.0
        self._decoder, self._pipe, self.pid = decoder, pipe, 0
        self._left = _START

    def begin(self, task: Task) -> None:
        """Wait for the process, and for what it finds in the container."""
        self.pid = self._expect(int)
        self._left = self._decoder.limits.decode_seconds
        try:
            self._pipe.send_bytes(pickle.dumps(task, pickle.HIGHEST_PROTOCOL))
        except OSError:
            raise self._ended() from None
        begun = self._expect(Begun)
        self.duration, self.window, self.stride = begun.duration, begun.window, begun.stride

    @property
    def seconds(self) -> float:
        """Seconds for which its parts were waited for."""
        return self._decoder.limits.decode_seconds - self._left

    def clips(self, window: float, stride: float) -> Iterator[Clip]:  # noqa: ARG002
        """Clips of the windows; both lengths are those that the process was given."""
        while isinstance(part := self._receive(), Clip):
            yield part
        self.strip = part if isinstance(part, Strip) else None

    def end(self) -> None:
        """Kill the process, whatever it is doing."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def _expect(self, kind: type[T]) -> T:
        part = self._receive()
        if not isinstance(part, kind):
            raise self._ended()
        return part

    def _receive(self) -> Part:
        """The next part. Time counts only while this method waits for it."""
        started = time.monotonic()
        try:
            if self._decoder.closed:
                raise self._ended()
            if not self._pipe.poll(self._left):
                raise self._late()
            part = unpack(self._pipe.recv_bytes())
        except (EOFError, OSError, ValueError):
            raise self._ended() from None
        self._left = max(0.0, self._left - (time.monotonic() - started))
        if isinstance(part, ServiceError):
            raise part
        if isinstance(part, Fault):
            raise RuntimeError(f'in the process that decodes:\n{part.text}')
        return part

    def _late(self) -> ServiceError:
        if not self.pid:
            LOG.error('the process that decodes did not start within %g s', _START)
            return ServiceError('decoder_crashed')
        limit = minutes(self._decoder.limits.decode_seconds)
        return ServiceError(
            'decode_timeout', f'{self.name} takes longer to decode than the {limit} allowed.'
        )

    def _ended(self) -> ServiceError:
        if self._decoder.closed:
            return ServiceError('stopping')
        LOG.error('the process that decodes an upload ended')
        return ServiceError(
            'decoder_crashed', f'{self.name}: the process that decodes it ended before it was done.'
        )

"""The process that decodes: everything is imported once, and each video gets a copy of it.

A decoder may crash, hang or take all memory on a stranger's file. Here it takes a copy of this
process along, never the server, and whoever waits for it can end it at any time.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pickle
import signal
import socket
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn, cast

import torch

from ovmlv.apis.video_reader import Clip, VideoReader
from ovmlv.visualization.strip import read_strip

from .limits import ServingLimits
from .service_error import ServiceError
from .uploads import Upload, decoding, probe
from .windows import choose_windows

#: Pixels of height of the frames that become pictures and embeddings of single frames.
READ_HEIGHT = 448


@dataclass(frozen=True)
class Task:
    """What is asked of a copy.

    Attributes:
        reader: Reads clips as the model takes them.
        name: What the client calls the file.
        limits: How much of a video is taken.
        window: Seconds of a window; None suits the length.
        stride: Seconds between the starts of windows; None is half a window.
        threads: Of torch.
    """

    reader: VideoReader
    name: str
    limits: ServingLimits
    window: float | None
    stride: float | None
    threads: int = 1


@dataclass(frozen=True)
class Fault:
    """An error that is a mistake of the server.

    Attributes:
        text: With the traceback, for the log.
    """

    text: str


def main(control: int) -> NoReturn:
    """Do as is asked until nobody is left to ask.

    Args:
        control: Descriptor of a socket of packets. One with a pipe and a file asks for a copy that
            answers on the pipe, one with names in JSON for modules to import, so that copies have
            them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)  # a process with other threads cannot be copied
    copies: set[int] = set()
    asked = socket.socket(fileno=control)
    while True:
        try:
            packet, files, _, _ = socket.recv_fds(asked, 2**16, 2)
        except ConnectionResetError:  # it ended with an answer unread
            break
        # Ended copies keep their number until here, so that no other process is killed for one.
        copies = {pid for pid in copies if not os.waitpid(pid, os.WNOHANG)[0]}
        if not packet:
            break
        if not files:
            for name in json.loads(packet):
                with contextlib.suppress(Exception):  # a copy will say what is wrong with it
                    importlib.import_module(name)
            asked.send(b'1')
            continue
        pid = os.fork()
        if not pid:
            asked.close()
            _answer(*files)
        copies.add(pid)
        for file in files:
            os.close(file)
    for pid in copies:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os._exit(0)  # Python would clear up for seconds


def _answer(pipe_number: int, file_number: int) -> NoReturn:
    """The life of a copy: its number, then the parts of the answer, the last of which is None."""
    try:
        with contextlib.suppress(OSError):  # the first to go where memory runs out
            Path('/proc/self/oom_score_adj').write_text('1000')
        with open(os.devnull, 'wb') as sink:  # what native libraries print
            os.dup2(sink.fileno(), 2)
        pipe = Connection(pipe_number)
        send(pipe, os.getpid())
        try:
            for part in look(pickle.loads(pipe.recv_bytes()), file_number):
                send(pipe, part)
            send(pipe, None)
        except ServiceError as error:
            send(pipe, error)
        except MemoryError:  # nothing can be relied on any more
            os._exit(1)
        except Exception:
            send(pipe, Fault(traceback.format_exc()))
    finally:
        os._exit(0)


def look(task: Task, file_number: int) -> Iterator[Any]:
    """Everything that is done with the bytes of a stranger.

    Yields:
        ``(duration, window, stride)`` in seconds, then a :class:`Clip` for each window, then a
        :class:`~ovmlv.visualization.strip.Strip` of frames to show.
    """
    torch.set_num_threads(task.threads)
    # The file has no name any more; this one is the open file's, in this process.
    upload = Upload(Path(f'/dev/fd/{file_number}'), task.name)
    duration = probe(upload, task.limits)
    window, stride = choose_windows(duration, task.window, task.stride, task.limits.windows)
    yield duration, window, stride
    with decoding(upload):
        yield from task.reader.clips(str(upload.path), window, stride)
        yield read_strip(upload.path, task.limits.strip, READ_HEIGHT)


def send(pipe: Connection, value: Any) -> None:
    """Send anything; tensors as arrays, because torch would share memory that nobody frees."""
    if isinstance(value, Clip) and isinstance(value.inputs, torch.Tensor):
        value = replace(value, inputs=cast(Any, value.inputs.numpy()))
    pipe.send_bytes(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))

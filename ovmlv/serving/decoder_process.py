"""The process that decodes: everything is imported once, and each video gets a copy of it.

A decoder may crash, hang or take all memory on a stranger's file. Then it ends a copy of this
process, never the server, and whoever waits for the copy can end it at any time.
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
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

import torch

from ovmlv.apis.video_reader import VideoReader
from ovmlv.visualization.strip import read_strip

from .limits import ServingLimits
from .service_error import ServiceError
from .uploads import Upload, decoding, probe
from .windows import choose_windows
from .wire import Begun, Fault, Part, pack

#: Pixels of height of the frames that become pictures and embeddings of single frames.
READ_HEIGHT = 448


@dataclass(frozen=True)
class Task:
    """The task of a copy.

    Attributes:
        reader: Reader of clips in the form that the model takes.
        name: Name of the file that the client gave.
        limits: Limits of what is read of a video.
        window: Seconds of a window; None takes a length that suits the video.
        stride: Seconds between the starts of windows; None takes half a window.
        threads: Number of threads of torch.
    """

    reader: VideoReader
    name: str
    limits: ServingLimits
    window: float | None
    stride: float | None
    threads: int = 1


def main(control: int) -> NoReturn:
    """Answer requests until nobody is left who asks.

    Args:
        control: Descriptor of a socket of packets. A packet with a pipe and a file asks for a copy
            that answers on the pipe. A packet with names in JSON asks to import these modules, so
            that copies have them.
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
    """Run in a copy: send its number, then the parts of the answer, the last of which is None."""
    try:
        with contextlib.suppress(OSError):  # the first to go where memory runs out
            Path('/proc/self/oom_score_adj').write_text('1000')
        with open(os.devnull, 'wb') as sink:  # what native libraries print
            os.dup2(sink.fileno(), 2)
        pipe = Connection(pipe_number)
        pipe.send_bytes(pack(os.getpid()))
        try:
            # The task is the server's own; what goes back is read as data.
            task = pickle.loads(pipe.recv_bytes())
            for part in look(task, file_number):
                pipe.send_bytes(pack(part))
            pipe.send_bytes(pack(None))
        except ServiceError as error:
            pipe.send_bytes(pack(error))
        except MemoryError:  # nothing can be relied on any more
            os._exit(1)
        except Exception:
            pipe.send_bytes(pack(Fault(traceback.format_exc())))
    finally:
        os._exit(0)


def look(task: Task, file_number: int) -> Iterator[Part]:
    """Do all that is done with the bytes of a stranger.

    Yields:
        A :class:`Begun`, then a :class:`~ovmlv.apis.video_reader.Clip` for each window, then a
        :class:`~ovmlv.visualization.strip.Strip` of frames to show.
    """
    torch.set_num_threads(task.threads)
    # The file has no name any more; this one is the open file's, in this process.
    upload = Upload(Path(f'/dev/fd/{file_number}'), task.name)
    duration = probe(upload, task.limits)
    window, stride = choose_windows(duration, task.window, task.stride, task.limits.windows)
    yield Begun(duration, window, stride)
    with decoding(upload):
        yield from task.reader.clips(str(upload.path), window, stride)
        yield read_strip(upload.path, task.limits.strip, READ_HEIGHT)

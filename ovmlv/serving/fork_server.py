"""Processes that start with everything imported and with an open file."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Connection

#: What the process begins with. Isolated (-I), so that a file of the folder in which the server was
#: started is not imported for one of Python's; then the path of the server.
_BEGIN = (
    'import sys, json; given = json.loads(sys.argv[1]); sys.path[:] = given["path"]; '
    'from ovmlv.serving.decoder_process import main; main(given["control"])'
)
_ONE_THREAD = dict.fromkeys(('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'), '1')


class ForkServer:
    """Starts :mod:`.decoder_process` when it is first needed, or needed again.

    multiprocessing has such a server too. But its processes run the caller's script once more,
    which must then be guarded by ``if __name__ == '__main__'``, and it takes no open files.

    Attributes:
        starts: How often the process was started; more than once if it ended by itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._control: socket.socket | None = None
        self._modules: set[str] = set()
        self.starts = 0

    def start(self, modules: Iterable[str] = ()) -> None:
        """Begin to import, unless that was done, and do not wait for it.

        Args:
            modules: Further modules that are needed.
        """
        with self._lock:
            self._ensure()
            if new := sorted(set(modules) - self._modules):
                self._modules.update(new)
                self._import(new)

    def is_ready(self, seconds: float) -> bool:
        """Wait until it has imported the modules; False if it ended or took longer."""
        control = self._control
        if control is None:
            return False
        control.settimeout(seconds)
        try:
            # What it says when it has is left there.
            return bool(control.recv(1, socket.MSG_PEEK))
        except OSError:
            return False
        finally:
            control.settimeout(None)

    @property
    def pid(self) -> int | None:
        """Number of the process; None without one."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def is_up(self) -> bool:
        """Whether there is a process that has imported the modules. It waits for nothing."""
        control = self._control
        if control is None or self.pid is None:
            return False
        try:
            return bool(control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:  # nothing there yet, or closed a moment ago
            return False

    def fork(self, file: int) -> Connection:
        """Start a new copy that has an open file, and return the other end of its pipe.

        Args:
            file: Descriptor of the file.
        """
        near, far = socket.socketpair()
        with self._lock, far:
            for last in (False, True):
                self._ensure()
                try:
                    assert self._control is not None  # as long as there is a process
                    socket.send_fds(self._control, [b'0'], [far.fileno(), file])
                    break
                except OSError:  # it ended a moment ago
                    self._end()
                    if last:
                        near.close()
                        raise
        return Connection(near.detach())

    def stop(self) -> None:
        """End the process; its copies go on."""
        with self._lock:
            self._end()

    def _ensure(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                return
            self._end()
        # Of packets, so that each holds one request.
        self._control, far = socket.socketpair(type=socket.SOCK_SEQPACKET)
        given = dict(path=sys.path, control=far.fileno())
        with far:
            self._process = subprocess.Popen(
                [sys.executable, '-I', '-c', _BEGIN, json.dumps(given)],
                pass_fds=[far.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **_ONE_THREAD},
                start_new_session=True,  # Ctrl+C is for the server, which then ends this one
            )
        self.starts += 1
        if self._modules:
            self._import(sorted(self._modules))

    def _import(self, modules: Sequence[str]) -> None:
        assert self._control is not None
        with contextlib.suppress(OSError):  # it ended; the next one is told, too
            self._control.send(json.dumps(modules).encode())

    def _end(self) -> None:
        if self._process is not None and self._control is not None:
            self._process.kill()
            self._process.wait()
            self._control.close()
            self._process = self._control = None


#: One for all services of this process.
FORK_SERVER = ForkServer()
atexit.register(FORK_SERVER.stop)

"""Work on files in child processes, which may crash or hang without harm."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from ovmlv.errors import ConfigError

# Seconds more for the first tasks, which wait for the server to import its modules.
_START = 120.0


@dataclass(frozen=True)
class Failure:
    """The reason why a task has no result.

    Attributes:
        reason: The reason in one line.
    """

    reason: str


class _Child:
    """A process and the task that it works on."""

    def __init__(self, context: Any, function: Callable) -> None:
        self.pipe, far = context.Pipe()
        self.process = context.Process(target=_serve, args=(far, function), daemon=True)
        self.process.start()
        far.close()
        self.task: Any = None
        self.deadline = 0.0

    def give(self, task: Any, time_limit: float) -> None:
        self.task, self.deadline = task, time.monotonic() + time_limit
        self.pipe.send(task)

    def end(self) -> int | None:
        """Kill the process; return its exit code if it ended by itself."""
        self.process.join(0.2)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            self.process.join()
        self.pipe.close()
        return code


def run_supervised(
    function: Callable[[Any], Any],
    tasks: Iterable[Any],
    num_workers: int = 2,
    time_limit: float = 120.0,
) -> Iterator[tuple[Any, Any]]:
    """Yield ``(task, function(task))``, or ``(task, Failure)``, for each task when it is done.

    A task that takes longer than ``time_limit`` seconds, or whose process dies, is a
    :class:`Failure`; the others go on in a new process.

    Args:
        function: Function of a module, so that it can be sent to a process.
        tasks: Arguments of the function, which must be picklable.
        num_workers: Number of processes.
        time_limit: Longest time for one task, in seconds.
    """
    if num_workers < 1 or time_limit <= 0:
        raise ConfigError(
            f'num_workers={num_workers} and time_limit={time_limit:g} must be positive'
        )
    # Children come from a server process without threads, which has the imports done.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['ovmlv.curation'])
    left, patience = iter(tasks), _START
    children: list[_Child] = []
    try:
        while True:
            while len(children) < num_workers:
                try:
                    task = next(left)
                except StopIteration:
                    break
                child = _Child(context, function)
                child.give(task, time_limit + patience)
                children.append(child)
            if not children:
                return
            until = min(child.deadline for child in children)
            ready = wait([c.pipe for c in children], max(0.0, until - time.monotonic()))
            for child in list(children):
                if child.pipe in ready:
                    result = _receive(child)
                elif time.monotonic() >= child.deadline:
                    child.end()
                    result = Failure(f'took more than {time_limit:g} s and was stopped')
                else:
                    continue
                patience = 0.0
                yield child.task, result
                if child.pipe.closed:
                    children.remove(child)
                    continue
                try:
                    child.give(next(left), time_limit)
                except StopIteration:
                    children.remove(child)
                    child.end()
    finally:
        for child in children:
            child.end()


def _receive(child: _Child) -> Any:
    try:
        return child.pipe.recv()
    except (EOFError, OSError):
        code = child.end()
        how = f'by signal {-code}' if code is not None and code < 0 else f'with status {code}'
        return Failure(f'crashed its process, which ended {how}')


def _serve(pipe: Connection, function: Callable) -> None:
    """Run in the child process: do tasks, and drop what native libraries print."""
    with open(os.devnull, 'wb') as sink:
        os.dup2(sink.fileno(), 2)
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            task = pipe.recv()
            try:
                result = function(task)
            except Exception as error:
                text = ' '.join(str(error).split()) or 'no message'
                result = Failure(f'{type(error).__name__}: {text}')
            pipe.send(result)

"""Workers of Ray that hold a model, and that are replaced when they end."""

from __future__ import annotations

import platform
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError, OvmlvError, reason_of
from ovmlv.version import __version__

from .ray_cluster import RayCluster, WorkerPlan

_TaskT = TypeVar('_TaskT', bound=Hashable)
#: A model that ends this many workers in a row, while they open it, will end all others, too.
_OPENINGS = 3
_PATIENCE = 60.0


class WorkerSetup(Protocol):
    """What every worker is made of; it travels to the worker."""

    def open(self, plan: WorkerPlan) -> Callable[[Any], Any]:
        """Open a model in the worker, and give the function that does a task."""


class Worker:
    """An actor: one process of Ray with a model.

    Args:
        setup: What to open.
        plan: What the worker has.
        version: Version of ovmlv on the side that asks.
    """

    def __init__(self, setup: WorkerSetup, plan: WorkerPlan, version: str) -> None:
        self.setup, self.plan, self.version = setup, plan, version
        self.work: Callable[[Any], Any] | None = None

    def open(self) -> None:
        """Open the model.

        Raises:
            ConfigError: The machine has another version of ovmlv.
        """
        import torch

        if self.version != __version__:
            raise ConfigError(
                f'machine {machine()} has ovmlv {__version__}, and this one {self.version}; '
                'install the same'
            )
        torch.set_num_threads(max(1, int(self.plan.cpus)))
        # Bad files go into the report, not also into the logs of Ray.
        MMLogger.get_current_instance().setLevel('ERROR')
        self.work = self.setup.open(self.plan)

    def do(self, task: Any) -> Any:
        """Do a task."""
        assert self.work is not None  # no task is given before
        return self.work(task)


def machine() -> str:
    """Name of this machine, for messages."""
    return platform.node() or '?'


@dataclass(frozen=True)
class Outcome(Generic[_TaskT]):
    """How a task ended.

    Attributes:
        task: The task.
        value: What the worker gave.
        death: Why the worker ended before, in one line; None if it did not.
    """

    task: _TaskT
    value: Any = None
    death: str | None = None


class RayPool(Generic[_TaskT]):
    """Gives tasks to workers, one at a time to each. A worker that ends is replaced.

    Ray could do a task again by itself. But then nobody would learn which task it is that ends its
    workers, and such a task would end the run.

    Args:
        cluster: The cluster.
        plan: The workers.
        setup: What each of them opens.
    """

    def __init__(self, cluster: RayCluster, plan: WorkerPlan, setup: WorkerSetup) -> None:
        self.ray, self.plan, self.setup = cluster.ray, plan, setup
        self._queue: deque[_TaskT] = deque()
        self._idle: list[Any] = []
        self._opening: dict[Any, Any] = {}  # what Ray will answer to -> worker
        self._busy: dict[Any, tuple[Any, _TaskT]] = {}
        self._failures = 0
        self._actor = self.ray.remote(Worker).options(
            num_cpus=plan.cpus, num_gpus=plan.gpus, max_restarts=0, max_task_retries=0
        )

    def submit(self, task: _TaskT, first: bool = False) -> None:
        """Add a task, also while :meth:`outcomes` runs.

        Args:
            task: The task.
            first: Whether it comes before the others.
        """
        (self._queue.appendleft if first else self._queue.append)(task)

    def outcomes(self) -> Iterator[Outcome[_TaskT]]:
        """Do all tasks, in any order, and end the workers.

        Raises:
            OvmlvError: What a worker raised, or workers end while they open the model.
        """
        since, warned = time.monotonic(), False
        try:
            while self._queue or self._busy:
                self._hire()
                while self._idle and self._queue:
                    worker, task = self._idle.pop(), self._queue.popleft()
                    self._busy[worker.do.remote(task)] = worker, task
                done, _ = self.ray.wait([*self._busy, *self._opening], num_returns=1, timeout=5.0)
                for ref in done:
                    since = time.monotonic()
                    if ref in self._opening:
                        self._opened(ref)
                    else:
                        yield self._finished(ref)
                if not self._busy and not warned and time.monotonic() > since + _PATIENCE:
                    warned = True
                    MMLogger.get_current_instance().warning(
                        f'waiting for Ray to start a worker of {self.plan.cpus:g} CPUs and '
                        f'{self.plan.gpus:g} GPUs'
                    )
        finally:
            busy = [worker for worker, _ in self._busy.values()]
            for worker in [*self._idle, *self._opening.values(), *busy]:
                self._end(worker)

    def _hire(self) -> None:
        wanted = min(self.plan.count, len(self._queue) + len(self._busy))
        for _ in range(wanted - len(self._idle) - len(self._opening) - len(self._busy)):
            worker = self._actor.remote(self.setup, self.plan, __version__)
            self._opening[worker.open.remote()] = worker

    def _opened(self, ref: Any) -> None:
        worker = self._opening.pop(ref)
        _, death = self._answer(ref)
        if death is None:
            self._idle.append(worker)
            self._failures = 0
            return
        self._end(worker)
        self._failures += 1
        if self._failures >= _OPENINGS:
            raise ConfigError(
                f'{_OPENINGS} workers of Ray ended while they opened the model ({death}); give '
                'each more memory (fewer --workers), or look into the logs of Ray'
            )

    def _finished(self, ref: Any) -> Outcome[_TaskT]:
        worker, task = self._busy.pop(ref)
        value, death = self._answer(ref)
        if death is None:
            self._idle.append(worker)
        else:
            self._end(worker)
        return Outcome(task, value, death)

    def _answer(self, ref: Any) -> tuple[Any, str | None]:
        """What a worker gave, or why it ended."""
        errors = self.ray.exceptions
        try:
            return self.ray.get(ref), None
        except errors.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, (OvmlvError, FileNotFoundError)):
                raise cause from None
            raise
        except errors.RayError as error:
            return None, reason_of(error)

    def _end(self, worker: Any) -> None:
        self.ray.kill(worker)

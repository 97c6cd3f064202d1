"""A clock for training: it leaves out validation and goes on after interruptions."""

from __future__ import annotations

import time
from typing import Any

import torch


class TrainingClock:
    """Measures steps, and the time between them (waiting for data).

    Call :meth:`resume` when training begins or goes on after something else, and :meth:`begin` and
    :meth:`end` around each step. Its state goes into checkpoints, so that time counts once.
    """

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.cpu: list[float] = []
        self.waiting = 0.0
        self._mark = self._cpu_mark = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds of training so far."""
        return self.waiting + sum(self.steps)

    def resume(self) -> None:
        """Forget the time that has passed since the last step."""
        self._mark = _now()

    def begin(self) -> None:
        """Note that a step begins."""
        now = _now()
        self.waiting += now - self._mark
        self._mark, self._cpu_mark = now, time.process_time()

    def end(self) -> None:
        """Note that a step ends."""
        now = _now()
        self.steps.append(now - self._mark)
        self.cpu.append(time.process_time() - self._cpu_mark)
        self._mark = now

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers, as a checkpoint that is read safely may hold them."""
        return dict(steps=list(self.steps), cpu=list(self.cpu), waiting=self.waiting)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from this state."""
        self.steps, self.cpu = list(state['steps']), list(state['cpu'])
        self.waiting = float(state['waiting'])


def _now() -> float:
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter()

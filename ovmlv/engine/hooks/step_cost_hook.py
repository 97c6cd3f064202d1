"""What a training costs: trainable parameters, time a step, peak memory."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ovmlv.registry import HOOKS

from .base_clock_hook import BaseClockHook


@HOOKS.register_module()
class StepCostHook(BaseClockHook):
    """Measures the cost of training; :meth:`cost` gives it afterwards.

    A step is forward, backward and update, without validation and waiting for data. The measured
    values go into the checkpoints, so that a resumed run reports the whole training.
    """

    # The priority: what other hooks do before a step is part of the method; what they do after it
    # is logging and saving.
    key = 'step_cost'

    def __init__(self) -> None:
        super().__init__()
        self.trainable = self.total = 0
        self._peak = self._device_peak = 0.0

    def before_train(self, runner: Any) -> None:
        parameters = list(runner.model.parameters())
        self.trainable = sum(p.numel() for p in parameters if p.requires_grad)
        self.total = sum(p.numel() for p in parameters)
        super().before_train(runner)

    def after_train(self, runner: Any) -> None:
        self._measure()

    def extra_state(self) -> dict[str, Any]:
        self._measure()
        return dict(peak=self._peak, device_peak=self._device_peak)

    def load_extra_state(self, state: dict[str, Any]) -> None:
        self._peak, self._device_peak = state['peak'], state['device_peak']

    def cost(self) -> dict[str, float | int]:
        """Parameters, steps, seconds and MiB; the times of a step are medians."""
        clock = self.clock
        found: dict[str, float | int] = dict(
            trainable_parameters=self.trainable, total_parameters=self.total, steps=len(clock.steps)
        )
        if clock.steps:
            found.update(
                step_seconds=median(clock.steps),
                step_seconds_mean=sum(clock.steps) / len(clock.steps),
                step_cpu_seconds=median(clock.cpu),
                waiting_seconds=clock.waiting,
                train_seconds=clock.elapsed,
                peak_memory_mb=self._peak,
            )
        if self._device_peak:
            found['peak_device_memory_mb'] = self._device_peak
        return found

    def _measure(self) -> None:
        self._peak = max(self._peak, peak_memory())
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            self._device_peak = max(self._device_peak, torch.cuda.max_memory_allocated() / 2**20)


def peak_memory() -> float:
    """Greatest resident size of this process so far in MiB, without its children.

    On Linux, ``ru_maxrss`` of a new program begins at the size of the program that started it, so
    the kernel's own mark of this program is read if there is one.
    """
    status = Path('/proc/self/status')
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith('VmHWM:'):
                return int(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == 'darwin' else 2**10)

"""Hooks that time training."""

from __future__ import annotations

from typing import Any, ClassVar

from mmengine.hooks import Hook

from .training_clock import TrainingClock


class BaseClockHook(Hook):
    """Runs a :class:`TrainingClock`, and keeps it in checkpoints.

    Attributes:
        clock: The clock.
        key: Key under which a checkpoint holds its state and what :meth:`extra_state` adds.
    """

    priority = 'VERY_HIGH'
    key: ClassVar[str]

    def __init__(self) -> None:
        self.clock = TrainingClock()

    def extra_state(self) -> dict[str, Any]:
        """Plain numbers to keep beside the clock."""
        return {}

    def load_extra_state(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`extra_state` gave."""

    def before_train(self, runner: Any) -> None:
        self.clock.resume()

    def before_train_epoch(self, runner: Any) -> None:
        self.clock.resume()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self.clock.begin()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.clock.end()

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        self.clock.resume()

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        checkpoint[self.key] = dict(clock=self.clock.state_dict(), **self.extra_state())

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        if runner._resume and self.key in checkpoint:
            state = dict(checkpoint[self.key])
            self.clock.load_state_dict(state.pop('clock'))
            self.load_extra_state(state)

"""Training that ends when its time is used up."""

from __future__ import annotations

from typing import Any

from mmengine.runner import IterBasedTrainLoop

from ovmlv.errors import ConfigError
from ovmlv.registry import HOOKS

from .base_clock_hook import BaseClockHook


@HOOKS.register_module()
class TimeBudgetHook(BaseClockHook):
    """Ends training after a number of seconds; validation does not count.

    Training by epochs ends with the epoch whose end is nearest to the budget, and training by
    iterations ends with the step that crosses it. Schedules are not shortened, so give them a
    length that the time allows. Time used before an interruption counts. A run with a budget cannot
    be repeated exactly, since the number of steps that fit depends on the machine.

    Args:
        seconds: The budget in seconds.
    """

    # The priority: it decides before hooks that act at the end, such as the checkpoint's.
    key = 'time_budget'

    def __init__(self, seconds: float) -> None:
        super().__init__()
        if not seconds > 0:
            raise ConfigError(f'TimeBudgetHook: seconds={seconds} must be above 0')
        self.seconds = seconds
        self._epoch_start = 0.0
        self._last_epoch = 0.0

    def before_train(self, runner: Any) -> None:
        super().before_train(runner)
        if self._is_due(runner):  # used up before an interruption
            runner.train_loop.stop_training = True

    def before_train_epoch(self, runner: Any) -> None:
        self._epoch_start = self.clock.elapsed
        super().before_train_epoch(runner)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if isinstance(runner.train_loop, IterBasedTrainLoop) and self._is_due(runner):
            runner.train_loop._max_iters = runner.iter + 1

    def after_train_epoch(self, runner: Any) -> None:
        self._last_epoch = self.clock.elapsed - self._epoch_start
        # The last one, not merely a stop: checkpoint and validation of the end take place.
        if self._is_due(runner):
            runner.train_loop._max_epochs = runner.epoch + 1

    def extra_state(self) -> dict[str, Any]:
        return dict(last_epoch=self._last_epoch)

    def load_extra_state(self, state: dict[str, Any]) -> None:
        self._last_epoch = state['last_epoch']

    def _is_due(self, runner: Any) -> bool:
        due = self.clock.elapsed + self._last_epoch / 2 >= self.seconds
        if due:
            runner.logger.info(
                f'TimeBudgetHook: {self.clock.elapsed:.1f} of {self.seconds:g} s are used; '
                'training ends'
            )
        return due

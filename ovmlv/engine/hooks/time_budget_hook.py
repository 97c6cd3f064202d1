"""Training that ends when its time is used up."""

from __future__ import annotations

from typing import Any

from mmengine.runner import IterBasedTrainLoop

from ovmlv.errors import ConfigError
from ovmlv.registry import HOOKS

from .base_clock_hook import BaseClockHook


@HOOKS.register_module()
class TimeBudgetHook(BaseClockHook):
    """Ends training after so many seconds of it, validation not counted.

    Training by epochs ends with the epoch whose end is nearest to the budget, training by
    iterations with the step that crosses it. Schedules are not shortened, so give them a length
    that the time allows. Time used before an interruption counts. An early end is no exact
    repetition: how many steps fit depends on the machine.

    Args:
        seconds: The budget.
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
        self._stop_if_due(runner)

    def before_train_epoch(self, runner: Any) -> None:
        self._epoch_start = self.clock.elapsed
        super().before_train_epoch(runner)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            self._stop_if_due(runner)

    def after_train_epoch(self, runner: Any) -> None:
        self._last_epoch = self.clock.elapsed - self._epoch_start
        self._stop_if_due(runner)

    def extra_state(self) -> dict[str, Any]:
        return dict(last_epoch=self._last_epoch)

    def load_extra_state(self, state: dict[str, Any]) -> None:
        self._last_epoch = state['last_epoch']

    def _stop_if_due(self, runner: Any) -> None:
        if self.clock.elapsed + self._last_epoch / 2 >= self.seconds:
            runner.logger.info(
                f'TimeBudgetHook: {self.clock.elapsed:.1f} of {self.seconds:g} s are used; '
                'training ends'
            )
            runner.train_loop.stop_training = True

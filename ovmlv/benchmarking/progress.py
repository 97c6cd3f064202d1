"""The progress of a job, which the scheduler shows."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from .results import write_json

_EVERY = 1.0  # seconds


class ProgressHook(Hook):
    """Writes the progress of a run into a small file.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = 0.0

    def before_train(self, runner: Any) -> None:
        self._note('train', runner.iter, runner.max_iters, now=True)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self._note('train', runner.iter + 1, runner.max_iters)

    def before_test(self, runner: Any) -> None:
        self._note('test', 0, len(runner.test_dataloader), now=True)

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self._note('test', batch_idx + 1, len(runner.test_dataloader))

    def _note(self, phase: str, done: int, total: int, now: bool = False) -> None:
        if now or time.monotonic() - self._written >= _EVERY:
            self._written = time.monotonic()
            write_json(self.path, dict(phase=phase, done=done, total=total))


def show_progress(path: Path) -> str:
    """The latest progress of a job, in a few words."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        note = json.loads(path.read_text())
        return f'{note["phase"]} {note["done"]}/{note["total"]}'
    return 'starting'

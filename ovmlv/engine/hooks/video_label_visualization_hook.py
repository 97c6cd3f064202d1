"""Pictures of some samples in validation and testing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop

from ovmlv.errors import ConfigError
from ovmlv.registry import HOOKS


@HOOKS.register_module()
class VideoLabelVisualizationHook(Hook):
    """Draws samples of validation and testing with the Runner's visualizer.

    mmaction2's ``VisualizationHook`` takes samples without a dimension for views, ``(C, T, H, W)``.

    Args:
        num_samples: Number of samples to draw, spread over the data set. In distributed testing,
            those of the first process are drawn.
        out_dir: Folder for the pictures; None gives them to the backends of the visualizer.
        draw_args: Further arguments of ``VideoLabelVisualizer.add_datasample``.
    """

    priority = 'LOW'

    def __init__(
        self, num_samples: int = 8, out_dir: str | Path | None = None, **draw_args: Any
    ) -> None:
        if num_samples < 0:
            raise ConfigError(f'num_samples={num_samples} must be 0 or more')
        self.num_samples, self.out_dir, self.draw_args = num_samples, out_dir, draw_args
        self._chosen: frozenset[int] = frozenset()
        self._seen = 0

    def before_val_epoch(self, runner: Any) -> None:
        """Choose the samples to draw."""
        self._choose(runner, runner.val_dataloader)

    def before_test_epoch(self, runner: Any) -> None:
        """Choose the samples to draw."""
        self._choose(runner, runner.test_dataloader)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: dict, outputs: Sequence[Any]
    ) -> None:
        """Draw those of this batch; their step is the epoch, or the iteration of training."""
        loop = runner._train_loop  # a mere config unless this is within training
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        step = runner.epoch if by_epoch else runner.iter if isinstance(loop, BaseLoop) else 0
        self._draw(runner, data_batch, outputs, step)

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: dict, outputs: Sequence[Any]
    ) -> None:
        """Draw those of this batch."""
        self._draw(runner, data_batch, outputs, 0)

    def _choose(self, runner: Any, loader: Any) -> None:
        if not hasattr(runner.visualizer, 'draw_labels'):
            raise ConfigError(
                f'VideoLabelVisualizationHook cannot draw with {type(runner.visualizer).__name__}; '
                "set visualizer=dict(type='VideoLabelVisualizer', ...)"
            )
        size = -(-len(loader.dataset) // get_world_size())
        count = min(self.num_samples, size)
        self._chosen = frozenset(int((i + 0.5) * size / count) for i in range(count))
        self._seen = 0

    def _draw(self, runner: Any, data_batch: dict, outputs: Sequence[Any], step: int) -> None:
        for i, sample in enumerate(outputs, self._seen):
            if i not in self._chosen:
                continue
            # The number keeps segments and equal names in other folders apart.
            name = f'{i:06d}_{Path(str(sample.get("filename", "video"))).stem}'
            out = None if self.out_dir is None else Path(self.out_dir) / f'{name}_{step}.png'
            runner.visualizer.add_datasample(
                name,
                data_batch['inputs'][i - self._seen],
                sample,
                out_file=out,
                step=step,
                **self.draw_args,
            )
        self._seen += len(outputs)

"""Write predictions, targets and classes to a file."""

from __future__ import annotations

from typing import Any

from mmengine.logging import MMLogger

from ovmlv.errors import ConfigError
from ovmlv.evaluation.predictions import Predictions
from ovmlv.evaluation.predictions_table import write_predictions_table
from ovmlv.parquet_rows import arrow
from ovmlv.registry import METRICS

from .base_score_metric import BaseScoreMetric


@METRICS.register_module()
class DumpPredictions(BaseScoreMetric):
    """Not a metric itself: it saves what every other metric here needs, so that it can be computed
    again later (``tools/analysis_tools/eval_metric.py``).

    Unlike that of mmengine's ``DumpResults``, the file is not a pickle, so it can be passed on and
    opened without trust. It holds each sample once, in the order of the data set, also in
    distributed runs.

    Args:
        out_file: Path of a ``.safetensors`` file; or of a ``.parquet`` file, which is a table for
            other programs (:func:`~ovmlv.evaluation.predictions_table.write_predictions_table`)
            and is not read here.
        **kwargs: See :class:`BaseScoreMetric`.

    Examples:
        >>> import tempfile
        >>> import torch
        >>> sample = dict(pred_score=torch.tensor([0.75, 0.25]), gt_label=torch.tensor([1, 0]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     metric = DumpPredictions(f'{folder}/test.safetensors')
        ...     metric.process(None, [dict(sample, sample_idx=0)])
        ...     metrics = metric.evaluate(size=1)
        ...     print(metrics, Predictions.load(metric.out_file).scores.tolist())
        {} [[0.75, 0.25]]
    """

    default_prefix = 'dump'
    SCORE_DIMS = (1, 2)

    def __init__(self, out_file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not out_file.endswith(('.safetensors', '.parquet')):
            raise ConfigError(
                f'DumpPredictions: out_file={out_file!r} must end in .safetensors or .parquet, the '
                'formats it is written in'
            )
        if out_file.endswith('.parquet'):
            arrow()  # rather missed now than after the test
        self.out_file = out_file

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Write the file; returns no metric."""
        found = Predictions.from_results(results, self.dataset_meta or {})
        if self.out_file.endswith('.parquet'):
            path = write_predictions_table(found, self.out_file)
        else:
            path = found.save(self.out_file)
        MMLogger.get_current_instance().info(f'{len(results)} predictions: {path}')
        return {}

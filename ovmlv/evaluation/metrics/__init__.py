"""Metrics for mmengine's evaluator."""

from .multilabel_metric import MultilabelMetric

__all__ = ['MultilabelMetric']

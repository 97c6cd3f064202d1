"""Scores of labels with the labels and their attributes, for drawings and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ovmlv.errors import DataError

from .predictions import Predictions


@dataclass(frozen=True, eq=False)
class LabelScores:
    """Scores and targets of a test set.

    Attributes:
        scores: Probabilities ``(N, C)``.
        targets: ``(N, C)`` of {1, 0, -1}; for a video that could not be read, all are -1.
        classes: C labels.
        attributes: Axis -> value of each label.
    """

    scores: Tensor
    targets: Tensor
    classes: list[str]
    attributes: Mapping[str, list[str]]

    @classmethod
    def load(cls, path: str) -> LabelScores:
        """Read a file of ``ovmlv test --dump``."""
        found = Predictions.load(path)
        classes = found.meta.get('classes')
        if not classes:
            raise DataError(f'{path} does not name its labels; test on a data set with classes')
        return cls(
            found.scores,
            found.targets.masked_fill(found.row_broken()[:, None], -1),
            list(classes),
            dict(found.meta.get('class_attributes') or {}),
        )

    def columns(self, axis: str, value: str) -> list[int]:
        """Labels with this value of an attribute."""
        return [i for i, v in enumerate(self.attributes.get(axis, ())) if v == value]

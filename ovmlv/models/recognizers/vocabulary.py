"""The labels that a recognizer works on at the moment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ovmlv.errors import ConfigError, VocabularyError


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Labels in the order of the targets' columns.

    Attributes:
        labels: C label strings.
        prior: Share of positives among the known targets, over all labels; None if unknown.
        embeddings: Their embeddings ``(C, E)`` where they are given, as by a label bank.
    """

    labels: tuple[str, ...]
    prior: float | None = None
    embeddings: Tensor | None = None

    @classmethod
    def of(
        cls, metainfo: Mapping[str, Any] | Sequence[str], embeddings: Tensor | None = None
    ) -> Vocabulary:
        """From a list of labels, or metainfo with ``classes`` and perhaps ``label_prior``."""
        if isinstance(metainfo, str):
            raise VocabularyError(
                f'the vocabulary is the single text {metainfo!r}; write [{metainfo!r}]'
            )
        prior = None
        if isinstance(metainfo, Mapping):
            if not metainfo.get('classes'):
                raise VocabularyError(
                    "the metainfo has no 'classes'; use a data set with class names, or give its "
                    'config metainfo=dict(classes=[...])'
                )
            shares = metainfo.get('label_prior')
            shares = [
                float(p) for p in (() if shares is None else shares) if not math.isnan(float(p))
            ]
            prior = sum(shares) / len(shares) if shares else None
            metainfo = metainfo['classes']
        labels = tuple(metainfo)
        if not labels:
            raise VocabularyError('the vocabulary is empty; give at least one label')
        seen: set[str] = set()
        for i, label in enumerate(labels):
            if not isinstance(label, str) or not label.strip():
                raise VocabularyError(
                    f'label {i} of the vocabulary is {label!r}; labels are texts that are not empty'
                )
            if label in seen:
                raise VocabularyError(f'label {label!r} is twice in the vocabulary; remove one')
            seen.add(label)
        if embeddings is not None and len(embeddings) != len(labels):
            raise VocabularyError(
                f'{len(embeddings)} embeddings for {len(labels)} labels; give one for each'
            )
        return cls(labels, prior, embeddings)


def read_reference_vocabulary(source: str | Sequence[str]) -> tuple[str, ...]:
    """Labels of a list, or of a text file with one label a line."""
    if isinstance(source, str):
        path = Path(source)
        if not path.is_file():
            raise FileNotFoundError(
                f'reference_vocabulary: file {source} not found; give a text file with one label a '
                'line, or a list'
            )
        source = [
            line.strip() for line in path.read_text(encoding='utf-8').splitlines() if line.strip()
        ]
    labels = tuple(dict.fromkeys(source))
    if len(labels) < 2:
        raise ConfigError(
            f'reference_vocabulary has {len(labels)} labels; similarities need at least 2'
        )
    return labels


def without_training_labels(reference: Sequence[str], training: Sequence[str]) -> tuple[str, ...]:
    """The reference labels that are no training labels (case and outer spaces aside).

    Distilling the frozen model's opinion on a training label would work against the training.
    """
    taken = {label.strip().casefold() for label in training}
    left = tuple(label for label in reference if label.strip().casefold() not in taken)
    if len(left) < 2:
        raise ConfigError(
            f'reference_vocabulary: {len(left)} of {len(reference)} labels are no training labels; '
            'give labels that the training set does not have'
        )
    return left

"""The labels that a recognizer works on at the moment."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ovmlv.errors import VocabularyError
from ovmlv.labels import unique_labels


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Labels in the order of the targets' columns.

    Attributes:
        labels: C label strings.
        prior: Share of positives among the known targets, over all labels; None if unknown.
        embeddings: Their embeddings ``(C, E)`` if they are given, as by a label bank.
    """

    labels: tuple[str, ...]
    prior: float | None = None
    embeddings: Tensor | None = None

    @classmethod
    def of(
        cls, metainfo: Mapping[str, Any] | Sequence[str], embeddings: Tensor | None = None
    ) -> Vocabulary:
        """Make one from labels, or from metainfo with ``classes`` and perhaps ``label_prior``."""
        prior = None
        if isinstance(metainfo, Mapping):
            if metainfo.get('classes') is None or not len(metainfo['classes']):
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
        labels = unique_labels(metainfo, 'vocabulary')
        if embeddings is not None and len(embeddings) != len(labels):
            raise VocabularyError(
                f'{len(embeddings)} embeddings for {len(labels)} labels; give one for each'
            )
        return cls(labels, prior, embeddings)


def required(vocabulary: Vocabulary | None) -> Vocabulary:
    """The vocabulary of a model.

    Raises:
        VocabularyError: None is set.
    """
    if vocabulary is None:
        raise VocabularyError(
            'no vocabulary is set; add custom_hooks=[dict(type="VocabularyHook")] to the config, '
            'or call model.set_vocabulary(labels)'
        )
    return vocabulary

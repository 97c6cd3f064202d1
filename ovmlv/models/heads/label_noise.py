"""Noise on labels, so that soft tokens learn to stand in for words that CLIP cannot read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ovmlv.errors import ConfigError

_LETTERS = 'abcdefghijklmnopqrstuvwxyz'


class DisturbedLabels(NamedTuple):
    """How some of C labels are shown to CLIP's text tower.

    Attributes:
        index: ``(K,)`` indices of these labels.
        words: K strings: the labels, some replaced by made-up words.
        keep: For each of the K labels, whether its own tokens stay.
        source: ``(K,)`` index of the label whose soft tokens are used.
    """

    index: Tensor  # type: ignore[assignment]  # a tuple's method, which nobody calls
    words: list[str]
    keep: list[bool]
    source: Tensor


class LabelNoise:
    """Disturbs labels in training; their embeddings shall stay as they are without the disturbance.

    A frozen text tower reads a label's soft tokens (from the LLM) and its own words together. For
    training labels, the words say enough, so the soft tokens learn little from the loss on videos
    alone, and nothing that helps with words that CLIP never read. Therefore a second pass disturbs
    one of the two and asks for the same embedding (``loss_label_consistency``, the cosine distance
    from the undisturbed embedding, which gets no gradient):

    - ``dropout``: the label's own words are left out; the soft tokens carry the meaning alone.
    - ``corruption``: the words are replaced by made-up ones, which are to CLIP like a word that it
      never read.
    - ``swap``: the words stay, and the soft tokens are another label's, so that words which CLIP
      can read prevail over what the LLM takes for similar.

    The three are relative frequencies. This noise is not part of arXiv 2407.09073.

    Args:
        weight: Weight of the loss.
        dropout: See above.
        corruption: See above.
        swap: See above.
        num_labels: Number of labels to disturb in a step; None takes all of them.
    """

    def __init__(
        self,
        weight: float = 1.0,
        dropout: float = 0.2,
        corruption: float = 0.4,
        swap: float = 0.4,
        num_labels: int | None = 128,
    ) -> None:
        shares = dict(dropout=dropout, corruption=corruption, swap=swap)
        for name, value in dict(shares, weight=weight).items():
            if not value >= 0:
                raise ConfigError(f'head.noise.{name}={value} must not be negative')
        if not sum(shares.values()) > 0:
            raise ConfigError('head.noise: one of dropout, corruption and swap must be positive')
        if num_labels is not None and num_labels < 1:
            raise ConfigError(f'head.noise.num_labels={num_labels} must be at least 1, or None')
        self.weight, self.num_labels = weight, num_labels
        self.shares = torch.tensor([*shares.values()])

    def __call__(self, labels: Sequence[str], max_letters: int) -> DisturbedLabels:
        """Draw from torch's global generator.

        Args:
            labels: C label strings.
            max_letters: Number of letters that certainly fit into CLIP's context.
        """
        index = torch.randperm(len(labels))[: self.num_labels]
        way = torch.multinomial(self.shares, len(index), replacement=True)
        words = [
            made_up_words(labels[i], max_letters) if kind == 1 else labels[i]
            for i, kind in zip(index.tolist(), way.tolist(), strict=True)
        ]
        source = index.clone()
        if len(labels) > 1:  # one of the others, never the label itself
            shift = torch.randint(1, len(labels), (len(index),))
            source = torch.where(way == 2, (index + shift) % len(labels), source)
        return DisturbedLabels(index, words, (way != 0).tolist(), source)


def made_up_words(label: str, max_letters: int) -> str:
    """One random word of two to five letters for each of the label's first two words."""
    count = min(2, len(label.split()))
    lengths = torch.randint(2, 6, (count,)).clamp(max=max(1, max_letters // count))
    return ' '.join(
        ''.join(_LETTERS[i] for i in torch.randint(26, (length,)).tolist())
        for length in lengths.tolist()
    )

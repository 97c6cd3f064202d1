"""Known words that stand for new ones, by the likeness that a language model sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.labels import load_label_attributes, load_labels
from ovmlv.models.clip.base_text_tower import BaseTextTower
from ovmlv.models.llm.causal_llm import CausalLLM
from ovmlv.models.llm.kv_cache import LabelCache, constants
from ovmlv.models.llm.readouts import BaseReadout
from ovmlv.models.utils.weight_watch import WeightWatch, tensors_of

#: A sentence whose last state says what comes next: what a thing of this name looks like.
CONTEXT = 'A picture of a {}. It shows a'
#: The layer to read, counted from the end (25 of SmolLM2's 30).
LAYER = -6
_MIXED_MEGABYTES = 64.0


class WordReader(Protocol):
    """A head that reads words by an LLM and by CLIP."""

    llm: CausalLLM
    readout: BaseReadout
    text_tower: BaseTextTower

    def reference(self, labels: Sequence[str]) -> Tensor:
        """CLIP's unit vectors ``(C, E)``."""


class _Known(NamedTuple):
    """The W known words.

    Attributes:
        states: Unit vectors of the LLM's centred states ``(W, H)``.
        embeddings: Those of CLIP ``(W, E)``.
        mean: What was subtracted from the states ``(H,)``.
    """

    states: Tensor
    embeddings: Tensor
    mean: Tensor


class NeighborMemory(nn.Module):
    """Words that CLIP reads well, with an LLM's state and CLIP's embedding of each.

    ``h(w)`` is the LLM's state for a word, minus the mean over the known words, as a unit vector.
    Of the K known words with the largest cosines, what stands for a label l is the unit vector
    along ``sum_k softmax_k(sharpness * h(l).h(w_k)) f_CLIP(w_k)``. A known word is no neighbour of
    itself. This is ours, not the paper's.

    Args:
        known_words: Labels that CLIP reads well: a list, or a file of
            :func:`~ovmlv.labels.load_labels`.
        known_splits: If given, ``known_words`` is a file of
            :func:`~ovmlv.labels.load_label_attributes`, and its labels of these splits are taken.
        num_neighbors: K.
        sharpness: Factor of the cosines in the softmax; with 0, the K words count the same.

    Raises:
        ConfigError: A number or the words cannot be used.
    """

    def __init__(
        self,
        known_words: str | Sequence[str],
        known_splits: Sequence[str] | None = None,
        num_neighbors: int = 8,
        sharpness: float = 15.0,
    ) -> None:
        super().__init__()
        self.known_words = _read(known_words, known_splits)
        if not 1 <= num_neighbors <= len(self.known_words):
            raise ConfigError(
                f'head.num_neighbors={num_neighbors} must be from 1 to the number of known words, '
                f'which is {len(self.known_words)}'
            )
        if not sharpness >= 0:
            raise ConfigError(f'head.sharpness={sharpness} must not be negative')
        self.num_neighbors, self.sharpness = num_neighbors, sharpness
        self._places: dict[str, list[int]] = {}
        for i, word in enumerate(self.known_words):
            self._places.setdefault(word.casefold(), []).append(i)
        self._watch = WeightWatch()
        self._known: _Known | None = None
        self._mixed = LabelCache(_MIXED_MEGABYTES)  # a training asks for the same again and again

    def __contains__(self, label: str) -> bool:
        return label.casefold() in self._places

    def mix(self, reader: WordReader, labels: list[str]) -> Tensor:
        """Unit vectors ``(C, E)`` that stand for labels."""
        return F.normalize(self.mean(reader, labels), dim=-1)

    @torch.no_grad()
    def mean(self, reader: WordReader, labels: list[str]) -> Tensor:
        """What :meth:`mix` gives, ``(C, E)``, before it is brought to length one.

        Its length is 1 where all neighbours mean the same to CLIP, and less where they differ.
        """
        known = self._of(reader)
        found = {label: self._mixed.get(label) for label in labels}
        missing = [label for label, vector in found.items() if vector is None]
        if missing:
            means = mean_of_rows(known.embeddings, *self._nearest(known, reader, missing))
            for label, vector in zip(missing, means, strict=True):
                found[label] = vector
                self._mixed.put(label, vector)
        return torch.stack([cast(Tensor, found[label]) for label in labels])

    @torch.no_grad()
    def directions(self, reader: WordReader, states: Tensor) -> Tensor:
        """Unit vectors ``(C, H)`` of the LLM's states of labels, as they are compared."""
        return _directions(states, self._of(reader))

    @torch.no_grad()
    def nearest(self, reader: WordReader, labels: list[str]) -> tuple[Tensor, Tensor]:
        """Rows of the known words ``(C, K)``, nearest first, and their weights."""
        return self._nearest(self._of(reader), reader, labels)

    def _nearest(
        self, known: _Known, reader: WordReader, labels: list[str]
    ) -> tuple[Tensor, Tensor]:
        cosines = _directions(last_states(reader, labels), known) @ known.states.T
        for i, label in enumerate(labels):
            cosines[i, self._places.get(label.casefold(), [])] = -torch.inf
        count = min(self.num_neighbors, int(torch.isfinite(cosines).sum(1).min()))
        return nearest_rows(cosines, count, self.sharpness)

    def _of(self, reader: WordReader) -> _Known:
        """What is kept of the known words while the weights stay."""
        weights = tensors_of(reader.llm, reader.text_tower)
        if self._watch.changed(weights, reader.llm) or self._known is None:
            with constants(weights[0].device):
                states = last_states(reader, list(self.known_words))
                mean = states.mean(0)
                embeddings = reader.reference(self.known_words).float()
                self._mixed.clear()
                self._known = _Known(F.normalize(states - mean, dim=-1), embeddings, mean)
        return self._known


def _directions(states: Tensor, known: _Known) -> Tensor:
    return F.normalize(states - known.mean, dim=-1)


def nearest_rows(cosines: Tensor, count: int, sharpness: float) -> tuple[Tensor, Tensor]:
    """The rows with the largest cosines ``(C, W) -> (C, K)``, nearest first, and their weights."""
    best = cosines.topk(count, dim=1)
    return best.indices, (sharpness * best.values).softmax(1)


def mean_of_rows(values: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Weighted means ``(C, E)`` of rows of ``(W, E)``, by the result of :func:`nearest_rows`."""
    return torch.einsum('ck,cke->ce', weights, values[rows])


def last_states(reader: WordReader, labels: list[str]) -> Tensor:
    """The LLM's last state of each label, ``(C, H)``; rows of states are padded behind."""
    states, mask = reader.readout(reader.llm, labels)
    last = mask.sum(1) - 1
    return states[torch.arange(len(states), device=states.device), last]


def _read(source: str | Sequence[str], splits: Sequence[str] | None) -> tuple[str, ...]:
    if splits is None:
        return tuple(load_labels(source, name='head.known_words'))
    if not isinstance(source, str) or isinstance(splits, str):
        raise ConfigError('head.known_splits is a list of splits, and known_words then is a file')
    found = load_label_attributes(source).get('split', {})
    missing = sorted(set(splits) - set(found.values()))
    if missing:
        raise ConfigError(f'head.known_splits: {source} has no label of the split {missing[0]!r}')
    return tuple(label for label, split in found.items() if split in splits)

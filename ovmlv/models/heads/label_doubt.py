"""What a label encoder has learnt is believed less of labels that training did not have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.llm.kv_cache import constants
from ovmlv.models.utils.weight_watch import WeightWatch, tensors_of

from .neighbor_memory import last_states, mean_of_rows, nearest_rows


class LabelDoubt(nn.Module):
    """Moves labels that training did not have less far, and more as near training labels moved.

    A training label moved by ``d(l) = f(l) - f_CLIP(l)``. For another label whose knowledge gate is
    open, ``f`` becomes the unit vector along

    ``f_CLIP + trust ((1 - share) d(l) + share sum_k softmax_k(sharpness h(l).h(l_k)) d(l_k))``

    with the K training labels ``l_k`` whose states h of the LLM are nearest. Where these moved in
    different ways, they cancel out, and the label's probabilities are less extreme: what is not
    certain is not said with certainty.

    Where known words stand for a label that CLIP does not know (:class:`.NeighborMemory`), its
    vector becomes as long as their mean: shorter than 1 where they disagree, so that its logits are
    nearer to the bias. Each label keeps its order of videos.

    In training, and before :meth:`learn`, nothing changes. This is ours, not the paper's.

    Args:
        trust: See above; 1 is full trust.
        share: See above; 0 asks no neighbours.
        num_neighbors: K.
        sharpness: Factor of the cosines in the softmax.

    Raises:
        ConfigError: A number cannot be used.
    """

    def __init__(
        self,
        trust: float = 0.65,
        share: float = 0.5,
        num_neighbors: int = 4,
        sharpness: float = 15.0,
    ) -> None:
        super().__init__()
        for name, value in (('trust', trust), ('share', share)):
            if not 0 <= value <= 1:
                raise ConfigError(f'head.label_doubt.{name}={value} must be from 0 to 1')
        if num_neighbors < 1:
            raise ConfigError(f'head.label_doubt.num_neighbors={num_neighbors} must be at least 1')
        if not sharpness >= 0:
            raise ConfigError(f'head.label_doubt.sharpness={sharpness} must not be negative')
        self.trust, self.share = trust, share
        self.num_neighbors, self.sharpness = num_neighbors, sharpness
        self._watch = WeightWatch()
        self._moves: tuple[Tensor, Tensor] | None = None
        self.learn(())

    def learn(self, labels: Sequence[str]) -> None:
        """Hear the labels of training."""
        self.labels = tuple(labels)
        self._trained = {label.casefold() for label in labels}
        self._moves = None

    def get_extra_state(self) -> Tensor:
        """The labels, as bytes, so that every format of checkpoints can hold them."""
        return torch.tensor(list(json.dumps(self.labels).encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Take back what :meth:`get_extra_state` gave."""
        self.learn(json.loads(bytes(state.tolist())))

    def forward(self, head: Any, labels: list[str], found: Tensor) -> Tensor:
        """Vectors ``(C, E)`` of labels, no longer than 1.

        Args:
            head: The :class:`.LLMPromptHead` that they come from, with a memory.
            labels: C label strings.
            found: Unit vectors ``(C, E)``.
        """
        rows = [i for i, label in enumerate(labels) if label.casefold() not in self._trained]
        if self.training or not self.labels or not rows:
            return found
        words = [labels[i] for i in rows]
        states, read = last_states(head, words), head.reference(words).to(found)
        own = found[rows] - read
        directions, moves = self._of_training(head)
        cosines = head.memory.directions(head, states) @ directions.T
        count = min(self.num_neighbors, len(self.labels))
        near = mean_of_rows(moves, *nearest_rows(cosines, count, self.sharpness)).to(found)
        move = self.trust * ((1 - self.share) * own + self.share * near)
        moved = F.normalize(read + move, dim=-1)
        if head.knowledge_gate is not None:
            is_open = (head.knowledge_gate(states) > 0)[:, None]
            moved = torch.where(is_open, moved, found[rows])
        if head.familiarity is not None:
            length = head.memory.mean(head, words).norm(dim=-1)
            share = head.familiarity.unknown_share(words).to(length)
            moved = moved * (1 - share * (1 - length))[:, None].to(moved)
        return found.index_copy(0, torch.tensor(rows, device=found.device), moved)

    @torch.no_grad()
    def _of_training(self, head: Any) -> tuple[Tensor, Tensor]:
        """Directions ``(L, H)`` of the training labels' states, and how they moved ``(L, E)``."""
        weights = tensors_of(head)
        if self._watch.changed(weights, head) or self._moves is None:
            with constants(weights[0].device):
                labels = list(self.labels)
                directions = head.memory.directions(head, last_states(head, labels))
                moves = head.encode(labels) - head.reference(labels)
                self._moves = directions, moves
        return self._moves

"""Words that CLIP never read, by the known words that a language model holds for similar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.models.utils.frozen import exclude_frozen_from_state_dict
from ovmlv.registry import MODELS

from .base_prompt_head import BasePromptHead
from .neighbor_memory import CONTEXT, LAYER, NeighborMemory


@MODELS.register_module()
class LLMNeighborHead(BasePromptHead):
    """Encodes a new word as a mean of known words that an LLM holds for near; nothing is trained.

    A label of ``known_words`` has CLIP's own embedding of the templated label. Any other label l is
    compared with them in the LLM: ``h(w)`` is the LLM's state at the last token of ``context`` with
    the word in it, minus the mean of these states over the known words, as a unit vector. Of the K
    known words with the largest cosines, the embedding is their mean ::

        sum_k softmax_k(sharpness * h(l).h(w_k)) f_CLIP(w_k)

    It is shorter than a unit vector where they disagree (`unit_length`), so that what is uncertain
    is said with less certainty: the logit is nearer to the scorer's bias.

    This is ours, not the paper's: a baseline for methods that learn how to ask an LLM, and a label
    encoder for those who have no training data. It helps with words that CLIP never read, and takes
    away from words that it knows well, so ``known_words`` should be a list of what CLIP reads: the
    words of its captions, or the labels of large data sets.

    Args:
        model_name: See :class:`BasePromptHead`.
        pretrained: See :class:`BasePromptHead`.
        llm: :class:`.CausalLLM` config, e.g. ``dict(name='smollm2')``.
        known_words: Labels that CLIP reads well: a list, or a file of
            :func:`~ovmlv.labels.load_labels`.
        known_splits: If given, ``known_words`` is a file of
            :func:`~ovmlv.labels.load_label_attributes`, and its labels of these splits are taken,
            e.g. ``['seen', 'unseen']``.
        num_neighbors: K.
        sharpness: Factor of the cosines in the softmax; with 0, the K words count the same.
        readout: Config of :class:`.StaticReadout`: ``context``, ``layer``, ``cache_dir``. By
            default the sixth layer from the end (25 of SmolLM2's 30) of :data:`CONTEXT`.
        llm_dtype: Number format of the frozen LLM.
        **kwargs: See :class:`BasePromptHead`.

    Raises:
        ConfigError: ``llm`` or ``known_words`` is missing, or a number cannot be used.

    Examples:
        >>> from ovmlv.models.heads import LLMNeighborHead
        >>> llm = dict(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))  # random
        >>> known = dict(known_words=['red circle', 'star', 'square'], num_neighbors=2)
        >>> readout = dict(layer=1)
        >>> head = LLMNeighborHead('motionshapes', 'motionshapes', llm, readout=readout, **known)
        >>> bool((head(['star']) == head.reference(['star'])).all())  # it is known
        True
        >>> (names, weights), = head.neighbors(['crimson disc'])
        >>> len(names), round(sum(weights), 4)
        (2, 1.0)
    """

    unit_length = False

    def __init__(
        self,
        model_name: str | Mapping[str, Any],
        pretrained: str | None = None,
        llm: dict[str, Any] | None = None,
        known_words: str | Sequence[str] | None = None,
        known_splits: Sequence[str] | None = None,
        num_neighbors: int = 8,
        sharpness: float = 15.0,
        readout: dict[str, Any] | None = None,
        llm_dtype: str = 'float32',
        **kwargs: Any,
    ) -> None:
        super().__init__(model_name, pretrained, **kwargs)
        if llm is None:
            raise ConfigError("head.llm is missing; give e.g. llm=dict(name='smollm2')")
        if known_words is None:
            raise ConfigError(
                'head.known_words is missing; give the labels that CLIP reads well, as a list or a '
                'file'
            )
        self.memory = NeighborMemory(known_words, known_splits, num_neighbors, sharpness)
        ours = {'_scope_': 'ovmlv'}  # unprefixed names mean ours inside another project too
        self.llm = MODELS.build({'type': 'CausalLLM', **ours, 'dtype': llm_dtype, **llm})
        readout = {'context': CONTEXT, 'layer': LAYER, **(readout or {})}
        self.readout = MODELS.build({'type': 'StaticReadout', **ours, **readout, 'llm': self.llm})
        exclude_frozen_from_state_dict(self)

    def is_known(self, label: str) -> bool:
        """Whether CLIP's own embedding is used."""
        return label in self.memory

    def check_tokens(self, labels: list[str]) -> None:
        """Refuse labels that do not fit into the model that reads them."""
        known = [label for label in labels if self.is_known(label)]
        if known:
            super().check_tokens(known)
        new = [label for label in labels if not self.is_known(label)]
        if new:
            self.readout.check(self.llm, new)

    def encode(self, labels: list[str]) -> Tensor:
        """Vectors ``(C, E)``, no longer than 1."""
        known = [self.is_known(label) for label in labels]
        out = torch.empty(len(labels), self.embed_dim, device=self.text_tower.device)
        if any(known):
            of_clip = self.reference([v for v, is_known in zip(labels, known) if is_known])
            out[torch.tensor(known)] = of_clip.to(out)
        if not all(known):
            new = [label for label, is_known in zip(labels, known) if not is_known]
            out[~torch.tensor(known)] = self.memory.mean(self, new).to(out)
        return out

    def neighbors(self, labels: Sequence[str]) -> list[tuple[list[str], list[float]]]:
        """The known words that stand for each label, nearest first, and their weights.

        Args:
            labels: Labels; a known word is compared with the others.
        """
        rows, weights = self.memory.nearest(self, list(labels))
        return [
            ([self.memory.known_words[i] for i in row], weight)
            for row, weight in zip(rows.tolist(), weights.tolist(), strict=True)
        ]

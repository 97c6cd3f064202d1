"""Our reading of the paper's label encoder: a frozen LLM prompts a frozen CLIP text tower."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.labels import check_labels
from ovmlv.models.clip.token_rows import LabelTokens
from ovmlv.models.llm.readouts import StaticReadout
from ovmlv.models.utils.frozen import exclude_frozen_from_state_dict
from ovmlv.models.utils.residual_mlp import residual_mlp
from ovmlv.models.utils.spare_directions import SpareDirections
from ovmlv.registry import MODELS

from .base_prompt_head import BasePromptHead
from .knowledge_gate import KnowledgeGate
from .label_doubt import LabelDoubt
from .label_noise import LabelNoise
from .llm_prompt_settings import check_settings, count_soft_tokens
from .neighbor_memory import NeighborMemory, last_states
from .word_familiarity import WordFamiliarity

#: From here on, encoding all labels in a step deserves a word.
MANY_LABELS = 2000
#: A share of the memory that is not worth looking it up.
_NEGLIGIBLE = 1e-3


@MODELS.register_module()
class LLMPromptHead(BasePromptHead):
    """``label -> LLM -> readout -> prompting transformer -> soft tokens -> CLIP text tower ->
    f_t``.

    After Gupta et al., ECCV 2024 (arXiv 2407.09073). Quoted: the path above, that both models are
    frozen, and that the transformer spares the step through text, which has no gradient. Our
    reading: the rest of this docstring, unless it says ours (the table of docs/method.md has all
    of it). The text tower reads
    ``[SOS] soft_1..soft_S label-tokens [EOS]``. The soft tokens are the template's own embeddings
    plus a residual that starts at zero, so at initialisation ``f_t`` is CLIP's embedding of the
    templated label. No text is generated in between, so gradients reach the readout's learnable
    tokens through both frozen models.

    The number of soft tokens follows from this. By default, every template token before the label
    is soft. With fewer, the last ones are soft and the others stay words. More soft tokens than the
    template has are an error, because an added token would change CLIP's embedding from the start.

    Args:
        model_name: See :class:`BasePromptHead`.
        pretrained: See :class:`BasePromptHead`.
        llm: :class:`.CausalLLM` config, e.g. ``dict(name='smollm2')``.
        readout: Config of a readout: ``PrefixReadout``, ``SequenceReadout``, ``SuffixReadout``,
            ``GenerateReadout`` or ``StaticReadout``.
        prompter: Config of the prompting transformer, ``num_soft_tokens`` included.
        num_groups: Number of attribute groups of a label; their embeddings are normalised,
            averaged, and normalised again.
        noise: Arguments of :class:`.LabelNoise`, which teaches the soft tokens words that CLIP
            cannot read; with None, there is none. It is ours.
        keep_label: Whether the label's own tokens stay in CLIP's text. With False, they are left
            out, also in testing, and the head does not start at CLIP's embedding.
        gate_width: Hidden width of a gate on the soft tokens' residuals. The gate is a number in
            (0, 1) that an MLP reads from CLIP's own embedding of the label; with 0, there is no
            gate. It is ours. With ``noise``, the gate learns to close if CLIP knows the words
            and to open if it does not, so that labels which CLIP reads well stay as they are.
        adapter_width: Hidden width of a residual adapter on ``f_t`` that starts at zero; with 0,
            there is none. It is ours. Soft tokens change the output of a small text
            tower slowly. In a short run, an adapter behind the tower (Gao et al., "CLIP-Adapter",
            arXiv 2110.04544) can make the rest of the change.
        knowledge_gate: Arguments of :class:`.KnowledgeGate`, which scales what the soft tokens
            change of a label by how little CLIP knows of it, guessed from the LLM's states (ours):
            ``f_CLIP + g (f_t - f_CLIP)``. :class:`.LabelWeightHook` fits it before training. It
            needs a :class:`.StaticReadout`. With None, there is none.
        state_adapter_width: Hidden width of a second path from the LLM to f_t (ours): an MLP A of
            the LLM's last state, centred as the memory centres it, whose output is added and is
            zero at first. In short runs it says more than soft tokens. It needs a memory.
        kept_share: What the soft tokens and the second path change of f_t lies in
            :class:`.SpareDirections` of this share alone (ours); :class:`.LabelWeightHook` fits
            them. With None, it may lie anywhere.
        memory: A memory of known words for labels that CLIP never read (*ours*, not the paper's):
            arguments of :class:`.NeighborMemory`, and ``frequencies`` and ``half_count`` of
            :class:`.WordFamiliarity`. A label's embedding is then the unit vector along
            ``f_t + u (m - f_CLIP)``: u says in how far the label is new to CLIP, m is the mean of
            the known words that the LLM holds for near, and takes the place of what CLIP reads of
            the words, f_CLIP. What the soft tokens change is the same for new and known labels, so
            that labels of the training set teach it for all. It needs a :class:`.StaticReadout`,
            whose last state is compared. With None, there is no memory.
        label_doubt: Arguments of :class:`.LabelDoubt` (ours), which believes less of labels that
            training did not have; :class:`.LabelWeightHook` tells it which it had. It needs a
            memory, and vectors are then no unit vectors. With None, there is none.
        llm_dtype: Number format of the frozen LLM; everything trainable is float32.
        **kwargs: See :class:`BasePromptHead`.

    Examples:
        >>> import torch
        >>> from ovmlv.models.heads import LLMPromptHead
        >>> llm = dict(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))  # random
        >>> head = LLMPromptHead('motionshapes', 'motionshapes', llm=llm, prompter=dict(width=32))
        >>> labels = ['a red circle', 'a blue square']
        >>> torch.allclose(head(labels), head.reference(labels), atol=1e-5)  # it starts at CLIP's
        True
        >>> head.soft_tokens(labels).shape  # in the place of "a video of"
        torch.Size([2, 1, 3, 128])
    """

    def __init__(
        self,
        model_name: str | Mapping[str, Any],
        pretrained: str | None = None,
        llm: dict[str, Any] | None = None,
        readout: dict[str, Any] | None = None,
        prompter: dict[str, Any] | None = None,
        num_groups: int = 1,
        noise: dict[str, Any] | None = None,
        keep_label: bool = True,
        gate_width: int = 0,
        adapter_width: int = 0,
        knowledge_gate: dict[str, Any] | None = None,
        state_adapter_width: int = 0,
        kept_share: float | None = None,
        memory: dict[str, Any] | None = None,
        label_doubt: dict[str, Any] | None = None,
        llm_dtype: str = 'float32',
        **kwargs: Any,
    ) -> None:
        check_settings(locals())
        super().__init__(model_name, pretrained, **kwargs)
        self.noise: LabelNoise | None = None if noise is None else LabelNoise(**noise)
        before = self.text_tower.rows.contents([self.template.split('{}')[0].rstrip()])[0]
        prompter = {'type': 'PromptingTransformer', 'num_soft_tokens': None, **(prompter or {})}
        prompter['num_soft_tokens'] = count_soft_tokens(
            prompter['num_soft_tokens'], len(before), self.template
        )
        self.gate = residual_mlp(self.embed_dim, gate_width, 1) if gate_width else None
        self.adapter = (
            residual_mlp(self.embed_dim, adapter_width, self.embed_dim) if adapter_width else None
        )
        self.keep_label, self.unit_length = keep_label, label_doubt is None
        ours = {'_scope_': 'ovmlv'}  # unprefixed names mean ours inside another project too
        self.llm = MODELS.build({'type': 'CausalLLM', **ours, 'dtype': llm_dtype, **(llm or {})})
        self.readout = MODELS.build(
            {'type': 'PrefixReadout', **ours, **(readout or {}), 'llm': self.llm}
        )
        self.knowledge_gate: KnowledgeGate | None = None
        if knowledge_gate is not None:
            self._need_fixed_states('knowledge_gate')
            self.knowledge_gate = KnowledgeGate(self.readout.state_size, **knowledge_gate)
        self.spare = None if kept_share is None else SpareDirections(self.embed_dim, kept_share)
        self.memory: NeighborMemory | None = None
        self.familiarity: WordFamiliarity | None = None
        if memory is not None:
            self._remember(**memory)
        self.doubt = None if label_doubt is None else LabelDoubt(**label_doubt)
        size = self.readout.state_size
        self.state_adapter = (
            residual_mlp(size, state_adapter_width, self.embed_dim) if state_adapter_width else None
        )
        self.prompter = MODELS.build(
            {
                **ours,
                **prompter,
                'state_size': self.readout.state_size,
                'token_size': self.text_tower.width,
                'token_std': self.text_tower.token_std,
                'num_groups': num_groups,
            }
        )
        start = self.text_tower.embed(
            torch.tensor(before[len(before) - prompter['num_soft_tokens'] :])
        )
        self.register_buffer('start_tokens', start.detach().float().clone(), persistent=False)
        self._warned = False
        exclude_frozen_from_state_dict(self)

    def _remember(
        self,
        known_words: str | Sequence[str],
        frequencies: str | None = None,
        half_count: float = 30.0,
        **kwargs: Any,
    ) -> None:
        """Make the memory of known words."""
        self._need_fixed_states('memory')
        self.memory = memory = NeighborMemory(known_words, **kwargs)
        self.familiarity = WordFamiliarity(frequencies, half_count, memory.known_words)

    def _need_fixed_states(self, name: str) -> None:
        if not isinstance(self.readout, StaticReadout):
            raise ConfigError(
                f'head.{name} compares the states of a fixed sentence; set '
                "head.readout=dict(type='StaticReadout', ...)"
            )

    @torch.no_grad()
    def learn_known(self, labels: Sequence[str], known: Tensor) -> None:
        """Fit the knowledge gate and spare directions, and remember the labels, where asked to."""
        if self.spare is not None:
            self.spare.fit(self.reference(labels), known)
        if self.doubt is not None:
            self.doubt.learn(labels)
        if self.knowledge_gate is not None:
            self.knowledge_gate.fit(last_states(self, list(labels)), known)

    def check_tokens(self, labels: list[str]) -> None:
        """Refuse labels that do not fit into both models."""
        super().check_tokens(labels)
        self.readout.check(self.llm, labels)

    def encode(self, labels: list[str]) -> Tensor:
        """Vectors ``(C, E)``, see ``unit_length``; repeated labels are computed once."""
        unique = list(dict.fromkeys(labels))
        self._warn_of_many(unique)
        tokens = self.tokens(unique)  # first, for its errors name what can be mended
        if self.knowledge_gate is None:
            out = self._prompted(unique, tokens)
        else:
            out = self._prompted_where_open(unique, tokens)
        out = self._adapted(out)
        if self.doubt is not None:
            out = self.doubt(self, unique, out)
        if len(unique) == len(labels):
            return out
        where = {label: i for i, label in enumerate(unique)}
        return out[torch.tensor([where[label] for label in labels], device=out.device)]

    def _prompted(
        self, labels: list[str], tokens: list[LabelTokens], last: Tensor | None = None
    ) -> Tensor:
        """Unit vectors ``(C, E)`` of labels behind their soft tokens; ``last``: their states."""
        soft = self.soft_tokens(labels)
        if self.gate is not None:
            soft = self._gated(soft, self.reference(labels))
        keep = [self.keep_label] * len(labels)
        out = self.encode_tokens(tokens, soft, keep)
        if self._moves:
            read, share = self._read(labels, tokens), self._unknown_share(labels)
            out = self._moved(out, read, labels, share, last)
        return out

    def _prompted_where_open(self, labels: list[str], tokens: list[LabelTokens]) -> Tensor:
        """The same, with no pass through the models for labels whose knowledge gate is closed."""
        assert self.knowledge_gate is not None
        last = last_states(self, labels)
        is_open = (self.knowledge_gate(last) > 0).tolist()
        # One at least, since every process that trains needs gradients of all weights.
        is_open[0] = is_open[0] or not any(is_open)
        parts = []
        for wanted in (True, False):
            rows = [i for i, found in enumerate(is_open) if found is wanted]
            if not rows:
                continue
            names, own = [labels[i] for i in rows], [tokens[i] for i in rows]
            if wanted:
                parts.append((rows, self._prompted(names, own, last[rows])))
            else:
                read = self._read(names, own)
                parts.append((rows, self._replaced(read, read, names, self._unknown_share(names))))
        order = torch.tensor([i for rows, _ in parts for i in rows]).argsort()
        return torch.cat([part for _, part in parts])[order.to(parts[0][1].device)]

    def _read(self, labels: list[str], tokens: list[LabelTokens]) -> Tensor:
        """What CLIP reads of labels, ``(C, E)``."""
        if self.keep_label:
            return self.reference(labels)
        return self._plain(tokens, [False] * len(labels))

    def forward_with_noise(self, labels: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Encode labels, and some of them also disturbed, with one pass through the LLM.

        Args:
            labels: C different label strings.

        Returns:
            Unit vectors ``(C, E)``; the index ``(K,)`` of the disturbed labels; their unit vectors
            ``(K, E)``, which shall be equal to the undisturbed ones.
        """
        labels = check_labels(labels)
        self._warn_of_many(labels)
        tokens = self.tokens(labels)
        soft = self.soft_tokens(labels)
        room = self.text_tower.rows.max_content - len(tokens[0].before) - len(tokens[0].after)
        assert self.noise is not None  # asked by the recognizer
        index, words, keep, source = self.noise(labels, room)
        source, other = source.to(soft.device), self.tokens(words, made_up=True)
        lent = soft[source]
        if self.gate is not None or self._moves:
            own, shown = self.reference(labels), self._plain(other, keep)
        if self.gate is not None:  # it sees the words that CLIP sees
            soft, lent = self._gated(soft, own), self._gated(lent, shown)
        clean = self.encode_tokens(tokens, soft, [True] * len(labels))
        noisy = self.encode_tokens(other, lent, keep)
        if self._moves:
            clean = self._moved(clean, own, labels, self._unknown_share(labels), None)
            told = [labels[i] for i in source.tolist()]
            new = self._unknown_share(words).masked_fill(~torch.tensor(keep), 1.0)
            noisy = self._moved(noisy, shown, told, new, None)
        return self._adapted(clean), index.to(clean.device), self._adapted(noisy)

    @torch.no_grad()
    def _plain(self, tokens: list[LabelTokens], keep: list[bool]) -> Tensor:
        """What CLIP alone reads, ``(C, E)``."""
        return self.encode_tokens(tokens, None, keep)

    @property
    def _moves(self) -> bool:
        """Whether there is more to an embedding than the text tower's output."""
        return any(part is not None for part in (self.familiarity, self.knowledge_gate, self.spare))

    def _unknown_share(self, words: list[str]) -> Tensor:
        if self.familiarity is None:
            return torch.zeros(len(words))
        return self.familiarity.unknown_share(words)

    def _moved(
        self, out: Tensor, read: Tensor, labels: list[str], share: Tensor, last: Tensor | None
    ) -> Tensor:
        """Unit vectors along ``read + g (out - read + A(state)) + share (memory - read)``.

        Args:
            out: ``(C, E)`` of words behind soft tokens.
            read: ``(C, E)`` of the same words for CLIP alone.
            labels: What the words stand for.
            share: How much of what CLIP reads is replaced, ``(C,)``.
            last: The LLM's last states ``(C, H)``, where they are at hand.
        """
        change = out - read
        if self.state_adapter is not None or self.knowledge_gate is not None:
            last = last_states(self, labels) if last is None else last
        if self.state_adapter is not None:
            assert self.memory is not None and last is not None  # see __init__
            directions = self.memory.directions(self, last)
            change = change + self._through(self.state_adapter, directions).to(change)
        if self.spare is not None:
            change = self.spare(change)
        if self.knowledge_gate is not None:
            change = self.knowledge_gate(last).to(out)[:, None] * change
        return self._replaced(read + change, read, labels, share)

    def _replaced(self, moved: Tensor, read: Tensor, labels: list[str], share: Tensor) -> Tensor:
        """Unit vectors along ``moved + share (memory - read)``."""
        rows = torch.nonzero(share > _NEGLIGIBLE).flatten().tolist()
        if self.memory is not None and rows:
            instead = self.memory.mix(self, [labels[i] for i in rows]) - read[rows]
            where = torch.tensor(rows, device=moved.device)
            moved = moved.index_add(0, where, share[rows, None].to(moved) * instead.to(moved))
        return F.normalize(moved, dim=-1)

    def _adapted(self, out: Tensor) -> Tensor:
        """Unit vectors ``(C, E)`` behind the adapter."""
        if self.adapter is None:
            return out
        return F.normalize(out + self._through(self.adapter, out), dim=-1)

    def gate_values(self, labels: Sequence[str]) -> Tensor:
        """How far the gate opens for labels: about 0 for labels whose words CLIP knows.

        Returns:
            ``(C,)`` in [0, 1].
        """
        if self.gate is None:
            raise ConfigError('head.gate_width=0: there is no gate; train with e.g. gate_width=64')
        return self._opened(self.reference(labels))[:, 0]

    def _opened(self, own: Tensor) -> Tensor:
        """The gate ``(C, 1)`` for CLIP's unit vectors ``(C, E)`` of the words alone."""
        assert self.gate is not None
        return self._through(self.gate, own).sigmoid()

    def _gated(self, soft: Tensor, own: Tensor) -> Tensor:
        """Soft tokens ``(C, G, S, W)``, moved back towards the template's by the gate."""
        gate = self._opened(own)[:, :, None, None]
        return self.start_tokens + gate * (soft - self.start_tokens)

    def _through(self, mlp: Any, vectors: Tensor) -> Tensor:
        """The output of layers of any number format for unit vectors.

        The entries of unit vectors of N channels are of size N^-1/2, and layers expect size one.
        """
        return mlp((vectors * vectors.shape[-1] ** 0.5).to(mlp[0].weight.dtype))

    def _warn_of_many(self, labels: Sequence[str]) -> None:
        """Warn once if training is slow because of many labels, and say how to avoid it."""
        if len(labels) > MANY_LABELS and torch.is_grad_enabled() and not self._warned:
            self._warned = True
            warnings.warn(
                f'each training step encodes all {len(labels)} labels with gradients, which takes '
                'memory (some 0.7 MB a label with a small CLIP) and time in proportion; set '
                'model.labels_per_step, e.g. 512, to encode the positive labels and random others',
                stacklevel=2,
            )

    def soft_tokens(self, labels: list[str]) -> Tensor:
        """Soft tokens ``(C, G, S, W)`` of labels."""
        states, mask = self.readout(self.llm, labels)
        return self.start_tokens + self.prompter(states, mask)

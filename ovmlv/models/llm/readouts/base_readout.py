"""What the readouts of a frozen LLM have in common: label sequences, chunks, learnable tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ovmlv.errors import ConfigError, VocabularyError
from ovmlv.models.llm.causal_llm import CausalLLM
from ovmlv.models.llm.kv_cache import LabelCache


class BaseReadout(nn.Module):
    """Reads states about labels out of a frozen LLM.

    Contract: ``readout(llm, labels) -> (states (C, L, H) float32, mask (C, L) bool)``. The LLM is
    passed in and never stored, so that a readout's parameters are its learnable tokens alone.

    Subclasses implement :meth:`read` for a chunk of labels. If all labels share a computation, they
    also implement :meth:`shared`, whose tensors are computed once in each call.

    Args:
        llm: The language model; its later layers are cut off here.
        layer: Layer to read (see :meth:`.CausalLLM.select_layer`); None takes the middle one.
        context: Fixed text around the label, with one ``{}``. States are read from the label on.
        chunk_size: Labels in each pass; None takes all of them at once.
        grad_checkpointing: Whether to compute a chunk again in the backward pass instead of keeping
            its activations.

    Examples:
        >>> import torch
        >>> from ovmlv.models.llm import BaseReadout, CausalLLM
        >>> class LastState(BaseReadout):
        ...     def read(self, llm, labels):
        ...         rows, _ = self.label_tokens(llm, labels, bos=True)
        ...         states = [llm(llm.embed(torch.tensor([ids]))).states[:, -1:] for ids in rows]
        ...         return torch.cat(states), torch.ones(len(rows), 1, dtype=torch.bool)
        >>> llm = CausalLLM(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))
        >>> states, mask = LastState(llm)(llm, ['dog', 'red cat'])
        >>> states.shape
        torch.Size([2, 1, 32])
    """

    needs_whole_llm = False
    cache: LabelCache | None = None
    needs_embeds = True

    def __init__(
        self,
        llm: CausalLLM,
        layer: int | None = None,
        context: str = ' {}',
        chunk_size: int | None = None,
        grad_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if context.count('{}') != 1:
            raise ConfigError(
                f"readout.context={context!r} must contain '{{}}' exactly once, where the label "
                'goes'
            )
        if chunk_size is not None and chunk_size < 1:
            raise ConfigError(
                f'readout.chunk_size={chunk_size} must be at least 1, or None for all labels at '
                'once'
            )
        if self.needs_embeds and not llm.abilities.takes_embeds:
            raise ConfigError(
                f'readout {type(self).__name__} does not work with {llm.family}, where a token is '
                'more than its embedding; StaticReadout does'
            )
        self.state_size = llm.select_layer(layer, whole=self.needs_whole_llm)
        self.context = context
        self.chunk_size = chunk_size
        self.grad_checkpointing = grad_checkpointing

    def shared(self, llm: CausalLLM) -> tuple[Tensor, ...]:
        """Tensors that do not depend on the label, with gradient."""
        return ()

    def read(self, llm: CausalLLM, labels: Sequence[str], *shared: Tensor) -> tuple[Tensor, Tensor]:
        """States ``(c, L, H)`` and mask ``(c, L)`` of some labels."""
        raise NotImplementedError

    def forward(self, llm: CausalLLM, labels: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Read the states of every label.

        Returns:
            States ``(C, L, H)`` in float32 and mask ``(C, L)``, True where a state is valid.
        """
        if self.cache is not None and self.cache.follow(llm):
            self.forget()
        labels = list(labels)
        if not labels:
            raise VocabularyError('the list of labels is empty; give at least one label')
        size = self.chunk_size or len(labels)
        order = list(range(len(labels)))
        if size < len(labels):  # labels of like length share a pass
            order.sort(key=lambda i: len(labels[i]))
        shared = self.shared(llm)
        parts = []
        for start in range(0, len(labels), size):
            chunk = [labels[i] for i in order[start : start + size]]
            if self.grad_checkpointing and torch.is_grad_enabled():
                part = checkpoint(
                    self.read, llm, chunk, *shared, use_reentrant=False, preserve_rng_state=False
                )
            else:
                part = self.read(llm, chunk, *shared)
            parts.append(part)
        longest = max(mask.shape[1] for _, mask in parts)
        states = [F.pad(s.float(), (0, 0, 0, longest - s.shape[1])) for s, _ in parts]
        masks = [F.pad(m, (0, longest - m.shape[1])) for _, m in parts]
        return in_order(states, order), in_order(masks, order)

    def check(self, llm: CausalLLM, labels: Sequence[str]) -> None:
        """Raise a :class:`VocabularyError` at the first label that the LLM cannot read."""
        self.label_tokens(llm, labels, bos=True, extra=self.extra_tokens)

    @property
    def extra_tokens(self) -> int:
        """Tokens that the LLM reads beside those of the label, such as learnable ones."""
        return 0

    def forget(self) -> None:
        """Forget what was computed. It is called when the LLM's weights have changed."""

    def label_tokens(
        self, llm: CausalLLM, labels: Sequence[str], bos: bool, extra: int = 0
    ) -> tuple[list[list[int]], list[int]]:
        """Token ids of each label in its context, and where the label begins in them.

        Args:
            llm: Language model that gives the tokenizer and the length limit.
            labels: Label strings.
            bos: Whether these tokens begin the sequence.
            extra: Number of tokens that the readout adds to them.
        """
        ids = llm.tokenize([self.context.replace('{}', label) for label in labels], bos)
        before = llm.tokenize([self.context.split('{}')[0].rstrip()], bos)[0]
        starts = []
        for label, row in zip(labels, ids, strict=True):
            if not row:
                raise VocabularyError(
                    f'label {label!r} has no tokens for the LLM; give it some text'
                )
            if llm.max_length is not None and len(row) + extra > llm.max_length:
                raise VocabularyError(
                    f'label {label[:40]!r} needs {len(row) + extra} LLM tokens, the LLM takes '
                    f'{llm.max_length}; shorten it'
                )
            same = 0  # a tokenizer may merge across the border: count what is equal
            while same < min(len(before), len(row) - 1) and row[same] == before[same]:
                same += 1
            starts.append(same)
        return ids, starts


def pad_tokens(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Right-padded ids ``(C, L)`` and their mask."""
    lengths = torch.tensor([len(row) for row in rows], device=device)
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    return ids.to(device), torch.arange(ids.shape[1], device=device)[None] < lengths[:, None]


def in_order(parts: Sequence[Tensor], order: Sequence[int]) -> Tensor:
    """Rows of ``parts`` one after the other; row ``i`` is moved to place ``order[i]``."""
    rows = torch.cat(list(parts))
    if list(order) == sorted(order):
        return rows
    return rows[torch.tensor(order, device=rows.device).argsort()]


def learnable_tokens(llm: CausalLLM, num_tokens: int, init_text: str | None) -> nn.Parameter:
    """Tokens ``(P, H)`` in the LLM's embedding space.

    They start as the embeddings of ``init_text``. If that text is shorter, the other tokens are
    drawn with the mean and deviation of the embeddings that the decoder reads: far smaller vectors
    would be ignored, and far larger ones would dominate.
    """
    if num_tokens < 1:
        raise ConfigError(f'readout.num_tokens={num_tokens} must be at least 1')
    with torch.no_grad():
        table = llm.embedding_table().float()
    tokens = table.mean(0) + table.std(0) * torch.randn(
        num_tokens, table.shape[1], device=table.device
    )
    if init_text:
        ids = llm.tokenize([init_text])[0][:num_tokens]
        tokens[: len(ids)] = table[ids]
    return nn.Parameter(tokens)

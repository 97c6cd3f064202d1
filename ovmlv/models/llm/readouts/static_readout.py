"""States of a fixed prompt, computed once for each label: a baseline with no LLM in the step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ovmlv.errors import ConfigError
from ovmlv.files import text_digest
from ovmlv.models.llm.causal_llm import CausalLLM
from ovmlv.models.llm.kv_cache import KeyValues, LabelCache, constants, expand, move
from ovmlv.models.llm.state_store import StateStore
from ovmlv.models.utils.frozen import fingerprint
from ovmlv.models.utils.sharding import in_step
from ovmlv.registry import MODELS

from .base_readout import BaseReadout, pad_tokens

_CHUNK = 64  # labels in a pass
_KEPT = 1024  # labels computed between two times that they are kept on disk


@MODELS.register_module()
class StaticReadout(BaseReadout):
    """States of a fixed sentence around the label. Nothing here is trained, only what reads them.

    Args:
        llm: The language model.
        context: The sentence. States of the tokens before the label are left out: the decoder is
            causal, so they are the same for all labels.
        cache_megabytes: Budget of the cache in memory (SmolLM2: 2.3 kB for each token).
        cache_dir: Folder that keeps the states between runs and, during a run, states for which the
            budget has no room; by default, they are not kept.
        **kwargs: See :class:`BaseReadout`; ``grad_checkpointing`` has no effect here.

    Examples:
        >>> from ovmlv.models.llm import CausalLLM, StaticReadout
        >>> llm = CausalLLM(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))
        >>> states, mask = StaticReadout(llm, context='a {} here')(llm, ['dog', 'red cat'])
        >>> mask.sum(1)  # this LLM reads bytes, here of " dog here" and " red cat here"
        tensor([ 9, 13])
    """

    needs_embeds = False

    def __init__(
        self,
        llm: CausalLLM,
        context: str = 'A video of a {}. In other words, it shows',
        cache_megabytes: float = 512.0,
        cache_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.get('grad_checkpointing'):
            raise ConfigError(
                'StaticReadout has no gradients to checkpoint; leave grad_checkpointing out'
            )
        super().__init__(llm, context=context, **kwargs)
        self.cache = LabelCache(cache_megabytes)
        self.cache_dir = Path(cache_dir) if cache_dir else None
        self._store: StateStore | None = None

    def read(self, llm: CausalLLM, labels: Sequence[str], *shared: Tensor) -> tuple[Tensor, Tensor]:
        """Look the labels up, and compute the missing ones."""
        states = self.label_states(llm, labels)
        lengths = torch.tensor([len(s) for s in states], device=llm.device)
        padded = pad_sequence(states, batch_first=True)
        return padded, torch.arange(padded.shape[1], device=llm.device)[None] < lengths[:, None]

    def forget(self) -> None:
        """Forget the states; those of other weights are in another file."""
        self._store = None

    def label_states(self, llm: CausalLLM, labels: Sequence[str]) -> list[Tensor]:
        """Constant states ``(L_i, H)`` in float32 of every label."""
        if self.cache_dir is not None and self._store is None:
            self._store = StateStore(self.cache_dir, f'states-{self._key(llm)}')
        cache = self.cache
        assert cache is not None
        found: dict[str, Any] = {label: cache.get((label, llm.dtype)) for label in labels}
        if self._store is not None:
            found.update(self._store.get([label for label in found if found[label] is None]))
        missing = [label for label, entry in found.items() if entry is None]
        missing.sort(key=len)  # labels of like length share a pass
        before: KeyValues | None = None
        chunks = [missing[start : start + _CHUNK] for start in range(0, len(missing), _CHUNK)]
        new: dict[str, Tensor] = {}
        for chunk, wanted in in_step(llm, chunks, list(labels[:1])):
            # Inside the steps: every process that holds a share of the LLM has to take this one.
            before = self._before(llm) if before is None else before
            computed = self._compute(llm, chunk, before)
            new.update(computed if wanted else {})
            if len(new) >= _KEPT:
                self._keep(new, found)
        self._keep(new, found)
        for label, entry in found.items():
            if (label, llm.dtype) not in cache:
                cache.put((label, llm.dtype), move(entry, llm.device))
        return [move(found[label], llm.device) for label in labels]

    def _keep(self, new: dict[str, Tensor], found: dict[str, Any]) -> None:
        """Move new states to those that were found, and keep them on disk."""
        found.update(new)
        if self._store is not None:
            self._store.add(new)
        new.clear()

    def _before(self, llm: CausalLLM) -> KeyValues:
        """Keys and values of the sentence before the label, which all labels share."""
        ids = llm.tokenize([self.context.split('{}')[0].rstrip()], bos=True)
        if not ids[0] or not llm.abilities.takes_embeds:
            return []
        with constants(llm.device):
            return llm(llm.embed(torch.tensor(ids, device=llm.device))).key_values

    def _compute(
        self, llm: CausalLLM, labels: Sequence[str], before: KeyValues
    ) -> dict[str, Tensor]:
        """Compute the states of labels for the first time, in one pass."""
        with constants(llm.device):
            rows, starts = self.label_tokens(llm, labels, bos=True)
            # A tokenizer may merge across the border: what all rows share, and no more.
            skipped = min(starts) if before else 0
            ids, _ = pad_tokens([row[skipped:] for row in rows], llm.device)
            past = expand([(k[:, :, :skipped], v[:, :, :skipped]) for k, v in before], len(rows))
            inputs = llm.embed(ids) if llm.abilities.takes_embeds else ids
            states = llm(inputs, past if skipped else None).states.float()
        return {
            label: states[i, starts[i] - skipped : len(rows[i]) - skipped].clone()
            for i, label in enumerate(labels)
        }

    def _key(self, llm: CausalLLM) -> str:
        """Everything that the states depend on."""
        key = f'{fingerprint(llm)}|{llm.layer}|{llm.dtype}|{self.context}'
        return text_digest(key)[:16]

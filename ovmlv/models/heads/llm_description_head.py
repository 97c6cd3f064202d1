"""Sentences that a language model writes, encoded by CLIP: a control without gradients."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ovmlv.errors import ConfigError, DataError
from ovmlv.files import read_json, text_digest, write_json
from ovmlv.models.llm.causal_llm import CausalLLM
from ovmlv.models.llm.greedy import greedy_answers
from ovmlv.models.llm.llm_loading import cache_root
from ovmlv.registry import MODELS

from .base_prompt_head import BasePromptHead, check_template

PROMPTS = (
    'Describe in one short sentence what "{}" looks like in a video.',
    'Name another word for "{}" and say in one short sentence what it is.',
)


@MODELS.register_module()
class LLMDescriptionHead(BasePromptHead):
    """CLIP's ensemble over sentences that an LLM writes about each label (greedy, nothing trained).

    The sentences are kept in a JSON file, so the language model is loaded only for labels that are
    new. The templated label itself is one member of the ensemble. Sentences too long for CLIP are
    cut.

    Args:
        model_name: See :class:`BasePromptHead`.
        pretrained: See :class:`BasePromptHead`.
        llm: :class:`.CausalLLM` config.
        prompts: Questions with one ``{}``; each gives one sentence.
        max_new_tokens: Longest answer.
        cache_file: JSON file of the sentences; by default in the user's cache folder, named by
            ``llm``, ``prompts`` and ``max_new_tokens``.
        batch_size: Number of prompts in each pass of the LLM.
        **kwargs: See :class:`BasePromptHead`.

    Examples:
        >>> import tempfile
        >>> from ovmlv.models.heads import LLMDescriptionHead
        >>> llm = dict(config=dict(model_type='gpt2', n_embd=32, n_layer=2, n_head=4))  # random
        >>> with tempfile.TemporaryDirectory() as root:
        ...     kept = dict(max_new_tokens=4, cache_file=f'{root}/sentences.json')
        ...     head = LLMDescriptionHead('motionshapes', 'motionshapes', llm=llm, **kept)
        ...     head(['a circle', 'a square']).shape, list(head.descriptions(['a circle']))
        (torch.Size([2, 128]), ['a circle'])
    """

    def __init__(
        self,
        model_name: str | Mapping[str, Any],
        pretrained: str | None = None,
        llm: dict[str, Any] | None = None,
        prompts: Sequence[str] = PROMPTS,
        max_new_tokens: int = 32,
        cache_file: str | None = None,
        batch_size: int = 16,
        **kwargs: Any,
    ) -> None:
        super().__init__(model_name, pretrained, **kwargs)
        if llm is None:
            raise ConfigError("head.llm is missing; give e.g. llm=dict(name='smollm2')")
        if isinstance(prompts, str) or not prompts:
            raise ConfigError(f'head.prompts={prompts!r} must be a list of at least one text')
        self.prompts = [check_template(prompt) for prompt in prompts]
        self.llm_config = dict(llm)
        self.max_new_tokens = max_new_tokens
        self.batch_size = batch_size
        key = json.dumps([repr(sorted(llm.items())), self.prompts, max_new_tokens])
        name = f'descriptions-{text_digest(key)[:16]}.json'
        self.cache_file = Path(cache_file) if cache_file else cache_root() / name
        self._key = key

    def check_tokens(self, labels: list[str]) -> None:
        """Separate the tokens of labels from the template's; what is too long is cut."""
        self.text_tower.rows.split(self.template, labels)

    def encode(self, labels: list[str]) -> Tensor:
        """Unit vectors ``(C, E)``."""
        found = self.descriptions(labels)
        texts, counts = [], []
        for label in labels:
            members = [self.template.replace('{}', label), *found[label]]
            texts += members
            counts.append(len(members))
        embeddings = self.text_tower.encode_texts(texts, truncate=True)
        means = torch.stack([part.mean(0) for part in embeddings.split(counts)])
        return F.normalize(means, dim=-1)

    def descriptions(self, labels: Sequence[str]) -> dict[str, list[str]]:
        """Sentences of every label; missing ones are written now."""
        known = self._load()
        missing = [label for label in dict.fromkeys(labels) if label not in known]
        if missing:
            known.update(self._write(missing))
            stored = {'made_by': self._key, 'labels': known}
            write_json(self.cache_file, stored, indent=1, ensure_ascii=False)
        return {label: known[label] for label in labels}

    def _load(self) -> dict[str, list[str]]:
        if not self.cache_file.is_file():
            return {}
        try:
            stored = read_json(self.cache_file, 'file of descriptions')
            made_by, labels = stored['made_by'], stored['labels']
            texts = [text for sentences in labels.values() for text in sentences]
            if not all(isinstance(text, str) for text in texts):
                raise TypeError('descriptions are texts')
        except (DataError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f'{self.cache_file} is no file of descriptions; delete it or give another '
                'cache_file'
            ) from error
        if made_by != self._key:
            raise ConfigError(
                f'{self.cache_file} was written with another llm, prompts or max_new_tokens; '
                'delete it or give another cache_file'
            )
        return labels

    @torch.no_grad()
    def _write(self, labels: list[str]) -> dict[str, list[str]]:
        """Ask the language model; it is loaded for this call only."""
        llm: CausalLLM = MODELS.build(
            {'type': 'CausalLLM', '_scope_': 'ovmlv', **self.llm_config}
        ).to(self.text_tower.device)
        asks = [(label, prompt.replace('{}', label)) for label in labels for prompt in self.prompts]
        out: dict[str, list[str]] = {label: [] for label in labels}
        for start in range(0, len(asks), self.batch_size):
            chunk = asks[start : start + self.batch_size]
            answers = greedy_answers(llm, [question for _, question in chunk], self.max_new_tokens)
            for (label, _), answer in zip(chunk, answers, strict=True):
                if answer:
                    out[label].append(answer)
        return out

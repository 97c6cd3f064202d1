"""What all label encoders share: CLIP's frozen text tower and the reference embeddings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ovmlv.errors import ConfigError, VocabularyError
from ovmlv.labels import check_labels
from ovmlv.models.clip.token_rows import LabelTokens
from ovmlv.models.llm.kv_cache import LabelCache, constants, move
from ovmlv.models.utils.frozen import exclude_frozen_from_state_dict
from ovmlv.models.utils.sharding import in_step

from .base_label_encoder import BaseLabelEncoder
from .text_side import load_text_side

_NAMED = 10  # bad labels that a message names


class BasePromptHead(BaseLabelEncoder):
    """Encodes label strings by CLIP's frozen text tower, whose weights are in no checkpoint.

    A subclass implements :meth:`encode`, whose unit vectors have a gradient; ``reference(labels)``
    are those of the frozen CLIP for the templated labels, and ``check(labels)`` tells before any of
    it which labels cannot be encoded.

    Args:
        model_name: open_clip architecture or path of a JSON file of ours; or a dual encoder of
            transformers, see :func:`~ovmlv.models.dual_encoders.load_dual_encoder`.
        pretrained: open_clip tag, path of a weight file, or None for random weights; of a dual
            encoder the same as ``model_name``.
        template: Text with one ``{}`` where the label goes; the label may be followed by words.
        truncate: Cut a label that is too long for CLIP's context, with a warning, instead of
            refusing it.
        chunk_size: Texts a pass through the text tower; None is all at once.
        grad_checkpointing: Save the text tower's activations by computing them twice.
        init_cfg: See mmengine's ``BaseModule``.

    Examples:
        >>> import torch
        >>> from ovmlv.models.heads import BasePromptHead
        >>> class ZeroShot(BasePromptHead):
        ...     def encode(self, labels):
        ...         return self.encode_tokens(self.tokens(labels))
        >>> head = ZeroShot('motionshapes', 'motionshapes', template='a video of {}')
        >>> labels = ['a red circle', 'a blue square']
        >>> embeddings = head(labels)
        >>> embeddings.shape, torch.allclose(embeddings, head.reference(labels), atol=1e-5)
        (torch.Size([2, 128]), True)
    """

    template: str

    def __init__(
        self,
        model_name: str | Mapping[str, Any],
        pretrained: str | None = None,
        template: str = 'a video of {}',
        truncate: bool = False,
        chunk_size: int | None = None,
        grad_checkpointing: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.template = check_template(template)
        if chunk_size is not None and chunk_size < 1:
            raise ConfigError(
                f'head.chunk_size={chunk_size} must be at least 1, or None for all labels at once'
            )
        side = load_text_side(model_name, pretrained)
        self.text_tower = side.tower
        self.embed_dim: int = side.tower.embed_dim
        self.logit_scale: float = side.logit_scale
        self.logit_bias: float | None = side.logit_bias
        self.truncate = truncate
        self.chunk_size = chunk_size
        self.grad_checkpointing = grad_checkpointing
        self._references = LabelCache(64.0)
        self._checked: set[str] = set()
        exclude_frozen_from_state_dict(self)

    def forward(self, labels: Sequence[str]) -> Tensor:
        """Encode labels.

        Args:
            labels: C label strings.

        Returns:
            Unit vectors ``(C, E)``.
        """
        return self.encode(check_labels(labels))

    @abstractmethod
    def encode(self, labels: list[str]) -> Tensor:
        """Unit vectors ``(C, E)`` of labels that were checked."""

    def check(self, labels: Sequence[str]) -> None:
        """Find out whether all labels can be encoded, without encoding them.

        Raises:
            VocabularyError: Some cannot: why the first one, and which are the others.
        """
        labels = [label for label in check_labels(labels) if label not in self._checked]
        try:
            if labels:
                self.check_tokens(labels)
        except VocabularyError:
            bad = {label: str(error) for label in labels if (error := self._error_of(label))}
            if not bad:
                raise
            first, *others = bad
            reason = bad[first]
            if others:
                shown = ', '.join(repr(_shown(label)) for label in others[:_NAMED])
                more = f' and {len(others) - _NAMED} more' if len(others) > _NAMED else ''
                reason += f' (nor can these be used: {shown}{more})'
            raise VocabularyError(reason) from None
        self._checked.update(labels)

    def check_tokens(self, labels: list[str]) -> None:
        """Raise a :class:`VocabularyError` at the first label that cannot be encoded."""
        self.tokens(labels)

    def _error_of(self, label: str) -> VocabularyError | None:
        try:
            self.check_tokens([label])
        except VocabularyError as error:
            return error
        return None

    def reference(self, labels: Sequence[str]) -> Tensor:
        """Unit vectors ``(C, E)`` of the frozen CLIP for templated labels; cached, no gradient."""
        labels = check_labels(labels)
        self._references.follow(self.text_tower)
        found: dict[str, Any] = {label: self._references.get(label) for label in labels}
        missing = [label for label, entry in found.items() if entry is None]
        size = self.chunk_size or max(len(missing), 1)
        parts = [missing[i : i + size] for i in range(0, len(missing), size)]
        for part, wanted in in_step(self.text_tower, parts, list(labels[:1])):
            with constants(self.text_tower.device):
                computed = self.compute_reference(part)
            for label, entry in zip(part if wanted else (), computed, strict=wanted):
                found[label] = entry
                self._references.put(label, entry)
        return torch.stack([move(found[label], self.text_tower.device) for label in labels])

    def compute_reference(self, labels: list[str]) -> Tensor:
        """What :meth:`reference` caches; heads of several templates average them."""
        return self.encode_tokens(self.tokens(labels))

    def tokens(
        self, labels: Sequence[str], template: str | None = None, made_up: bool = False
    ) -> list[LabelTokens]:
        """Token runs of each label in the template, cut or refused where they do not fit.

        Args:
            labels: C label strings.
            template: In the place of the head's own.
            made_up: The labels are no user's: they are cut without a word.
        """
        rows, found = self.text_tower.rows, []
        for label, t in zip(labels, rows.split(template or self.template, labels), strict=True):
            others = len(t.before) + len(t.after)
            if made_up:
                own = t.label[: rows.max_content - others]
            else:
                own = rows.fit(t.label, label, self.truncate, others)
            found.append(LabelTokens(t.before, own, t.after))
        return found

    def encode_tokens(
        self,
        tokens: Sequence[LabelTokens],
        soft: Tensor | None = None,
        keep: Sequence[bool] | None = None,
    ) -> Tensor:
        """Encode token runs, the last words before the label replaced by soft tokens.

        Args:
            tokens: C labels.
            soft: ``(C, G, S, W)`` embeddings that replace the S tokens before the label, for each
                of G groups. The groups' unit vectors are averaged and normalised again.
            keep: For every label whether its own tokens stay; default all.

        Returns:
            Unit vectors ``(C, E)``.
        """
        keep = keep if keep is not None else [True] * len(tokens)
        contents = [
            [*t.before, *(t.label if kept else []), *t.after]
            for t, kept in zip(tokens, keep, strict=True)
        ]
        rows = self.text_tower.rows.build(contents).to(self.text_tower.device)
        at, groups = None, 1
        if soft is not None:
            groups, count = soft.shape[1:3]
            end = len(self.text_tower.rows.head) + len(tokens[0].before)
            at = torch.arange(end - count, end, device=rows.device).expand(len(rows) * groups, -1)
            soft = soft.flatten(0, 1)
            rows = rows.repeat_interleave(groups, 0)
        out = self.text_tower(rows, soft, at, self.chunk_size, self.grad_checkpointing)
        out = F.normalize(out.float(), dim=-1)
        if groups == 1:
            return out
        return F.normalize(out.unflatten(0, (-1, groups)).mean(1), dim=-1)


def _shown(label: str) -> str:
    return label if len(label) <= 40 else label[:37] + '...'


def check_template(template: str) -> str:
    """Return the template if it holds exactly one place for the label."""
    if not isinstance(template, str) or template.count('{}') != 1:
        raise ConfigError(
            f"head.template={template!r} must be a text with '{{}}' exactly once, where the label "
            'goes'
        )
    return template

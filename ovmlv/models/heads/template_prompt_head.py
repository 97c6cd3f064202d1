"""Zero-shot CLIP as a label encoder: an ensemble of templates, nothing trained."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.labels import check_labels
from ovmlv.models.llm.kv_cache import constants
from ovmlv.models.utils.weight_watch import WeightWatch, tensors_of
from ovmlv.registry import MODELS

from .background import EVERYDAY, background_bias
from .base_prompt_head import BasePromptHead, check_template


@MODELS.register_module()
class TemplatePromptHead(BasePromptHead):
    """Average of the unit vectors of several templates, normalised (open_clip's zero-shot
    classifier).

    CLIPs that were trained with a softmax have no zero: their cosines say which of several labels
    fits best, not whether one fits. With a ``background`` of other captions, a label is measured
    from the mean of these, ``f_t(l) - mean_k f_t(k)``, and ``logit_bias`` makes the probabilities
    about equal to those of a softmax over the label and the background; see
    :func:`background_bias`.

    Args:
        model_name: See :class:`BasePromptHead`.
        pretrained: See :class:`BasePromptHead`.
        templates: Texts with one ``{}`` each.
        background: Captions to measure labels from; ``everyday`` is a list of common things. It has
            no effect on weights with a bias of their own, such as SigLIP's.
        **kwargs: See :class:`BasePromptHead`.

    Examples:
        >>> from ovmlv.models.heads import TemplatePromptHead
        >>> templates = ['a video of {}', 'a picture of {}']
        >>> head = TemplatePromptHead('motionshapes', 'motionshapes', templates=templates)
        >>> head(['a red circle', 'a blue square']).norm(dim=-1)
        tensor([1.0000, 1.0000])
    """

    def __init__(
        self,
        model_name: str | Mapping[str, Any],
        pretrained: str | None = None,
        templates: Sequence[str] = ('a video of {}',),
        background: Sequence[str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(templates, str) or not templates:
            raise ConfigError(f'head.templates={templates!r} must be a list of at least one text')
        self_templates = [check_template(template) for template in templates]
        super().__init__(model_name, pretrained, template=self_templates[0], **kwargs)
        self.templates = self_templates
        self.background: tuple[str, ...] | None = None
        self._background_embeddings: Tensor | None = None
        self._watch = WeightWatch()
        if background is not None and self.logit_bias is None:
            self.background = _check_background(background)
            self.logit_bias = background_bias(self._background(), self.logit_scale)

    @property
    def unit_length(self) -> bool:  # type: ignore[override]
        """Whether embeddings are unit vectors."""
        return self.background is None

    def encode(self, labels: list[str]) -> Tensor:
        """Embeddings ``(C, E)``: the :meth:`reference`, from which the background is subtracted."""
        found = self.reference(labels)
        if self.background is None:
            return found
        return found - self._background().mean(0).to(found)

    def check_tokens(self, labels: list[str]) -> None:
        """Refuse labels that do not fit into every template."""
        rows = self.text_tower.rows
        for template in self.templates:
            texts = [template.replace('{}', label) for label in labels]
            for label, ids in zip(labels, rows.contents(texts), strict=True):
                rows.fit(ids, label, self.truncate)

    def compute_reference(self, labels: list[str]) -> Tensor:
        """Average over the templates."""
        return self._ensemble(labels, self.truncate)

    def _background(self) -> Tensor:
        """Unit vectors ``(K, E)``, kept while the tower stays; a small context cuts captions."""
        if self._watch.changed(tensors_of(self.text_tower)):
            with constants(self.text_tower.device), warnings.catch_warnings():
                warnings.simplefilter('ignore')
                self._background_embeddings = self._ensemble(self.background or (), True)
        assert self._background_embeddings is not None
        return self._background_embeddings

    def _ensemble(self, labels: Sequence[str], truncate: bool) -> Tensor:
        texts = [template.replace('{}', label) for label in labels for template in self.templates]
        embeddings = self.text_tower.encode_texts(texts, truncate)
        return F.normalize(embeddings.unflatten(0, (len(labels), -1)).mean(1), dim=-1)


def _check_background(background: Sequence[str] | str) -> tuple[str, ...]:
    found = EVERYDAY if background == 'everyday' else background
    if isinstance(found, str) or len(found) < 2:
        raise ConfigError(
            f"head.background={background!r} must be 'everyday', None or a list of at least two "
            'captions'
        )
    return tuple(check_labels(found))

"""Zero-shot CLIP as a label encoder: an ensemble of templates, nothing trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from ovmlv.errors import ConfigError
from ovmlv.models.heads.base_prompt_head import BasePromptHead, check_template
from ovmlv.registry import MODELS


@MODELS.register_module()
class TemplatePromptHead(BasePromptHead):
    """Average of the unit vectors of several templates, normalised (open_clip's zero-shot
    classifier).

    Args:
        model_name: See :class:`BasePromptHead`.
        templates: Texts with one ``{}`` each.
        **kwargs: See :class:`BasePromptHead`.
    """

    def __init__(
        self,
        model_name: str,
        pretrained: str | None = None,
        templates: Sequence[str] = ('a video of {}',),
        **kwargs: Any,
    ) -> None:
        if isinstance(templates, str) or not templates:
            raise ConfigError(f'head.templates={templates!r} must be a list of at least one text')
        self_templates = [check_template(template) for template in templates]
        super().__init__(model_name, pretrained, template=self_templates[0], **kwargs)
        self.templates = self_templates

    def encode(self, labels: list[str]) -> Tensor:
        """Unit vectors ``(C, E)``, the same as :meth:`reference`."""
        return self.reference(labels)

    def compute_reference(self, labels: list[str]) -> Tensor:
        """Average over the templates."""
        texts = [template.replace('{}', label) for label in labels for template in self.templates]
        embeddings = self.text_tower.encode_texts(texts, self.truncate)
        return F.normalize(embeddings.unflatten(0, (len(labels), -1)).mean(1), dim=-1)

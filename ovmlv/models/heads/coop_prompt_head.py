"""Learnable context words in front of the label, without a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.clip.base_text_tower import BaseTextTower
from ovmlv.registry import MODELS

from .base_prompt_head import BasePromptHead


@MODELS.register_module()
class CoOpPromptHead(BasePromptHead):
    """CoOp (Zhou et al., IJCV 2022): one learnable context for all labels.

    The context takes the place of the template's words and starts as their embeddings, so at
    initialisation the head is zero-shot CLIP. It is shared by all labels, since a context for each
    label (CoOp's "CSC") could not encode a label that training did not have.

    Args:
        model_name: See :class:`BasePromptHead`.
        pretrained: See :class:`BasePromptHead`.
        num_context: Number S of learnable tokens; by default as many as the template has before the
            label. With fewer, the first words of the template stay as they are.
        num_groups: Number of contexts whose embeddings are averaged; all but the first one start
            slightly away from the template.
        **kwargs: See :class:`BasePromptHead`.

    Examples:
        >>> import torch
        >>> from ovmlv.models.heads import CoOpPromptHead
        >>> head = CoOpPromptHead('motionshapes', 'motionshapes', template='a video of {}')
        >>> head.context.shape  # it starts as the words "a video of"
        torch.Size([1, 3, 128])
        >>> labels = ['a red circle', 'a blue square']
        >>> torch.allclose(head(labels), head.reference(labels), atol=1e-5)
        True
    """

    def __init__(
        self,
        model_name: str | Mapping[str, Any],
        pretrained: str | None = None,
        num_context: int | None = None,
        num_groups: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(model_name, pretrained, **kwargs)
        if num_groups < 1:
            raise ConfigError(f'head.num_groups={num_groups} must be at least 1')
        start = template_context(self.text_tower, self.template, num_context)
        context = start.expand(num_groups, -1, -1).clone()
        # Equal contexts would have equal gradients and stay equal.
        context[1:] += 0.01 * self.text_tower.token_std * torch.randn_like(context[1:])
        self.context = nn.Parameter(context)

    def encode(self, labels: list[str]) -> Tensor:
        """Unit vectors ``(C, E)``."""
        return self.encode_tokens(self.tokens(labels), self.context.expand(len(labels), -1, -1, -1))


def template_context(tower: BaseTextTower, template: str, count: int | None = None) -> Tensor:
    """Embeddings ``(S, W)`` of the last ``count`` tokens before the label (default: all)."""
    before = tower.rows.contents([template.split('{}')[0].rstrip()])[0]
    count = len(before) if count is None else count
    if not 1 <= count <= len(before):
        raise ConfigError(
            f'head.num_context={count} does not fit template={template!r}, which has '
            f"{len(before)} tokens before '{{}}'; use 1..{len(before)} or a template with "
            'more words'
        )
    return tower.embed(torch.tensor(before[len(before) - count :])).detach().float()

"""Learnable contexts for "is there" and "is not there"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ovmlv.registry import MODELS

from .base_prompt_head import BasePromptHead, check_template
from .coop_prompt_head import template_context


@MODELS.register_module()
class DualCoOpPromptHead(BasePromptHead):
    """DualCoOp (Sun et al., NeurIPS 2022): a positive and a negative learnable context.

    With ``t+`` and ``t-``, the unit vectors of a label in the two contexts, its probability is the
    two-way softmax of ``v.t+ / tau`` against ``v.t- / tau``, which is
    ``sigmoid(v.(t+ - t-) / tau)``. The label's embedding is therefore the difference ``t+ - t-``,
    which is not of unit length (`unit_length`), and :class:`SigmoidScorer` computes the
    probability. Contexts are shared by all labels, as in :class:`CoOpPromptHead`, and start as the
    words of two templates.

    Args:
        model_name: See :class:`BasePromptHead`.
        pretrained: See :class:`BasePromptHead`.
        negative_template: Template that the negative context starts from.
        num_context: Number S of learnable tokens of each context; by default all before the label.
        **kwargs: See :class:`BasePromptHead`. ``template`` is the positive template.

    Examples:
        >>> from ovmlv.models.heads import DualCoOpPromptHead
        >>> head = DualCoOpPromptHead('motionshapes', 'motionshapes', template='a video with {}')
        >>> difference = head(['a red circle'])
        >>> positive = head.reference(['a red circle'])  # the positive context starts so
        >>> round((positive - difference).norm().item(), 4)  # the unit vector of the negative one
        1.0
    """

    unit_length = False

    def __init__(
        self,
        model_name: str | Mapping[str, Any],
        pretrained: str | None = None,
        negative_template: str = 'a video without {}',
        num_context: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(model_name, pretrained, **kwargs)
        self.negative_template = check_template(negative_template)
        tower = self.text_tower
        self.positive = nn.Parameter(template_context(tower, self.template, num_context))
        self.negative = nn.Parameter(template_context(tower, self.negative_template, num_context))

    def check_tokens(self, labels: list[str]) -> None:
        """Refuse labels that do not fit into both templates."""
        super().check_tokens(labels)
        self.tokens(labels, self.negative_template)

    def encode(self, labels: list[str]) -> Tensor:
        """Differences ``(C, E)`` of the unit vectors of the two contexts."""
        shape = (len(labels), 1, -1, -1)
        return self.encode_tokens(
            self.tokens(labels), self.positive.expand(shape)
        ) - self.encode_tokens(
            self.tokens(labels, self.negative_template), self.negative.expand(shape)
        )

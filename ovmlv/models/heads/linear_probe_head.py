"""A linear classifier of frozen embeddings, whose weights are a linear map of CLIP's labels."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ovmlv.registry import MODELS

from .base_prompt_head import BasePromptHead


@MODELS.register_module()
class LinearProbeHead(BasePromptHead):
    """``f_t(l) = f_CLIP(l) + W f_CLIP(l)``: a linear probe on a frozen video encoder.

    With the scorer, the logit of a label is ``scale * f_v.f_t(l) + bias``, which is linear in
    ``f_v``. If there are no more labels than E, and their embeddings are linearly independent, some
    ``W`` gives each label any vector whatever, so this is the usual linear probe with a vector for
    each label. Unlike that one, it needs no list of labels, starts at zero-shot CLIP (``W`` is zero
    and weight decay pulls it there), and encodes labels that training has never seen.

    It is ours as a form of the linear probe.

    Args:
        model_name: See :class:`BasePromptHead`.
        pretrained: See :class:`BasePromptHead`.
        **kwargs: See :class:`BasePromptHead`.

    Examples:
        >>> import torch
        >>> from ovmlv.models.heads import LinearProbeHead
        >>> head = LinearProbeHead('motionshapes', 'motionshapes', template='a video of {}')
        >>> [(name, tuple(p.shape)) for name, p in head.named_parameters() if p.requires_grad]
        [('map.weight', (128, 128))]
        >>> labels = ['a star', 'a red square']
        >>> torch.allclose(head(labels), head.reference(labels), atol=1e-5)
        True
    """

    unit_length = False

    def __init__(self, model_name: str, pretrained: str | None = None, **kwargs: Any) -> None:
        super().__init__(model_name, pretrained, **kwargs)
        self.map = nn.Linear(self.embed_dim, self.embed_dim, bias=False)
        nn.init.zeros_(self.map.weight)

    def encode(self, labels: list[str]) -> Tensor:
        """Embeddings ``(C, E)``, of any length."""
        start = self.reference(labels)
        return start + self.map(start.to(self.map.weight.dtype)).to(start)

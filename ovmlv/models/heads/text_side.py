"""The text tower that a head is built on, of open_clip or of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ovmlv.models.clip.base_text_tower import BaseTextTower
from ovmlv.models.clip.loading import load_clip
from ovmlv.models.clip.text_tower import FrozenTextTower
from ovmlv.models.dual_encoders import is_dual_encoder, load_dual_encoder


@dataclass(frozen=True)
class TextSide:
    """A frozen text tower and what its weights say of logits.

    Attributes:
        tower: The text tower.
        logit_scale: Factor of the cosine.
        logit_bias: Bias of the logit; None where there is none.
    """

    tower: BaseTextTower
    logit_scale: float
    logit_bias: float | None


def load_text_side(model_name: str | Mapping[str, Any], pretrained: str | None) -> TextSide:
    """The side of texts of a CLIP of open_clip, or of a dual encoder of transformers.

    Args:
        model_name: See :func:`~ovmlv.models.clip.load_clip` and
            :func:`~ovmlv.models.dual_encoders.load_dual_encoder`.
        pretrained: See the same functions.
    """
    if is_dual_encoder(model_name):
        found = load_dual_encoder(model_name, pretrained, part='text')
        assert found.text is not None  # it was asked for
        return TextSide(found.text, found.logit_scale, found.logit_bias)
    clip = load_clip(str(model_name), pretrained, part='text')
    return TextSide(FrozenTextTower(clip), clip.logit_scale, clip.logit_bias)

"""The one way to get a CLIP: architecture, weights, tokenizer and what belongs to the weights."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import nn

from ovmlv.errors import ConfigError
from ovmlv.models.utils.frozen import fingerprint

from .architecture import (
    Architecture,
    build_model,
    build_tokenizer,
    find_architecture,
)
from .weights import Weights, find_weights, load_weights

# Their shape follows the image size, which is no matter of which CLIP it is.
_IMAGE_POSITIONS = {
    'visual.positional_embedding',
    'visual.attnpool.positional_embedding',
    'visual.trunk.pos_embed',
}
# Stands for a text tower that is not wanted.
_NO_TEXT = {'context_length': 4, 'vocab_size': 8, 'width': 64, 'heads': 1, 'layers': 1}


@dataclass
class LoadedCLIP:
    """A CLIP of open_clip, taken apart.

    Attributes:
        visual: Image tower ``(B, 3, H, W) -> (B, E)``, None if it was not asked for.
        text: open_clip's model without its ``visual``, None if it was not asked for; its text tower
            is ``text.text`` in open_clip's ``CustomTextCLIP`` and ``text`` itself otherwise.
        logit_scale: Factor of the cosine (not its logarithm).
        logit_bias: Bias of the logit, for sigmoid-trained CLIPs.
        mean: Mean of the pixels in 0..1.
        std: Deviation of the pixels in 0..1.
        embed_dim: E.
        image_size: Height and width that the image tower takes.
        fingerprint: Hash of the weights of both towers; it does not depend on ``image_size``. An
            image tower beside a text tower of transformers has a hash of its own weights.
        architecture: What the model was built from.
    """

    visual: nn.Module | None
    text: nn.Module | None
    logit_scale: float
    logit_bias: float | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    embed_dim: int
    image_size: tuple[int, int]
    fingerprint: str
    architecture: Architecture

    @functools.cached_property
    def tokenizer(self) -> Any:
        """Callable ``(texts, context_length) -> (N, context_length)``; some are downloaded."""
        return build_tokenizer(self.architecture)


def load_clip(
    model: str,
    pretrained: str | None = None,
    image_size: int | tuple[int, int] | None = None,
    part: Literal['vision', 'text', 'both'] = 'both',
) -> LoadedCLIP:
    """Build a CLIP and load its weights.

    If the weights say which activation they were trained with, it is used (OpenAI's were trained
    with QuickGELU), so that ``ViT-B-16`` with ``openai`` is right.

    Args:
        model: open_clip architecture, or path of a JSON file of open_clip's schema.
        pretrained: open_clip tag, or local file or folder in the naming of open_clip, OpenAI
            (TorchScript archives too) or transformers' CLIPModel; None draws random weights.
        image_size: Image size, if it shall differ from the architecture's; positions are
            interpolated.
        part: Towers to keep.
    """
    if part not in ('vision', 'text', 'both'):
        raise ConfigError(f"part={part!r} is unknown; use 'vision', 'text' or 'both'")
    architecture = find_architecture(model)
    weights = find_weights(architecture, pretrained) if pretrained else None
    is_timm = 'timm_model_name' in architecture.config['vision_cfg']
    if image_size is not None and not is_timm:
        architecture.config['vision_cfg']['image_size'] = image_size
    clip: Any = _build(architecture, weights, part)
    missing = load_weights(clip, weights, architecture.name, part) if weights else set()
    identity = fingerprint(clip, skip=missing | _IMAGE_POSITIONS)
    if image_size is not None and is_timm:
        clip.visual.set_input_size(image_size)
    size = clip.visual.image_size
    visual = clip.visual if part != 'text' else None
    del clip.visual
    tag = pretrained if pretrained in architecture.tags else None
    mean, std = architecture.normalization(tag)
    bias = getattr(clip, 'logit_bias', None)
    return LoadedCLIP(
        visual=visual,
        text=clip if part != 'vision' else None,
        logit_scale=float(clip.logit_scale.detach().exp()),
        logit_bias=None if bias is None else float(bias.detach()),
        mean=mean,
        std=std,
        embed_dim=architecture.config['embed_dim'],
        image_size=size if isinstance(size, tuple) else (size, size),
        fingerprint=identity,
        architecture=architecture,
    )


def _build(architecture: Architecture, weights: Weights | None, part: str) -> nn.Module:
    """Build the model, and a text tower of transformers only if it is wanted.

    open_clip reads the configuration of such a tower from Hugging Face's hub, which an image tower
    alone does not need.
    """
    text = architecture.config['text_cfg']
    hub = text.get('hf_model_name')
    if hub is not None and part == 'vision':
        config = dict(architecture.config, text_cfg=_NO_TEXT, custom_text=True)
        architecture = replace(architecture, config=config)
        if weights is not None:
            weights.state = {
                name: value
                for name, value in weights.state.items()
                if name.startswith(('visual.', 'module.visual.')) or 'logit_' in name
            }
    elif hub is not None:
        # Its weights come from the CLIP file alone.
        config = dict(architecture.config, text_cfg={**text, 'hf_model_pretrained': False})
        architecture = replace(architecture, config=config)
    try:
        return build_model(architecture, weights.quick_gelu if weights else None)
    except OSError as error:
        raise ConfigError(
            f'{architecture.name}: its text tower {hub} of transformers is not on this machine and '
            f'cannot be fetched ({type(error).__name__}); fetch it with a connection, or put '
            'its local folder beside the file and name that in text_cfg.hf_model_name'
        ) from error

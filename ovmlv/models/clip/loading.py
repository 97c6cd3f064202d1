"""The one way to get a CLIP: architecture, weights, tokenizer and what belongs to the weights."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from ovmlv.errors import ConfigError
from ovmlv.models.utils.frozen import fingerprint_of

from .architecture import (
    Architecture,
    Part,
    build_model,
    build_tokenizer,
    find_architecture,
)
from .weights import Weights, find_weights, is_of, load_weights, needs_both_towers

# Their shape follows the image size, which is no matter of which CLIP it is.
_IMAGE_POSITIONS = {
    'visual.positional_embedding',
    'visual.attnpool.positional_embedding',
    'visual.trunk.pos_embed',
}


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
        fingerprint: Hash of the weights of both towers as their file has them, whichever was built;
            it does not depend on ``image_size``. Random weights have a hash of what was built.
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
    part: Part = 'both',
) -> LoadedCLIP:
    """Build a CLIP, or one of its towers, and load its weights.

    If the weights say which activation they were trained with, it is used (OpenAI's were trained
    with QuickGELU), so that ``ViT-B-16`` with ``openai`` is right.

    Args:
        model: open_clip architecture, or path of a JSON file of open_clip's schema.
        pretrained: open_clip tag, or local file or folder in the naming of open_clip, OpenAI
            (TorchScript archives too) or transformers' CLIPModel; None draws random weights.
        image_size: Image size, if it shall differ from the architecture's; positions are
            interpolated.
        part: Towers to build. The other one takes neither memory nor time, and its weights are not
            checked.
    """
    if part not in ('vision', 'text', 'both'):
        raise ConfigError(f"part={part!r} is unknown; use 'vision', 'text' or 'both'")
    architecture = find_architecture(model)
    weights = find_weights(architecture, pretrained) if pretrained else None
    vision = architecture.config['vision_cfg']
    is_timm = 'timm_model_name' in vision
    if image_size is not None and not is_timm:
        vision['image_size'] = image_size
    built: Part = 'both' if weights and needs_both_towers(weights) else part
    clip: Any = _build(architecture, weights, built)
    if weights:
        state: dict[str, Tensor] = load_weights(clip, weights, architecture.name, built)
    else:
        state = {name: value for name, value in clip.state_dict().items() if is_of(name, built)}
    identity = fingerprint_of(
        {name: value for name, value in state.items() if name not in _IMAGE_POSITIONS}
    )
    if image_size is not None and is_timm and part != 'text':
        clip.visual.set_input_size(image_size)
    size = clip.visual.image_size
    if built == 'text':
        size = image_size or vision.get('image_size', 224)
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
        image_size=(size, size) if isinstance(size, int) else (size[0], size[1]),
        fingerprint=identity,
        architecture=architecture,
    )


def _build(architecture: Architecture, weights: Weights | None, part: Part) -> nn.Module:
    """Build the model, or a part of it.

    open_clip reads the configuration of a text tower of transformers from Hugging Face's hub, which
    an image tower alone does not need.
    """
    text = architecture.config['text_cfg']
    hub = text.get('hf_model_name')
    if hub is not None:
        # Its weights come from the CLIP file alone.
        config = dict(architecture.config, text_cfg={**text, 'hf_model_pretrained': False})
        architecture = replace(architecture, config=config)
    try:
        return build_model(architecture, weights.quick_gelu if weights else None, part)
    except OSError as error:
        raise ConfigError(
            f'{architecture.name}: its text tower {hub} of transformers is not on this machine and '
            f'cannot be fetched ({type(error).__name__}); fetch it with a connection, or put '
            'its local folder beside the file and name that in text_cfg.hf_model_name'
        ) from error

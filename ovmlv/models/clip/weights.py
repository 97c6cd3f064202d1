"""Weight files of CLIPs in the naming of open_clip, OpenAI, transformers and video CLIPs."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from open_clip.convert import convert_state_dict
from open_clip.factory import resize_pos_embed
from open_clip.model import convert_to_custom_text_state_dict
from torch import Tensor, nn

from ovmlv.errors import CheckpointError, ConfigError
from ovmlv.files import read_json
from ovmlv.hub_files import Repository, fetch_file
from ovmlv.weight_files import read_weight_file, read_weight_folder, state_dict_of

from .architecture import HUB, SHIPPED, Architecture, Part
from .hf_format import from_transformers, is_transformers_clip
from .video_formats import from_video_clip, is_video_clip

OPENAI_EXTRAS = ('input_resolution', 'context_length', 'vocab_size')
#: A repository's file of weights, the safer first; what is in a pickle but tensors is refused.
_HUB_FILES = ('open_clip_model.safetensors', 'open_clip_pytorch_model.bin')
_SCALES = ('logit_scale', 'logit_bias')
_PATH_LIKE = re.compile(r'[/\\]|\.(pt|pth|bin|ckpt|safetensors|npz)$')


@dataclass
class Weights:
    """A state dict in open_clip's naming.

    Attributes:
        source: Where it came from, for messages.
        state: Names to tensors.
        quick_gelu: Whether it was trained with QuickGELU; None if the file does not say.
    """

    source: str
    state: dict[str, Tensor]
    quick_gelu: bool | None = None


def find_weights(architecture: Architecture, pretrained: str) -> Weights:
    """Read weights from a local file or folder, or by a tag of open_clip or ``hf-hub:owner/name``
    (downloaded once).
    """
    name = architecture.name
    path = Path(pretrained).expanduser()
    shipped = SHIPPED / f'{pretrained}.safetensors'
    if architecture.folder == SHIPPED and shipped.is_file():
        path = shipped
    if pretrained not in architecture.tags and path.exists():
        return read_weights(path)
    if pretrained.startswith(HUB):
        return _of_hub(pretrained, architecture)
    config = {} if architecture.folder else open_clip.get_pretrained_cfg(name, pretrained)
    if not config:
        if _PATH_LIKE.search(pretrained) or not architecture.tags:
            raise FileNotFoundError(
                f'pretrained: no weight file {pretrained}; give an existing file or folder'
            )
        near = difflib.get_close_matches(pretrained, architecture.tags, n=3, cutoff=0.5)
        shown = near or architecture.tags[:5]
        raise ConfigError(
            f'pretrained={pretrained!r} is neither a file nor one of the '
            f'{len(architecture.tags)} tags of {name} ({"nearest" if near else "first"}: '
            f'{", ".join(shown)}); open_clip.list_pretrained() has them all'
        )
    try:
        weights = read_weights(Path(open_clip.download_pretrained(config)))
    except CheckpointError:
        raise
    except Exception as error:  # any of several HTTP libraries' errors
        where = config.get('hf_hub') or config.get('url')
        raise CheckpointError(
            f'weights {pretrained!r} of {name} cannot be downloaded ({type(error).__name__}); '
            f"fetch them from {where} on another machine and set pretrained='/path/to/the/file'"
        ) from error
    weights.quick_gelu = bool(config.get('quick_gelu', False))
    return weights


def _of_hub(name: str, architecture: Architecture) -> Weights:
    same = name == architecture.name and architecture.repository is not None
    try:
        where = architecture.repository if same else Repository.parse(name.removeprefix(HUB))
        assert where is not None
        path, _ = fetch_file(where, _HUB_FILES)
    except ConfigError as error:
        raise CheckpointError(
            f"the weights of {name} cannot be fetched: {error}, or set pretrained='/path/to/a/file'"
        ) from None
    return read_weights(path)


def read_weights(path: Path) -> Weights:
    """Read a file (or the weight file in a folder) and bring its names into open_clip's form."""
    hf_config: dict[str, Any] = {}
    if path.is_dir():
        if (path / 'config.json').is_file():
            found = read_json(path / 'config.json', 'configuration of weights')
            hf_config = found if isinstance(found, dict) else {}
        path, content = read_weight_folder(path)
    else:
        content = read_weight_file(path)
    state = _tensors(state_dict_of(content, path))
    quick_gelu = None
    if is_transformers_clip(state):
        state = from_transformers(state)
        if hf_config:
            vision = hf_config.get('vision_config')
            act = vision.get('hidden_act') if isinstance(vision, dict) else None
            quick_gelu = act in (None, 'quick_gelu')
    elif all(key in state for key in OPENAI_EXTRAS):
        quick_gelu = True  # true of every model that OpenAI released
        state = {k: v for k, v in state.items() if k not in OPENAI_EXTRAS}
    elif is_video_clip(state):
        quick_gelu = True  # they were made from OpenAI's
        state = from_video_clip(state, str(path))
    elif any(key.startswith('vision_model.') for key in state):
        raise CheckpointError(f'{path} is no CLIPModel of transformers; give its open_clip version')
    return Weights(str(path), state, quick_gelu)


def load_weights(
    model: nn.Module, weights: Weights, architecture: str, part: Part = 'both'
) -> dict[str, Tensor]:
    """Load weights strictly into the towers that are wanted, whatever there is of the other.

    Position embeddings are interpolated when the image size differs.

    Returns:
        All weights under the model's names, those of the other tower too.

    Raises:
        CheckpointError: The weights are of another architecture.
    """
    current = {name: value for name, value in model.state_dict().items() if is_of(name, part)}
    state = _fit_layout(weights.state, model, current, part)
    # An image tower alone may come without the scale of the cosines.
    missing = [n for n in current if n not in state and (part != 'vision' or n not in _SCALES)]
    unexpected = [name for name in state if name not in current and is_of(name, part)]
    shapes = [k for k in state if k in current and state[k].shape != current[k].shape]
    if missing or unexpected or shapes:
        if shapes:
            there, here = state[shapes[0]].shape, current[shapes[0]].shape
            what = f'{shapes[0]} is {tuple(there)} there and {tuple(here)} here'
        elif missing:
            what = f'{missing[0]} is missing there'
        else:
            what = f'{unexpected[0]} is unknown here'
        raise CheckpointError(
            f'weights {weights.source} do not fit the architecture {architecture}: {what} '
            f'({len(missing)} missing, {len(unexpected)} unexpected, {len(shapes)} of another '
            'shape); set the model_name they belong to'
        )
    model.load_state_dict({k: v for k, v in state.items() if k in current}, strict=False)
    return state


def is_of(name: str, part: Part) -> bool:
    """Whether a parameter of open_clip's name belongs to a part; the scale belongs to all."""
    if part == 'both' or name in _SCALES:
        return True
    if name.startswith('visual.'):
        return part == 'vision'
    return part == 'text' and not name.startswith('text_decoder.')


def needs_both_towers(weights: Weights) -> bool:
    """Whether open_clip renames the weights by a model with both towers (Apple's own files)."""
    return any(name.startswith('image_encoder.model.') for name in weights.state)


def _fit_layout(
    state: dict[str, Tensor], model: nn.Module, current: dict[str, Tensor], part: Part
) -> dict[str, Tensor]:
    """Bring names to the model's text layout and positions to its image size, as open_clip does."""
    state = convert_state_dict(model, dict(state))
    if hasattr(model, 'text'):
        state = convert_to_custom_text_state_dict(state)
    else:
        state = {k.removeprefix('text.'): v for k, v in state.items()}
    state = {k: v for k, v in state.items() if k in current or not k.endswith('position_ids')}
    for name in _SCALES:
        if name in state and name in current:
            state[name] = state[name].reshape(current[name].shape)
    if 'logit_bias' in current and 'logit_bias' not in state and 'logit_scale' in state:
        # CLIP's weights in a SigLIP.
        state['logit_bias'] = torch.zeros_like(state['logit_scale'])
    if part == 'text':
        return state
    try:
        resize_pos_embed(state, model)
        _resize_attention_pool(state, current)
    except RuntimeError:  # no square grid, so not of this architecture: the caller compares shapes
        pass
    return state


def _tensors(state: dict[str, Any]) -> dict[str, Tensor]:
    """The weights alone, without the prefix of data-parallel training."""
    # OpenAI's files carry three plain numbers.
    found = {
        name: torch.as_tensor(value) if isinstance(value, (int, float)) else value
        for name, value in state.items()
        if isinstance(value, (Tensor, int, float))
    }
    if all(name.startswith('module.') for name in found):
        found = {name.removeprefix('module.'): value for name, value in found.items()}
    return found


def _resize_attention_pool(state: dict[str, Tensor], current: dict[str, Tensor]) -> None:
    """Interpolate the positions of a ModifiedResNet's attention pooling, ``(1 + grid^2, D)``."""
    key = 'visual.attnpool.positional_embedding'
    if key not in state or key not in current or state[key].shape == current[key].shape:
        return
    old, new = math.isqrt(len(state[key]) - 1), math.isqrt(len(current[key]) - 1)
    grid = state[key][1:].reshape(1, old, old, -1).permute(0, 3, 1, 2).float()
    grid = F.interpolate(grid, size=(new, new), mode='bicubic', antialias=True)
    grid = grid.permute(0, 2, 3, 1).reshape(new * new, -1).to(state[key].dtype)
    state[key] = torch.cat([state[key][:1], grid])

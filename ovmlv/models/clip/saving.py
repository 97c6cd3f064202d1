"""A CLIP in a folder of its own, for places without the weights or without a network."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from ovmlv.errors import ConfigError
from ovmlv.files import whole_file, write_json

from .architecture import (
    HUB,
    SHIPPED,
    Architecture,
    build_model,
    build_tokenizer,
    find_architecture,
    own_file,
)
from .weights import OPENAI_EXTRAS, find_weights, load_weights


def save_clip(model_name: str, pretrained: str, folder: Path) -> dict[str, Path]:
    """Write weights, and what the architecture needs beside open_clip itself.

    Args:
        model_name: See :func:`load_clip`.
        pretrained: See :func:`load_clip`.
        folder: Folder to write; it is made if missing.

    Returns:
        Files to give to :func:`load_clip` as ``pretrained`` and, where it changes, ``model``
        (under the name ``model_name``).
    """
    architecture = find_architecture(model_name)
    weights = find_weights(architecture, pretrained)
    clip = build_model(architecture, weights.quick_gelu)
    load_weights(clip, weights, architecture.name)
    state = {name: tensor.clone().contiguous() for name, tensor in clip.state_dict().items()}
    if weights.quick_gelu:
        # How a file tells its activation, see read_weights; the values themselves are not read.
        state.update({name: torch.zeros(()) for name in OPENAI_EXTRAS})
    with whole_file(folder / 'weights.safetensors') as scratch:
        save_file(state, scratch)
    found = dict(pretrained=folder / 'weights.safetensors')
    text = architecture.config['text_cfg']
    if text.get('hf_model_name'):
        raise ConfigError(
            f'{architecture.name} has a text tower of transformers, whose configuration is on a '
            'hub; publish it without the pretrained weights'
        )
    is_own_file = architecture.folder is not None and architecture.folder != SHIPPED
    if is_own_file or architecture.name.startswith(HUB) or text.get('hf_tokenizer_name'):
        found['model_name'] = _save_architecture(architecture, folder)
    return found


def _save_architecture(architecture: Architecture, folder: Path) -> Path:
    config = copy.deepcopy(architecture.config)
    text = config['text_cfg']
    if text.get('hf_tokenizer_name'):
        build_tokenizer(architecture).tokenizer.save_pretrained(folder / 'tokenizer')
        text['hf_tokenizer_name'] = 'tokenizer'
    vocabulary = (text.get('tokenizer_kwargs') or {}).get('bpe_path')
    if vocabulary is not None:
        source = own_file(architecture, vocabulary)
        shutil.copyfile(source, folder / source.name)
        text['tokenizer_kwargs']['bpe_path'] = source.name
    if architecture.preprocess:
        config['preprocess_cfg'] = architecture.preprocess
    return write_json(folder / 'architecture.json', config, indent=1)

"""A model from a config, ready to score videos."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from ovmlv.errors import CheckpointError, ConfigError, OvmlvError
from ovmlv.models.contracts import Recognizer, lacking
from ovmlv.registry import MODELS, registered_only
from ovmlv.utils.checkpoints import describe_mismatch, read_state, require_checkpoint
from ovmlv.utils.config_check import check_config
from ovmlv.utils.config_options import merge_options
from ovmlv.utils.configs import load_config
from ovmlv.utils.data_config import SUFFIXES
from ovmlv.utils.error_door import one_line


def init_recognizer(
    config: str | Path | Config,
    checkpoint: str | Path | None = None,
    device: str | torch.device | None = None,
    cfg_options: Mapping[str, Any] | None = None,
) -> Recognizer:
    """Build the model of a config and load its weights.

    Without a checkpoint the model is what the config initialises: with pretrained parts that is
    zero-shot tagging. The scope of the calling program stays as it is.

    Args:
        config: Config file, or a config.
        checkpoint: Checkpoint of a training with this config, or a state dict as .safetensors. One
            of another model is refused.
        device: Such as ``cuda:0``; None takes a GPU where there is one.
        cfg_options: Changes of the config, ``{'model.scorer.init_bias': -4.0}``.

    Returns:
        The model in evaluation mode, with the config as ``model.cfg``.

    Examples:
        >>> from mmengine.config import Config
        >>> clip = dict(model_name='motionshapes', pretrained='motionshapes')
        >>> backbone = dict(type='TemporalCLIPBackbone', **clip)
        >>> parts = dict(backbone=backbone, head=dict(type='TemplatePromptHead', **clip))
        >>> config = Config(dict(model=dict(type='OpenVocabRecognizer', **parts)))
        >>> model = init_recognizer(config, device='cpu')
        >>> type(model).__name__, model.training
        ('OpenVocabRecognizer', False)
    """
    cfg = _read(config, cfg_options)
    if cfg.get('model') is None:
        raise ConfigError(f'{_name(config)} has no model; give a config of a recognizer')
    if checkpoint is not None:
        require_checkpoint(str(checkpoint))
    device = check_device(device)
    is_data = str(getattr(cfg, 'filename', '')).endswith(SUFFIXES)
    with (
        DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'ovmlv'),
        registered_only() if is_data else nullcontext(),
    ):
        model = _build(cfg, _name(config))
    if lacking(model, Recognizer):
        raise ConfigError(
            f'{_name(config)}: model.type is {type(model).__name__}, which has no embeddings '
            'of labels; use an OpenVocabRecognizer, or "ovmlv test"'
        )
    if checkpoint is not None:
        _load(model, str(checkpoint))
    model.cfg = cfg
    return model.to(device).eval()


def _build(cfg: Config, name: str) -> Any:
    try:
        return MODELS.build(cfg.model)
    except OvmlvError:
        raise
    except Exception as error:
        # What a class does not take is told by Python in words of its own; ours name the key.
        mistakes = check_config(dict(default_scope=cfg.get('default_scope'), model=cfg.model))
        if not mistakes:
            raise
        raise ConfigError(f'{name}: {mistakes[0]}') from error


def _read(config: str | Path | Config, options: Mapping[str, Any] | None) -> Config:
    if isinstance(config, (str, Path)):
        return load_config(str(config), options)
    if not isinstance(config, Config):
        raise TypeError(f'config is {type(config).__name__}; give a path or an mmengine Config')
    cfg = config.copy()
    if options:
        merge_options(cfg, options, _name(config))
    return cfg


def _name(config: str | Path | Config) -> str:
    return (
        str(getattr(config, 'filename', None) or 'the config')
        if isinstance(config, Config)
        else str(config)
    )


def check_device(device: str | torch.device | None) -> torch.device:
    """The device, or the best of this machine; ConfigError if it cannot be used."""
    try:
        device = torch.device(get_device() if device is None else device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f'device={str(device)!r} cannot be used ({one_line(error).split(". ")[0]}); use '
            f'{get_device()!r}'
        ) from error
    return device


def _load(model: nn.Module, checkpoint: str) -> None:
    """Load strictly; what is frozen and pretrained is in no checkpoint and not missed."""
    state = read_state(checkpoint)[1]
    if all(name.startswith('module.') for name in state):
        state = {name.removeprefix('module.'): value for name, value in state.items()}
    try:
        load_state_dict(model, state, strict=True, logger='silent')
    except OvmlvError:
        raise
    except RuntimeError as error:
        raise CheckpointError(
            f'{checkpoint} does not fit the model of the config: {describe_mismatch(str(error))}'
        ) from error

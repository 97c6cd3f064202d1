"""One argument for every kind of model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from mmengine.config import Config
from torch import nn

from ovmlv.errors import CheckpointError, ConfigError, DataError
from ovmlv.files import read_json
from ovmlv.hub_files import is_repository
from ovmlv.models.clip.architecture import is_architecture
from ovmlv.models.contracts import Recognizer, lacking
from ovmlv.models.dual_encoders import is_dual_encoder

from .hub_models import fetch_model
from .init_recognizer import check_device, init_recognizer
from .loaded_model import LoadedModel
from .model_folder import INDEX, ModelFolder
from .zero_shot import default_pipeline, zero_shot_config

_CONFIGS = ('.py', '.yml', '.yaml')
_WEIGHTS = ('.pth', '.pt', '.safetensors', '.bin', '.ckpt')


def open_model(
    model: str | Path | Config | Recognizer | LoadedModel,
    weights: str | Path | None = None,
    device: str | torch.device | None = None,
    cfg_options: Mapping[str, Any] | None = None,
) -> Recognizer:
    """A model that is ready to tag videos.

    Args:
        model: One of

            - a config file or an mmengine ``Config``; ``weights`` is a checkpoint, or None for what
              the config starts from;
            - a folder that ``ovmlv publish`` wrote, or ``owner/name`` of one that it pushed to
              Hugging Face's hub (``owner/name@revision`` for a branch, tag or commit);
            - an architecture of open_clip (``ViT-B-16``), ``motionshapes`` (the tiny CLIP of this
              package) or a JSON file of open_clip's schema: CLIP as it is, zero-shot.
              ``weights`` is one of open_clip's tags or a local file; ``ViT-B-16/openai`` names
              both;
            - a dual encoder of transformers (VideoPrism, PE-AV, X-CLIP, SigLIP, CLIP) as it is:
              ``transformers:owner/name`` of the hub, or the folder that ``save_pretrained`` wrote;
            - a recognizer that was built before, or what :func:`load_model` gave.
        weights: See above.
        device: Such as ``cuda:0``; None takes a GPU where there is one, and leaves a model that was
            built before where it is.
        cfg_options: Changes of the config, ``{'model.scorer.init_bias': -4.0}``.

    Returns:
        The model in evaluation mode, with its config as ``model.cfg``.

    Raises:
        ConfigError: There is no such model, or weights must be named.
        CheckpointError: Weights cannot be downloaded, do not fit or were altered.

    Examples:
        >>> model = open_model('motionshapes', device='cpu')
        >>> model.encode_labels(['red circle', 'blue square']).shape
        torch.Size([2, 128])
    """
    return load_model(model, weights, device, cfg_options).recognizer


def load_model(
    model: str | Path | Config | Recognizer | LoadedModel,
    weights: str | Path | None = None,
    device: str | torch.device | None = None,
    cfg_options: Mapping[str, Any] | None = None,
) -> LoadedModel:
    """The same as :func:`open_model`, with what was published beside the model.

    Examples:
        >>> import tempfile
        >>> from ovmlv.apis import publish_model
        >>> model = open_model('motionshapes', device='cpu')
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = publish_model(model, f'{folder}/shapes', ['red circle'], check=False)
        ...     print(load_model(path, device='cpu').published.bank().labels)
        ('red circle',)
    """
    if isinstance(model, LoadedModel):
        return replace(model, recognizer=_built(model.recognizer, weights, device, cfg_options))
    path = Path(model).expanduser() if isinstance(model, (str, Path)) else None
    if path is not None and is_of_hub(str(model)):
        _refuse_weights(model, weights)
        folder = fetch_model(str(model))
        return LoadedModel(folder.model(device, cfg_options), folder)
    if path is None or not path.is_dir() or _is_of_transformers(path):
        return LoadedModel(_open(model, weights, device, cfg_options))
    _refuse_weights(model, weights)
    if not (path / INDEX).is_file():
        raise ConfigError(
            f'{model} is no published model (no {INDEX} in it); write one by "ovmlv publish", or '
            'give a config and its checkpoint'
        )
    folder = ModelFolder.open(path)
    return LoadedModel(folder.model(device, cfg_options), folder)


def is_of_hub(model: str) -> bool:
    """Whether a model is named as a repository of the hub, and as nothing that is on this machine.

    ``ViT-B-16/openai`` is an architecture of open_clip with one of its tags.
    """
    if not is_repository(model) or Path(model).expanduser().exists():
        return False
    return not any(is_architecture(name) for name in (model, model.partition('/')[0]))


def _refuse_weights(model: object, weights: object) -> None:
    if weights is not None:
        raise ConfigError(
            f'{model} is a folder, which has its own weights; leave weights={str(weights)!r} out'
        )


def _open(
    model: str | Path | Config | Recognizer,
    weights: str | Path | None,
    device: str | torch.device | None,
    cfg_options: Mapping[str, Any] | None,
) -> Recognizer:
    """What is no published folder."""
    if isinstance(model, nn.Module):
        return _built(cast(Recognizer, model), weights, device, cfg_options)
    if isinstance(model, Config):
        return init_recognizer(model, weights, device, cfg_options)
    if not isinstance(model, (str, Path)):
        raise TypeError(
            f'model is {type(model).__name__}; give a config, a folder, the name of an '
            'architecture or a recognizer'
        )
    path = Path(model).expanduser()
    if path.suffix in _CONFIGS or (path.suffix == '.json' and _is_config(path)):
        return init_recognizer(path, weights, device, cfg_options)
    if path.suffix in _WEIGHTS:
        raise ConfigError(
            f'{model} holds weights alone; give the config or architecture that they belong to as '
            f'model, and this as weights'
        )
    cfg = zero_shot_config(str(model), None if weights is None else str(weights))
    try:
        return init_recognizer(cfg, None, device, cfg_options)
    except CheckpointError as error:
        # The part of the model that reads weights calls the argument by its own name.
        raise CheckpointError(str(error).replace('pretrained=', 'weights=')) from error


def _built(
    model: Recognizer,
    weights: str | Path | None,
    device: str | torch.device | None,
    cfg_options: Mapping[str, Any] | None,
) -> Recognizer:
    if lacking(model, Recognizer):
        raise TypeError(
            f'{type(model).__name__} cannot tag videos; give an OpenVocabRecognizer, as '
            'init_recognizer makes it'
        )
    if weights is not None or cfg_options:
        raise ConfigError('the model is built already; leave weights and cfg_options out')
    if model.training:
        raise ConfigError('the model is in training mode; call model.eval() first')
    if model.cfg is None:
        pipeline = default_pipeline(model.backbone.num_frames)
        model.cfg = Config(dict(default_scope='ovmlv', test_pipeline=pipeline))
    return model if device is None else model.to(check_device(device))


def _is_of_transformers(folder: Path) -> bool:
    """Whether a folder is of a dual encoder of transformers, and not published by ovmlv."""
    return is_dual_encoder(str(folder)) and not (folder / INDEX).is_file()


def _is_config(path: Path) -> bool:
    """Whether a JSON file is a config of mmengine, rather than open_clip's of an architecture."""
    try:
        content = read_json(path)
    except DataError:  # whoever reads it next says why
        return False
    return isinstance(content, dict) and isinstance(content.get('model'), dict)

"""Writing published models."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from ovmlv.errors import ConfigError, DataError
from ovmlv.evaluation.score_calibration import Calibration
from ovmlv.files import whole_folder, write_text
from ovmlv.hub_files import Repository, pinned
from ovmlv.label_bank.bank import LabelBank
from ovmlv.label_bank.identity import EncoderIdentity
from ovmlv.models.clip.architecture import HUB
from ovmlv.models.clip.saving import save_clip
from ovmlv.models.contracts import Recognizer
from ovmlv.models.data_preprocessors import VideoDataPreprocessor
from ovmlv.models.dual_encoders import PREFIX, is_dual_encoder, save_dual_encoder
from ovmlv.models.llm.causal_llm import DTYPES
from ovmlv.models.llm.llm_loading import save_llm
from ovmlv.utils.checkpoints import write_state
from ovmlv.version import __version__

from .literal_config import check_published, read_literal_config
from .model_card import model_card
from .model_folder import (
    BANK,
    CALIBRATION,
    CARD,
    CONFIG,
    INDEX,
    WEIGHTS,
    ModelFolder,
    write_index,
)
from .video_reader import find_test_pipeline

TOLERANCE = 1e-5
#: Parts of the model that only training uses, and their keys of state dicts.
_TRAINING = (
    'loss',
    'reference_vocabulary',
    'labels_per_step',
    'shard_labels',
    'interpolation',
    'init_cfg',
)
_TRAINING_KEYS = ('criterion.', 'start_weights.', 'interpolation.')
_PRETRAINED = 'pretrained'
#: Files of this machine that make what is computed anew elsewhere.
_NO_CACHES = dict(prefix_cache=0.0, prefix_cache_dir=None, cache_dir=None, cache_file=None)


def publish_model(
    model: Recognizer,
    folder: str | Path,
    labels: Sequence[str] | LabelBank | None = None,
    calibration: Calibration | str | Path | None = None,
    include_pretrained: bool = False,
    name: str | None = None,
    check: bool = True,
    repository: str | None = None,
) -> Path:
    """Write a folder that :func:`~ovmlv.apis.open_model` and the inferencer open.

    It holds the config of the model and its test pipeline (no paths of data, nothing of training),
    the weights that were trained, and a model card. Opening it runs no code that is in it.

    Args:
        model: A model from :func:`~ovmlv.apis.open_model`.
        folder: Folder to write. It is made if missing; an earlier published model in it is
            replaced.
        labels: Labels or a bank to publish with the model; they become its default labels.
        calibration: A calibration or its file, which is then applied by default.
        include_pretrained: Whether to write the weights of CLIP and the language model, too.
            Otherwise they are found by their names, as when the model was made.
        name: Name in the model card.
        check: Whether to open the folder and compare its probabilities with the model's.
        repository: ``owner/name`` under which the model card shows the model, where
            :func:`~ovmlv.apis.push_model` will send it.

    Raises:
        ConfigError: The config names local files, or the folder holds other things.

    Examples:
        >>> import tempfile
        >>> from ovmlv.apis import open_model
        >>> model = open_model('motionshapes', device='cpu')
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = publish_model(model, f'{folder}/shapes', check=False)
        ...     print(*sorted(file.name for file in path.iterdir()))
        README.md config.py model.safetensors ovmlv.json
    """
    folder = Path(folder)
    cfg = _for_inference(model)
    bank: LabelBank | None = None
    if isinstance(labels, LabelBank):
        bank = labels
        bank.check(model)
    elif labels is not None:
        bank = LabelBank.build(model, labels)
    if isinstance(calibration, (str, Path)):
        calibration = Calibration.load(calibration)
    if not include_pretrained:
        _refuse_files(cfg.model)
        _pin(cfg.model)
    _refuse_other_content(folder)
    about = dict(
        name=name or folder.resolve().name,
        made_by=f'ovmlv {__version__}',
        fingerprint=EncoderIdentity.of(model).fingerprint,
        pretrained='included' if include_pretrained else sorted(_pretrained_names(cfg.model)),
        labels=0 if bank is None else len(bank),
        calibrated=calibration is not None,
        modules=_own_modules(model),
    )
    if repository is not None:
        about['repository'] = Repository.parse(repository).name
    # Beside the folder until it is whole: the model or the bank may be of the one it replaces.
    with whole_folder(folder) as scratch:
        _write(scratch, model, cfg, about, bank, calibration, include_pretrained)
        if check:
            _compare(model, scratch)
    return folder


def _write(
    folder: Path,
    model: Recognizer,
    cfg: Config,
    about: dict[str, Any],
    bank: LabelBank | None,
    calibration: Calibration | None,
    include_pretrained: bool,
) -> None:
    paths = _save_pretrained(cfg, folder) if include_pretrained else {}
    cfg.dump(str(folder / CONFIG))
    try:
        check_published(
            read_literal_config(folder / CONFIG), [Path(v).name for v in paths.values()]
        )
    except DataError as error:
        raise ConfigError(f'the config cannot be published: {error}') from None
    state = {
        key: value.cpu()
        for key, value in model.state_dict().items()
        if isinstance(value, Tensor) and not key.startswith(_TRAINING_KEYS)
    }
    write_state(str(folder / WEIGHTS), {}, state)
    if calibration is not None:
        calibration.save(folder / CALIBRATION)
    if bank is not None:
        LabelBank(bank.encoder, bank.blocks).save(folder / BANK)
    write_text(folder / CARD, model_card(about, cfg, calibration))
    files = [path for path in folder.rglob('*') if path.is_file()]
    names = [path.relative_to(folder).as_posix() for path in files]
    write_index(folder, dict(about, paths=paths), names)


def _for_inference(model: Recognizer) -> Config:
    """The config without paths of data and what only training needs."""
    cfg = model.cfg
    if cfg is None or cfg.get('model') is None:
        raise ConfigError('the model has no config to publish; make it by open_model')
    parts = copy.deepcopy(cfg.model.to_dict())
    for key in _TRAINING:
        parts.pop(key, None)
    for _, part in _parts(parts, 'model'):
        part.update({key: value for key, value in _NO_CACHES.items() if key in part})
    preprocessor = model.data_preprocessor
    if isinstance(preprocessor, VideoDataPreprocessor) and preprocessor.mean is not None:
        # Those of the pretrained weights, which a file of weights alone does not tell.
        statistics = dict(
            mean=preprocessor.mean.flatten().tolist(), std=preprocessor.std.flatten().tolist()
        )
        parts['data_preprocessor'] = {
            **(parts.get('data_preprocessor') or dict(type='VideoDataPreprocessor')),
            **statistics,
        }
    steps = [dict(step) for step in copy.deepcopy(_without_caches(find_test_pipeline(cfg)))]
    for step in steps:
        step.pop('backend_args', None)
    found = dict(default_scope=cfg.get('default_scope') or 'ovmlv')
    return Config(dict(found, model=parts, test_pipeline=steps))


def _without_caches(steps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The transforms, where those inside of a ``CacheFrames`` take its place."""
    found: list[Mapping[str, Any]] = []
    for step in steps:
        is_cache = str(step.get('type')).split('.')[-1] == 'CacheFrames'
        found += _without_caches(step['transforms']) if is_cache else [step]
    return found


def _own_modules(model: Recognizer) -> list[str]:
    """The modules of ``custom_imports``, which whoever opens the folder must import before."""
    imports = (model.cfg.get('custom_imports') or {}).get('imports') or []
    return [imports] if isinstance(imports, str) else list(imports)


def _refuse_other_content(folder: Path) -> None:
    """Refuse a folder with other content, since only a published model is replaced."""
    if not folder.exists() or (folder / INDEX).is_file():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise ConfigError(f'{folder} exists and is no published model; name another folder')


def _save_pretrained(cfg: Config, folder: Path) -> dict[str, str]:
    """Write pretrained weights.

    Returns:
        Key of the config -> file in the folder that it shall name.
    """
    paths: dict[str, str] = {}
    saved: dict[tuple[str, str], dict[str, Path]] = {}
    for place, part in _parts(cfg.model, 'model'):
        if part.get(_PRETRAINED) is not None:
            names = part.get('model_name', 'ViT-B-16'), part[_PRETRAINED]
            if names not in saved:
                saved[names] = _save(*names, folder / f'clip{len(saved) or ""}')
            for key, file in saved[names].items():
                paths[f'{place}.{key}'] = file.relative_to(folder).as_posix()
                part[key] = None if key == _PRETRAINED else file.name
        if place.split('.')[-1] == 'llm' and part.get('name') and not part.get('random_weights'):
            kind = _parent(cfg, place).get('llm_dtype') or part.get('dtype') or 'float32'
            save_llm(part['name'], folder / 'llm', DTYPES[kind])
            paths[f'{place}.name'] = 'llm'
            part['name'] = 'llm'
    return paths


def _save(model_name: str, pretrained: str, folder: Path) -> dict[str, Path]:
    """Write one model; the result is that of :func:`~ovmlv.models.clip.saving.save_clip`."""
    if is_dual_encoder(model_name):
        return dict.fromkeys(('model_name', _PRETRAINED), save_dual_encoder(model_name, folder))
    return save_clip(model_name, pretrained, folder)


def _parent(cfg: Config, place: str) -> Mapping[str, Any]:
    found: Any = cfg
    for key in place.split('.')[:-1]:
        found = found[key]
    return found


def _parts(part: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """All dicts of a config, with their dotted keys."""
    if isinstance(part, dict):
        yield place, part
        for key, value in part.items():
            yield from _parts(value, f'{place}.{key}')


def _pretrained_names(parts: Mapping[str, Any]) -> set[str]:
    found = set()
    for place, part in _parts(parts, 'model'):
        if part.get(_PRETRAINED) is not None:
            names = part.get('model_name', 'ViT-B-16'), part[_PRETRAINED]
            one = is_dual_encoder(names[0])  # both names are the same
            found.add(str(names[0]) if one else ' / '.join(map(str, names)))
        if place.split('.')[-1] == 'llm' and part.get('name'):
            found.add(str(part['name']))
    return found


def _pin(parts: Mapping[str, Any]) -> None:
    """Name the commit of each CLIP of the hub, so that the folder always is the same model."""
    for _, part in _parts(parts, 'model'):
        for key in ('model_name', _PRETRAINED):
            value = part.get(key)
            if isinstance(value, str) and value.startswith(HUB):
                part[key] = f'{HUB}{pinned(Repository.parse(value.removeprefix(HUB)))}'


def _refuse_files(parts: Mapping[str, Any]) -> None:
    for place, part in _parts(parts, 'model'):
        for key, value in part.items():
            if not isinstance(value, str) or '/' not in value:
                continue
            if Path(value.removeprefix(PREFIX)).expanduser().exists():
                raise ConfigError(
                    f'{place}.{key} is the local {value}, which the folder would not have; give '
                    '--include-pretrained (include_pretrained=True)'
                )


@torch.no_grad()
def _compare(model: Recognizer, folder: Path) -> None:
    """Open the folder and compare."""
    device = next(model.parameters()).device
    other = ModelFolder.open(folder, verify=False).model(device)
    labels = ['a dog', 'running', 'outdoors']
    texts = [m.encode_labels(labels) for m in (model, other)]
    difference = float((texts[0] - texts[1]).abs().max())
    size = model.backbone.image_size
    if size is not None:
        generator = torch.Generator().manual_seed(0)
        shape = (1, 1, 3, 3, *size)
        frames = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).to(device)
        scores = [m.score_views(m.encode_views(frames), t) for m, t in zip((model, other), texts)]
        difference = max(difference, float((scores[0] - scores[1]).abs().max()))
    if not difference <= TOLERANCE:
        raise ConfigError(
            f'{folder}: the published model differs by {difference:.2g} from the one in memory '
            f'(at most {TOLERANCE:g} was expected); report it with the config'
        )

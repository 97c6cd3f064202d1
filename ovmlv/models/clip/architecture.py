"""From an architecture (a name of open_clip or a JSON file) to a model and its tokenizer."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import open_clip
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.model import CLIP, CustomTextCLIP
from torch import nn

from ovmlv.errors import ConfigError, DataError, reason_of
from ovmlv.files import read_json
from ovmlv.hub_files import Repository, fetch_file
from ovmlv.schema import is_plain_path

if importlib.util.find_spec('ovmlv.models.clip.timm_models') is not None:
    importlib.import_module('ovmlv.models.clip.timm_models')  # registers architectures in timm

#: CLIPs that come with this package: an architecture ``NAME.json`` and weights
#: ``NAME.safetensors``, both named by NAME in configs.
SHIPPED = Path(__file__).resolve().parent / 'shipped'

#: Before the name of a repository on Hugging Face's hub.
HUB = 'hf-hub:'
#: What an architecture may say of its tokenizer; others lead to files, or to code that runs.
_TOKENIZER_KWARGS = frozenset(
    'bpe_path clean strip_sep_token language additional_special_tokens reduction_mask'.split()
)
_REQUIRED = ('embed_dim', 'vision_cfg', 'text_cfg')

#: The towers of a CLIP that are wanted.
Part = Literal['vision', 'text', 'both']
# Stand for a tower that is not wanted, since open_clip's models have both.
_NO_TEXT = {'context_length': 4, 'vocab_size': 8, 'width': 16, 'heads': 1, 'layers': 1}
_NO_VISION = {'image_size': 2, 'patch_size': 2, 'width': 16, 'head_width': 16, 'layers': 1}


@dataclass
class Architecture:
    """What is known of a CLIP before its weights are read.

    Attributes:
        name: Name in open_clip, or path of the JSON file.
        config: Keyword arguments of open_clip's model (its JSON schema), our own copy.
        preprocess: ``mean`` and ``std`` if the JSON file gives them.
        folder: Folder of the JSON file; relative paths in the file start there.
        repository: Where it is on the hub, with its commit; None if it is not there.
    """

    name: str
    config: dict[str, Any]
    preprocess: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    repository: Repository | None = None

    @property
    def tags(self) -> list[str]:
        """open_clip's tags of pretrained weights."""
        return [] if self.folder else open_clip.list_pretrained_tags_by_model(self.name)

    def normalization(self, tag: str | None = None) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of the pixels (in 0..1) that the weights were trained with.

        Without a tag, these are the values that all tags of the architecture agree on (SigLIP's
        .5), or else OpenAI's.
        """
        pairs = {
            (tuple(f.get('mean') or OPENAI_DATASET_MEAN), tuple(f.get('std') or OPENAI_DATASET_STD))
            for f in self._preprocessing(tag)
        }
        return (
            pairs.pop()
            if len(pairs) == 1
            else (tuple(OPENAI_DATASET_MEAN), tuple(OPENAI_DATASET_STD))
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images that the image tower takes."""
        size = self.config['vision_cfg']['image_size']
        return (size, size) if isinstance(size, int) else (size[0], size[1])

    def squashes(self, tag: str | None = None) -> bool:
        """Whether weights were trained on images that were squashed to a square (PE-Core, SigLIP),
        rather than cropped. Without a tag, all tags of the architecture have to agree.
        """
        found = self._preprocessing(tag)
        return bool(found) and all(f.get('resize_mode') == 'squash' for f in found)

    def _preprocessing(self, tag: str | None) -> list[dict[str, Any]]:
        """What is known of the images that the weights of a tag, or of any, were trained on."""
        found = [self.preprocess] if self.preprocess else []
        tags = [tag] if tag else self.tags
        return found + [open_clip.get_pretrained_cfg(self.name, name) for name in tags]


def find_architecture(model: str) -> Architecture:
    """Look an architecture up in open_clip, or read it from a JSON file of open_clip's schema.

    ``motionshapes`` is the tiny CLIP that comes with this package, and ``hf-hub:owner/name`` is a
    CLIP on Hugging Face's hub, with the weights there (``hf-hub:owner/name@revision`` for a branch,
    tag or commit).

    The file may also be an ``open_clip_config.json`` (``model_cfg`` and ``preprocess_cfg``) or have
    a ``preprocess_cfg`` beside the model's keys.
    """
    if str(model).endswith('.json'):
        return _read_json(Path(model).expanduser())
    if (SHIPPED / f'{model}.json').is_file():
        return _read_json(SHIPPED / f'{model}.json')
    config = (
        open_clip.get_model_config(str(model).replace('/', '-')) if ':' not in str(model) else None
    )
    if config is None and str(model).startswith(HUB):
        return _read_hub(str(model))
    if config is None:
        near = difflib.get_close_matches(str(model), open_clip.list_models(), n=3, cutoff=0.5)
        hint = (
            f'did you mean {" or ".join(near)}?'
            if near
            else 'open_clip.list_models() has the names'
        )
        raise ConfigError(
            f'model_name={model!r} is neither an open_clip architecture nor a .json file; {hint}'
        )
    return Architecture(str(model).replace('/', '-'), config)


def is_architecture(model: str) -> bool:
    """Whether a name is one of open_clip's architectures, or of a CLIP that comes with this
    package.
    """
    name = str(model).replace('/', '-')
    return (SHIPPED / f'{model}.json').is_file() or open_clip.get_model_config(name) is not None


def build_model(
    architecture: Architecture, quick_gelu: bool | None = None, part: Part = 'both'
) -> nn.Module:
    """Build open_clip's model with random weights.

    Args:
        architecture: The architecture to build.
        quick_gelu: Whether the weights were trained with QuickGELU; None if that is not known.
        part: Towers that are wanted. Another one is a few numbers in its place, since the table of
            tokens of a text tower alone may be larger than all else (SigLIP 2's has 256,000 rows).
    """
    config = json.loads(json.dumps(architecture.config))
    config['vision_cfg']['timm_model_pretrained'] = False  # weights come from the CLIP file alone
    if quick_gelu is not None:
        config['quick_gelu'] = quick_gelu
    custom_text = config.pop('custom_text', False) or 'hf_model_name' in config['text_cfg']
    if part != 'both' and config.pop('multimodal_cfg', None) is not None:
        custom_text = True  # CoCa without its decoder of captions
    if part == 'vision':
        config['text_cfg'] = _NO_TEXT
    elif part == 'text':
        config['vision_cfg'] = _NO_VISION
    if 'multimodal_cfg' in config:
        model_class = open_clip.CoCa
    else:
        model_class = CustomTextCLIP if custom_text else CLIP
    try:
        return model_class(**config)
    except (TypeError, RuntimeError, ValueError) as error:
        reason = reason_of(error)
        raise ConfigError(
            f'{architecture.name}: open_clip cannot build it ({reason}); check its keys'
        ) from error


def build_tokenizer(architecture: Architecture) -> Any:
    """Tokenizer of the text tower, as open_clip chooses it."""
    text = architecture.config['text_cfg']
    kwargs = dict(text.get('tokenizer_kwargs') or {})
    try:
        if architecture.folder is None and architecture.repository is None:
            return open_clip.get_tokenizer(architecture.name)
        length = text.get('context_length', open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH)
        if text.get('hf_tokenizer_name'):
            source = _tokenizer_source(architecture, text['hf_tokenizer_name'])
            mode = text.get('tokenizer_mode')
            if architecture.repository is not None and architecture.repository.name == source:
                kwargs['revision'] = architecture.repository.revision
            kwargs['trust_remote_code'] = False
            return open_clip.tokenizer.HFTokenizer(
                source, context_length=length, tokenizer_mode=mode, **kwargs
            )
        if 'bpe_path' in kwargs:
            kwargs['bpe_path'] = str(own_file(architecture, kwargs['bpe_path']))
        return open_clip.SimpleTokenizer(context_length=length, **kwargs)
    except Exception as error:  # of whatever reads a folder's files of a tokenizer
        reason = reason_of(error)
        raise ConfigError(
            f'the tokenizer of {architecture.name} cannot be loaded ({reason}); copy the '
            'architecture to a .json file and name a local folder in its text_cfg.hf_tokenizer_name'
        ) from error


def own_file(architecture: Architecture, name: str) -> Path:
    """A file that an architecture names beside itself: in its folder, or in its repository."""
    if architecture.repository is not None:
        return fetch_file(architecture.repository, [name])[0]
    return (architecture.folder or Path()) / name


def _tokenizer_source(architecture: Architecture, name: str) -> str:
    """A folder beside the file, or a name of the hub."""
    local = (architecture.folder or Path()) / name
    return str(local) if architecture.folder is not None and local.exists() else name


def _read_json(path: Path) -> Architecture:
    if not path.is_file():
        raise FileNotFoundError(
            f'model_name: no architecture file {path}; give an existing .json or a name of '
            'open_clip'
        )
    try:
        content = read_json(path, 'architecture file')
    except DataError as error:
        raise ConfigError(f'{error}; write it as open_clip writes its model configs') from None
    architecture = _parse(content, str(path))
    architecture.folder = path.resolve().parent
    # A folder beside the file comes before a repository of the hub of that name.
    text = architecture.config['text_cfg']
    for key in ('hf_model_name', 'hf_tokenizer_name'):
        if text.get(key) and (architecture.folder / text[key]).is_dir():
            text[key] = str(architecture.folder / text[key])
    return architecture


def _read_hub(model: str) -> Architecture:
    """The architecture of a repository on Hugging Face's hub, as open_clip stores it."""
    try:
        repository = Repository.parse(model.removeprefix(HUB))
        path, commit = fetch_file(repository, ['open_clip_config.json'])
    except ConfigError as error:
        raise ConfigError(
            f'model_name={model!r} is no CLIP of open_clip with an open_clip_config.json: {error}'
        ) from None
    try:
        architecture = _parse(read_json(path, 'architecture file'), model)
    except DataError as error:
        raise ConfigError(str(error)) from None
    architecture.repository = Repository(repository.name, commit)
    return architecture


def _parse(content: Any, name: str) -> Architecture:
    config = content.get('model_cfg', content) if isinstance(content, dict) else None
    if not isinstance(config, dict):
        raise ConfigError(f'{name} holds no object; write it as open_clip writes its model configs')
    preprocess = content.get('preprocess_cfg') or config.get('preprocess_cfg') or {}
    config = {k: v for k, v in config.items() if k != 'preprocess_cfg'}
    missing = [key for key in _REQUIRED if key not in config]
    wrong = [key for key in _REQUIRED[1:] if not isinstance(config.get(key, {}), dict)]
    wrong += [] if isinstance(preprocess, dict) else ['preprocess_cfg']
    if missing or wrong:
        raise ConfigError(
            f'{name} lacks {", ".join(missing or wrong)}; write it as open_clip writes its model '
            'configs'
        )
    text = config['text_cfg']
    words = text.get('tokenizer_kwargs') or {}
    strange = words.keys() - _TOKENIZER_KWARGS if isinstance(words, dict) else {'all'}
    if strange:
        raise ConfigError(
            f'{name}: tokenizer_kwargs.{min(strange)} is none of '
            f'{", ".join(sorted(_TOKENIZER_KWARGS))}; remove it'
        )
    # It may be a stranger's: files are beside it, and all else is a name that is published.
    for key, value in (
        ('timm_model_name', config['vision_cfg'].get('timm_model_name')),
        ('hf_tokenizer_name', text.get('hf_tokenizer_name')),
        ('hf_model_name', text.get('hf_model_name')),
        ('bpe_path', words.get('bpe_path')),
    ):
        if value is not None and not (isinstance(value, str) and is_plain_path(value)):
            raise ConfigError(
                f'{name}: {key}={str(value)[:80]!r} is not in its own folder; copy it there'
            )
    return Architecture(name, config, preprocess)

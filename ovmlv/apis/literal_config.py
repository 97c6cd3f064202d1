"""Reading the configs of published folders without executing anything in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import mmengine.registry as registry
from mmengine.config import Config

from ovmlv.errors import ConfigError, DataError, reason_of
from ovmlv.files import read_text
from ovmlv.models.clip.architecture import SHIPPED
from ovmlv.models.dual_encoders import PREFIX
from ovmlv.models.llm.llm_loading import WHEELS
from ovmlv.utils.data_config import check_types, dicts_of, find_type

#: All that opening a published folder needs of a config.
_TOP_LEVEL = frozenset(('default_scope', 'model', 'test_pipeline'))
#: Where registries build what, from the inside out.
_BUILT = (
    (re.compile(r'\binit_cfg\.'), (registry.WEIGHT_INITIALIZERS,)),
    (re.compile(r'^model\.'), (registry.MODELS, registry.TASK_UTILS)),
    (re.compile(r'^test_pipeline\.'), (registry.TRANSFORMS,)),
)
#: Keys of names of pretrained parts, which may be files of the folder instead.
FILE_KEYS = frozenset(('model_name', 'pretrained', 'name', 'tokenizer'))
#: Keys of whatever else names a file, a folder or a way to them.
_OTHER_FILES = re.compile(
    r'(^|_)(file|files|filename|dir|folder|path|paths|root|roots|prefix|checkpoint|url|uri|cache|'
    r'tmpl|args|client|pretrained\w*)$'
)
_BACKENDS = ('disk', 'local')
_NAME = re.compile(r'(hf-hub:|transformers:)?[A-Za-z0-9][\w.\-]*(/[\w][\w.\-]*(@[\w][\w.\-]*)?)?')
_FILE_NAME = re.compile(r'\.(json|py|txt|gz|pt|pth|bin|ckpt|safetensors|npz|gguf|onnx)$')
_PATH = re.compile(r'^([/~\\]|[A-Za-z]:[/\\])|(^|[/\\])\.\.([/\\]|$)|://|^(file|data|local-dir):')


def read_literal_config(path: Path) -> Config:
    """Read a config in Python's syntax that holds values only, as ``Config.dump`` writes them.

    ``Config.fromfile`` runs the code of a config, and files of other people should not be run. For
    the same reason, each ``type`` must be a registered name: registries would also take the path of
    any function. :func:`check_published` checks the other rules for published folders.

    Raises:
        DataError: The file holds anything but ``name = value``, or such a path.
    """
    try:
        found = {}
        for node in ast.parse(read_text(path, 'config')).body:
            if not (
                isinstance(node, ast.Assign)
                and len(node.targets) == 1
                and isinstance(node.targets[0], ast.Name)
            ):
                raise ValueError(f'line {node.lineno} is no assignment')
            found[node.targets[0].id] = _value(node.value)
        config = Config(found)
        check_types(config, 'it')
        return config
    except DataError:
        raise
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError) as error:
        raise DataError(
            f'{path} is no config of plain values ({reason_of(error)}); publish the model again'
        ) from None


def check_published(config: Mapping[str, Any], own: Collection[str] = ()) -> None:
    """Raise unless a config of another's folder builds a model and reads no other files.

    Args:
        config: The config that will be built.
        own: Paths that are in the folder.

    Raises:
        DataError: The config names a class of another kind, a file that is not in the folder or an
            address, or has settings of its own.
    """
    config = config.to_dict() if isinstance(config, Config) else config
    strange = sorted(map(str, config.keys() - _TOP_LEVEL))
    if strange:
        raise DataError(f'{strange[0]} is not for published models; publish the model again')
    if not isinstance(config.get('model'), Mapping):
        raise DataError('it has no model; publish the model again')
    try:
        check_types(config, 'it')
        for place, part, scope in dicts_of(config, config.get('default_scope') or 'ovmlv'):
            if 'type' in part:
                _check_kind(place, part['type'], scope)
            for key, value in part.items():
                _check_value(f'{place}{key}', key, value, own)
    except ConfigError as error:
        raise DataError(str(error)) from None


def _check_kind(place: str, name: Any, scope: Any) -> None:
    kinds = next((kinds for where, kinds in _BUILT if where.search(place)), ())
    found = find_type(name, scope, kinds)
    if found is None:
        raise ConfigError(f'{place}type={str(name)[:80]!r} is of a kind that is not built there')
    if getattr(found, '__name__', '') == 'PretrainedInit':
        raise ConfigError(f'{place}type={name!r} reads another file; leave it out')


def _check_value(place: str, key: Any, value: Any, own: Collection[str]) -> None:
    texts = [text for text in _texts(value) if text not in own]
    if key == 'io_backend':
        bad = [text for text in texts if text not in _BACKENDS]
    elif key in FILE_KEYS:
        bad = [text for text in texts if not _is_name(text)]
        if isinstance(value, Mapping):  # a configuration of transformers
            bad = _paths_in(value)
    elif isinstance(key, str) and _OTHER_FILES.search(key):
        bad = texts or ([str(value)] if isinstance(value, Mapping) and value else [])
    elif place.endswith('llm.config'):
        bad = _paths_in(value)
    else:
        bad = [text for text in texts if _PATH.search(text)]
    if bad:
        raise ConfigError(
            f'{place}={bad[0][:80]!r} may lead to another file or address, and only files of the '
            'folder are read'
        )


def _paths_in(configuration: Any) -> list[str]:
    """Texts of a configuration of transformers that may be paths, or names on a hub."""
    texts = _texts(configuration, deep=True)
    return [text for text in texts if '/' in text or '\\' in text]


def _texts(value: Any, deep: bool = False) -> list[str]:
    """Texts in a value and in its lists and, if asked for, in its dicts."""
    if isinstance(value, str):
        return [value]
    if deep and isinstance(value, Mapping):
        value = list(value.values())
    parts = value if isinstance(value, (list, tuple)) else ()
    return [text for part in parts for text in _texts(part, deep)]


def _is_name(text: str) -> bool:
    """Whether the text is a published name rather than the path of a local file."""
    if len(text) > 200:
        return False
    if text in WHEELS or (SHIPPED / f'{text}.json').is_file():
        return True
    if not _NAME.fullmatch(text) or _FILE_NAME.search(text):
        return False
    return not Path(text.removeprefix(PREFIX)).exists()


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id != 'dict' or node.args:
            raise ValueError(f'line {node.lineno} calls something')
        return {_name(keyword): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        keys = [key for key in node.keys if key is not None]
        if len(keys) < len(node.keys):
            raise ValueError(f'line {node.lineno} unpacks something')
        return {_value(k): _value(v) for k, v in zip(keys, node.values, strict=True)}
    if isinstance(node, ast.List):
        return [_value(entry) for entry in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(entry) for entry in node.elts)
    return ast.literal_eval(node)


def _name(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ValueError(f'line {keyword.lineno} unpacks something')
    return keyword.arg

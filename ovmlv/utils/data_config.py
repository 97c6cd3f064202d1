"""Configs that are data: JSON and YAML files, and those of published folders.

A config in Python is a program, and mmengine's reader of YAML builds any object that a file names.
Configs that are read here run nothing: values are plain, and each ``type`` is a name that a
registry has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import mmengine.registry
import yaml
from mmengine.config import Config
from mmengine.registry import Registry

from ovmlv.errors import ConfigError, DataError
from ovmlv.files import parse_json, read_text
from ovmlv.registry import find_registered, is_scope

SUFFIXES = ('.json', '.yml', '.yaml')
#: Keys whose values registries are asked for.
TYPE_KEYS = frozenset(('type', 'runner_type', 'constructor', 'ema_type'))
#: Aliases of YAML may name a part again and again, or within itself.
_MOST_PARTS, _DEEPEST = 200_000, 100
_WORD = re.compile(r'[A-Za-z_]\w*(\.[A-Za-z_]\w*)?')
#: What transformers' own configurations hold is read by transformers alone.
_FOREIGN = re.compile(r'(^|\.)(llm\.config|model_name)$')


def read_data_config(path: str | Path) -> Config:
    """A JSON or YAML file as a config, with its ``_base_`` files, which must be JSON or YAML too.

    The types are not checked here, since options may change them; see :func:`check_types`.

    Raises:
        ConfigError: The file is not a config, or would run something.
    """
    try:
        found = _read(Path(path).expanduser().resolve(), ())
        return Config(found, filename=str(path), cfg_text=read_text(path))
    except DataError as error:
        raise ConfigError(str(error)) from None
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f'{path} is no usable config: {_reason(error)}') from None


def check_types(config: Mapping[str, Any], where: str | Path) -> None:
    """Raise unless every ``type`` of a config is registered, and nothing in it would be run.

    Raises:
        ConfigError: A type is not registered, or something would be run.
    """
    config = config.to_dict() if isinstance(config, Config) else config
    for key in ('custom_imports', '_base_'):
        if config.get(key):
            raise ConfigError(
                f'{where}: {key} runs code, which data may not; write the config in Python'
            )
    for place, part, scope in dicts_of(config, config.get('default_scope') or 'ovmlv'):
        if not is_scope(scope):  # mmengine imports a module of this name
            raise ConfigError(
                f'{where}: scope {str(scope)[:80]!r} is that of no imported package; import it, or '
                "name 'ovmlv'"
            )
        for key in TYPE_KEYS & part.keys():
            if part[key] is not None and find_type(part[key], scope, _registries()) is None:
                raise ConfigError(
                    f'{where}: {place}{key}={str(part[key])[:80]!r} is registered nowhere; name a '
                    'registered class, after importing the module that registers it'
                )


def find_type(name: Any, scope: Any, registries: tuple[Registry, ...]) -> Any:
    """The object that one of the registries has under a name, or None."""
    if not isinstance(name, str) or not isinstance(scope, str) or not _WORD.fullmatch(name):
        return None
    found = (find_registered(registry, name, scope) for registry in registries)
    return next((value for value in found if value is not None), None)


def dicts_of(config: Any, scope: Any = 'ovmlv') -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Each dict of a config with its place, as ``model.head.``, and the scope of its names.

    Raises:
        ConfigError: There are too many dicts, or they are nested too deep.
    """
    waiting: list[tuple[int, str, Any, Any]] = [(0, '', config, scope)]
    count = 0
    while waiting:
        depth, place, part, scope = waiting.pop()
        if isinstance(part, Mapping):
            scope = part.get('_scope_') or scope
            yield place, part, scope
            inner = list(part.items())
        elif isinstance(part, (list, tuple)):
            inner = list(enumerate(part))
        else:
            continue
        count += len(inner)
        if count > _MOST_PARTS or depth > _DEEPEST:
            raise ConfigError(
                'the config has too many parts, or parts without end; write it without aliases'
            )
        waiting += [
            (depth + 1, f'{place}{key}.', value, scope)
            for key, value in inner
            if not _FOREIGN.search(f'{place}{key}')
        ]


@cache
def _registries() -> tuple[Registry, ...]:
    # Where most names are first: looking into a registry imports its modules.
    names = dict.fromkeys(['MODELS', 'TRANSFORMS', *dir(mmengine.registry)])
    found = (getattr(mmengine.registry, name) for name in names)
    return tuple(value for value in found if isinstance(value, Registry))


def _read(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    if path.suffix not in SUFFIXES:
        raise ConfigError(
            f'{above[-1]}: the base {path} may be a program; data has only {", ".join(SUFFIXES)} '
            'as _base_'
        )
    if path in above:
        raise ConfigError(f'{path} is its own _base_; remove it there')
    text = read_text(path, 'config')
    content = parse_json(text, str(path)) if path.suffix == '.json' else _parse_yaml(text, path)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f'{path} holds no object of settings; write name: value')
    for _ in dicts_of(content):  # they end
        pass
    bases = content.pop('_base_', [])
    bases = [bases] if isinstance(bases, str) else bases
    merged: dict[str, Any] = {}
    for name in bases:
        base = _read((path.parent / str(name)).resolve(), (*above, path))
        twice = sorted(merged.keys() & base.keys())
        if twice:
            raise ConfigError(f'{path}: two of its bases have {twice[0]}; keep it in one')
        merged.update(base)
    return Config._merge_a_into_b(content, merged)


def _parse_yaml(text: str, path: Path) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f'{path} is no YAML of plain values: {_reason(error)}') from None


def _reason(error: Exception) -> str:
    return ' '.join(str(error).split())[:200] or type(error).__name__

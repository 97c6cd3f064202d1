"""Changes of a config from the command line, and settings that must agree with each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ovmlv.errors import ConfigError
from ovmlv.plain_text import message_line

from .config_variables import TOP_LEVEL, is_read, places_of

if TYPE_CHECKING:
    from mmengine.config import Config

_SHOWN = 3


def merge_options(cfg: Config, options: Mapping[str, Any], name: str) -> None:
    """Merge ``--cfg-options`` into a config, in place.

    Args:
        cfg: The config.
        options: Dotted keys and their values.
        name: Name of the config, for messages.

    Raises:
        ConfigError: A key would change nothing, because it is misspelt or is a variable of the file
            that nothing reads; or it points into something that is not a dict.
    """
    for key in options:
        _refuse_without_effect(cfg, key, name)
    try:
        cfg.merge_from_dict(dict(options))
    except (KeyError, TypeError, AssertionError, AttributeError, IndexError, ValueError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise ConfigError(
            f'--cfg-options {" ".join(options)} do not fit {name}: {message_line(str(text))}'
        ) from error


def settle_loaders(cfg: Config) -> None:
    """Leave out settings that torch refuses together with ``num_workers=0``, in place.

    ``persistent_workers`` and ``prefetch_factor`` are settings of workers; who turns workers off,
    for example to debug, turns these off as well.
    """
    for loader in _loaders(cfg):
        if not loader.get('num_workers', 0):
            loader.pop('persistent_workers', None)
            loader.pop('prefetch_factor', None)
            if not loader.get('timeout', 0):
                loader.pop('timeout', None)


def _loaders(cfg: Any) -> Iterator[Any]:
    for key, value in cfg.items():
        if key.endswith('_dataloader'):
            parts = value if isinstance(value, (list, tuple)) else [value]
            yield from (part for part in parts if isinstance(part, Mapping))


def _refuse_without_effect(cfg: Config, key: str, name: str) -> None:
    root, _, below = key.partition('.')
    if is_read(cfg, root):
        return
    if root not in cfg:
        raise ConfigError(f'--cfg-options {key}: {name} has no {root}; {_mend(cfg, root)}')
    places = places_of(cfg, key)
    if places:
        raise ConfigError(
            f'--cfg-options {key}: {root} is a variable of {name} that nothing reads any more; set '
            f'{_listed(places)}'
        )
    if cfg.get('custom_imports'):  # code of the user's, which may read runner.cfg
        return
    where = f', and has no place for .{below} where it was used' if below else ''
    raise ConfigError(
        f'--cfg-options {key}: {root} of {name} is read by nothing{where}, so a change has no '
        'effect; set one of the keys that print_config.py shows'
    )


def _mend(cfg: Config, root: str) -> str:
    """What to write instead of a key that is not there; only keys with an effect are named."""
    near = get_close_matches(root, {*cfg, *TOP_LEVEL}, 3)
    for key in near:
        places = [key] if is_read(cfg, key) else places_of(cfg, key)
        if places:
            return f'did you mean {_listed(places, "or")}?'
    return 'tools/analysis_tools/print_config.py shows what there is'


def _listed(keys: list[str], word: str = 'and') -> str:
    shown, more = keys[:_SHOWN], len(keys) - _SHOWN
    last = f'{more} more' if more > 0 else shown.pop()
    return f'{", ".join(shown)} {word} {last}' if shown else last

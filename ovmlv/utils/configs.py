"""Configs from their files, and what is refused or decided before anything of them is built.

Importing this is cheap: mmengine and torch are imported only by the functions that need them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovmlv.compat import apply
from ovmlv.config_names import find_named_config
from ovmlv.errors import ConfigError, OvmlvError

from .config_options import merge_options, settle_loaders
from .error_door import one_line

if TYPE_CHECKING:
    from mmengine.config import Config


def load_config(path: str, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config and merge ``--cfg-options`` into it.

    A config in Python is a program and is run; a config in JSON or YAML is data, and nothing of it
    is run.

    Args:
        path: Path or name that :func:`config_file` takes.
        options: Dotted keys and their values.

    Raises:
        FileNotFoundError: The file or a base of it does not exist.
        ConfigError: The file is not a config, or an option does not fit; see :func:`merge_options`.
    """
    apply()
    from mmengine.config import Config

    path = config_file(path)
    from .data_config import SUFFIXES, check_types, read_data_config

    is_data = Path(path).suffix in SUFFIXES
    try:
        cfg = read_data_config(path) if is_data else Config.fromfile(path)
    except ImportError as error:  # mmengine's own message blames sys.path and spells it out
        cause: BaseException = error
        while isinstance(inner := cause.__cause__ or cause.__context__, ImportError):
            cause = inner
        raise ConfigError(
            f'{path} imports a module that cannot be imported: {one_line(cause)}'
        ) from error
    except (SyntaxError, OSError, ValueError, TypeError, NameError, KeyError) as error:
        if isinstance(error, OvmlvError):
            raise
        raise ConfigError(f'{path} is no usable config: {one_line(error)}') from error
    if options:
        merge_options(cfg, options, path)
    settle_loaders(cfg)
    if cfg.get('default_scope') is None:
        cfg.default_scope = 'ovmlv'
    if is_data:
        check_types(cfg, path)
    return cfg


def config_file(path: str) -> str:
    """The file that a path, ``ovmlv::NAME`` or a bare NAME of the package stands for.

    A file has precedence over a config of the package. If a bare name means the config of the
    package, a line on stderr says so. A path with folders always means a file; if there is none,
    the message names the config of the package.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if path.startswith('ovmlv::'):
        return find_named_config(path)
    file = Path(path)
    if file.is_file():
        return path
    named = _name_in_package(file)
    if named is not None and file.name == path:
        print(f'there is no file {path} here: taking {named}', file=sys.stderr, flush=True)
        return find_named_config(named)
    near = [str(p) for p in file.parent.glob('*.py')] if file.parent.is_dir() else []
    near = [named] if named else get_close_matches(str(file), near, 1)
    hint = f'did you mean {near[0]}?' if near else 'give the path of a .py, .yml or .json file'
    raise FileNotFoundError(f'there is no config {path}; {hint}')


def _name_in_package(file: Path) -> str | None:
    """``ovmlv::NAME`` if the package has such a config; its ending may be left out."""
    parts = file.parts[file.parts[:1] == ('configs',) :]
    if file.is_absolute() or not parts or '..' in parts:
        return None
    name = f'ovmlv::{"/".join(parts).removesuffix(".py")}.py'
    try:
        find_named_config(name)
    except FileNotFoundError:
        return None
    return name


def refuse_mistakes(cfg: Config, path: str) -> None:
    """Raise a :class:`ConfigError` naming the first mistake that can be seen without building."""
    from .config_check import check_config

    mistakes = check_config(cfg)
    if mistakes:
        more = f' (and {len(mistakes) - 1} more)' if len(mistakes) > 1 else ''
        raise ConfigError(f'{mistakes[0]}{more}; for all: ovmlv check-config {path}')


def refuse_missing_data(cfg: Config, *loaders: str) -> None:
    """Look for the files of the data sets before models are built, which may need downloads.

    Raises:
        DataError: An annotation file or a video folder is missing.
    """
    from mmengine.registry import DATASETS, DefaultScope

    scope = cfg.get('default_scope') or 'ovmlv'
    with (
        DefaultScope.overwrite_default_scope(scope),
        DATASETS.switch_scope_and_registry(scope) as registry,
    ):
        for name in loaders:
            for dataset in leaf_datasets((cfg.get(name) or {}).get('dataset')):
                kind = dataset['type']
                kind = registry.get(kind) if isinstance(kind, str) else kind
                if hasattr(kind, 'check_files'):
                    registry.build({**dataset, 'lazy_init': True}).check_files()


def leaf_datasets(dataset: Any) -> Iterator[dict]:
    """The data sets inside wrappers (``RepeatDataset``, ``ConcatDataset``, ...)."""
    if not isinstance(dataset, Mapping):
        return
    inner = [*(dataset.get('datasets') or ()), dataset.get('dataset')]
    if any(isinstance(part, Mapping) for part in inner):
        for part in inner:
            yield from leaf_datasets(part)
    elif 'type' in dataset:
        yield dict(dataset)


def leave_amp_to_gpus(cfg: Config) -> None:
    """Without a GPU, train a config with mixed precision in float32, since mmengine refuses it."""
    from mmengine.device import get_device

    kind = (cfg.get('optim_wrapper') or {}).get('type')
    if get_device() not in ('cpu', 'mps') or getattr(kind, '__name__', kind) != 'AmpOptimWrapper':
        return
    print('no GPU: training in float32 instead of mixed precision', flush=True)
    cfg.optim_wrapper.type = 'OptimWrapper'
    for key in ('dtype', 'loss_scale', 'use_fsdp'):
        cfg.optim_wrapper.pop(key, None)

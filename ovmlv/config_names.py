"""Names of configs of installed packages, such as ``ovmlv::ovmlv_charades.py``."""

from __future__ import annotations

import difflib
import functools
import importlib.metadata
import importlib.util
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .errors import DependencyError
from .import_hooks import after_import, replace_function


def allow_config_prefix() -> None:
    """``ovmlv::ovmlv_charades.py`` names a config of the package, as ``mmaction::...`` does.

    It works in ``_base_``, in ``mmengine.hub`` and for ``Config.fromfile``. It is needed for all
    mmengine 0.10, whose table of packages has no room for others. Four more faults are repaired:
    mmengine finds packages by ``pkg_resources``, which setuptools 82 removed; it takes the wrong
    folder for editable installs; it does not see configs of a checkout (a wheel has them in
    ``ovmlv/.mim``); and it wants a slash in the name.
    """
    after_import('mmengine.utils.package_utils', _repair_packages)
    after_import('mmengine.config.utils', _repair_names)
    after_import('mmengine.config.config', _open_named_configs)


def _repair_packages(module: ModuleType) -> None:
    replace_function('mmengine', module, 'is_installed', _or_without_pkg_resources)
    replace_function('mmengine', module, 'get_installed_path', _or_by_module)


def _repair_names(module: ModuleType) -> None:
    module.MODULE2PACKAGE.setdefault('ovmlv', 'ovmlv')
    replace_function('mmengine', module, '_get_package_and_cfg_path', _or_of_ovmlv)
    replace_function('mmengine', module, '_get_cfg_metainfo', _or_no_metafile)
    replace_function('mmengine', module, '_get_external_cfg_base_path', _or_in_checkout)


def _or_without_pkg_resources(original: Callable[[str], bool]) -> Callable[[str], bool]:
    @functools.wraps(original)
    def is_installed(package: str) -> bool:
        try:
            return package == 'ovmlv' or original(package)
        except ImportError:
            return _is_installed(package)

    return is_installed


def _or_by_module(original: Callable[[str], str]) -> Callable[[str], str]:
    @functools.wraps(original)
    def get_installed_path(package: str) -> str:
        if package == 'ovmlv':  # this one, whichever the metadata of an installation mean
            return os.path.dirname(os.path.abspath(__file__))
        try:
            path = original(package)
        except ImportError:
            path = ''
        return path if os.path.isdir(path) else _installed_path(package)

    return get_installed_path


def _or_of_ovmlv(
    original: Callable[[str], tuple[str, str]],
) -> Callable[[str], tuple[str, str]]:
    @functools.wraps(original)
    def get_package_and_cfg_path(cfg_path: str) -> tuple[str, str]:
        package, separator, path = cfg_path.partition('::')
        if package == 'ovmlv' and separator and path and '::' not in path:
            return package, path
        return original(cfg_path)

    return get_package_and_cfg_path


def _or_no_metafile(original: Callable[[str, str], dict]) -> Callable[[str, str], dict]:
    @functools.wraps(original)
    def get_cfg_metainfo(package_path: str, cfg_path: str) -> dict:
        try:
            return original(package_path, cfg_path)
        except FileNotFoundError as error:
            if not os.path.isdir(_configs_of_checkout(package_path)):
                raise
            # mmengine's callers go on with the file's own name then.
            raise ValueError(f'{cfg_path} is in no metafile') from error

    return get_cfg_metainfo


def _or_in_checkout(original: Callable[[str, str], str]) -> Callable[[str, str], str]:
    @functools.wraps(original)
    def get_external_cfg_base_path(package_path: str, cfg_name: str) -> str:
        try:
            return original(package_path, cfg_name)
        except FileNotFoundError:
            configs = _configs_of_checkout(package_path)
            if not os.path.isdir(configs):
                raise
        path = os.path.join(configs, cfg_name)
        if not os.path.isfile(path):
            raise FileNotFoundError(f'there is no config {path}')
        return path

    return get_external_cfg_base_path


def find_named_config(name: str) -> str:
    """The file of ``ovmlv::NAME``, in a wheel or in a checkout.

    Raises:
        FileNotFoundError: There is no config of that name.
    """
    package = os.path.dirname(os.path.abspath(__file__))
    folders = (os.path.join(package, '.mim', 'configs'), _configs_of_checkout(package))
    wanted = name.partition('::')[2]
    for folder in folders:
        path = os.path.join(folder, wanted)
        if os.path.isfile(path):
            return path
    known = [
        os.path.relpath(os.path.join(root, file), folder)
        for folder in folders
        for root, _, files in os.walk(folder)
        for file in files
    ]
    near = difflib.get_close_matches(wanted, known, 1)
    hint = f'did you mean ovmlv::{near[0]}?' if near else 'see configs/README.md for their names'
    raise FileNotFoundError(f'ovmlv has no config {wanted}; {hint}')


def _configs_of_checkout(package_path: str) -> str:
    return os.path.join(os.path.dirname(package_path), 'configs')


def _open_named_configs(module: ModuleType) -> None:
    Config = module.Config
    original = Config.fromfile
    if hasattr(original, '_replaced_by_ovmlv'):
        return

    @functools.wraps(original)
    def fromfile(filename: Any, *args: Any, **kwargs: Any) -> Any:
        name = os.fspath(filename)
        if name.startswith('ovmlv::') and not os.path.exists(name):
            filename, _ = Config._get_cfg_path(name, '')
        return original(filename, *args, **kwargs)

    fromfile._replaced_by_ovmlv = True  # type: ignore[attr-defined]
    Config.fromfile = staticmethod(fromfile)


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return importlib.util.find_spec(package) is not None
    return True


def _installed_path(package: str) -> str:
    """The folder of the package's module, found by module or by distribution name."""
    names = [package]
    try:
        text = importlib.metadata.distribution(package).read_text('top_level.txt') or ''
        names += text.split()
    except importlib.metadata.PackageNotFoundError:
        pass
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            return next(iter(spec.submodule_search_locations))
    raise DependencyError(f'{package} is not installed: pip install {package}')

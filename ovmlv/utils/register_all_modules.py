"""Explicit registration, as OpenMMLab's packages offer it."""

from __future__ import annotations

import datetime
import warnings
from importlib import import_module

LOCATIONS = ('apis', 'datasets', 'engine', 'evaluation', 'models', 'visualization')


def register_all_modules(init_default_scope: bool = True) -> None:
    """Import every module of ovmlv, so that all of its classes are in the registries.

    Configs do not need this, since the registries import their ``locations`` on first use. Programs
    that look into registries without a Runner need it, and ``mmengine.hub`` calls it by this name.

    Args:
        init_default_scope: Whether to make ``ovmlv`` the scope in which unprefixed names are looked
            up.
    """
    for location in LOCATIONS:
        import_module(f'ovmlv.{location}')
    if not init_default_scope:
        return
    from mmengine.registry import DefaultScope

    current = DefaultScope.get_current_instance()
    if current is None:
        DefaultScope.get_instance('ovmlv', scope_name='ovmlv')
    elif current.scope_name != 'ovmlv':
        warnings.warn(
            f'the default scope "{current.scope_name}" gives way to "ovmlv"; call '
            'register_all_modules(init_default_scope=False) to keep it',
            stacklevel=2,
        )
        name = f'ovmlv-{datetime.datetime.now():%Y%m%d%H%M%S%f}'
        DefaultScope.get_instance(name, scope_name='ovmlv')

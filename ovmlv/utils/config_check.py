"""Looking through a config for mistakes before anything is built.

Every ``type`` is looked up in the registry that will be asked for it, in the scope that will be in
force there, and the keywords beside it are compared with its signature. Nothing is instantiated.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import mmengine.registry as roots
from mmengine.registry import Registry
from torch.utils.data import DataLoader

from ovmlv.plain_text import message_line

# Registries by the key of a config that holds the `type`; the nearest key upwards decides.
_BY_KEY: dict[str, str] = {
    'model': 'MODELS',
    'init_cfg': 'WEIGHT_INITIALIZERS',
    'dataset': 'DATASETS',
    'datasets': 'DATASETS',
    'pipeline': 'TRANSFORMS',
    'transforms': 'TRANSFORMS',
    'sampler': 'DATA_SAMPLERS',
    'batch_sampler': 'DATA_SAMPLERS',
    'collate_fn': 'FUNCTIONS',
    'worker_init_fn': 'FUNCTIONS',
    'val_evaluator': 'METRICS',
    'test_evaluator': 'METRICS',
    'metrics': 'METRICS',
    'train_cfg': 'LOOPS',
    'val_cfg': 'LOOPS',
    'test_cfg': 'LOOPS',
    'optim_wrapper': 'OPTIM_WRAPPERS',
    'optimizer': 'OPTIMIZERS',
    'constructor': 'OPTIM_WRAPPER_CONSTRUCTORS',
    'param_scheduler': 'PARAM_SCHEDULERS',
    'default_hooks': 'HOOKS',
    'custom_hooks': 'HOOKS',
    'visualizer': 'VISUALIZERS',
    'vis_backends': 'VISBACKENDS',
    'log_processor': 'LOG_PROCESSORS',
    'model_wrapper_cfg': 'MODEL_WRAPPERS',
    'strategy': 'STRATEGIES',
    'tta_model': 'MODELS',
    'tta_pipeline': 'TRANSFORMS',
}
# Below `model` these words have other meanings, or are plain data of the model's own.
_MODEL_KEYS = {'init_cfg', 'model'}
# Keys of an optimizer wrapper that go to its constructor.
_OF_CONSTRUCTOR = {'constructor', 'paramwise_cfg'}
# What mmengine takes out of a loader's settings.
_OF_LOADER = {'num_batch_per_epoch'}
# Values that no registry is asked for.
_OPAQUE = {'metainfo', 'class_attributes', 'data_prefix', 'paramwise_cfg', 'env_cfg'}


@dataclass(frozen=True)
class Mistake:
    """One mistake in a config: its place, and what is wrong with how to mend it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f'{self.path}: {self.message}'


def check_config(cfg: Mapping[str, Any]) -> list[Mistake]:
    """All mistakes that can be seen without building anything.

    Args:
        cfg: The config, already with its command-line changes.

    Returns:
        Mistakes in the order of the config; empty if there are none.
    """
    scope = cfg.get('default_scope') or 'ovmlv'
    mistakes = list(_check_scope('default_scope', scope))
    if mistakes:
        return mistakes
    for key, value in cfg.items():
        if key in _BY_KEY or key.endswith('_dataloader'):
            mistakes += _walk(value, key, _BY_KEY.get(key), scope)
        if key.endswith('_dataloader') and isinstance(value, Mapping) and 'type' not in value:
            mistakes += _check_keywords(value, key, DataLoader, _OF_LOADER)
    return mistakes


def _walk(value: Any, path: str, registry: str | None, scope: str) -> Iterator[Mistake]:
    if isinstance(value, Mapping):
        scope = value.get('_scope_') or scope
        if '_scope_' in value:
            wrong = list(_check_scope(f'{path}._scope_', scope))
            if wrong:
                yield from wrong
                return
        if 'type' in value and registry is not None:
            yield from _check_node(value, path, registry, scope)
        for key, item in value.items():
            if key in ('type', '_scope_') or key in _OPAQUE:
                continue
            yield from _walk(item, f'{path}.{key}', _registry_below(key, registry), scope)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _walk(item, f'{path}[{index}]', registry, scope)


def _registry_below(key: str, registry: str | None) -> str | None:
    if registry == 'MODELS':
        return _BY_KEY[key] if key in _MODEL_KEYS else 'MODELS'
    if registry == 'HOOKS':  # their names are the user's: one of mmengine's is "param_scheduler"
        return 'HOOKS'
    if registry == 'OPTIM_WRAPPERS':
        return _BY_KEY.get(key)
    return _BY_KEY.get(key, registry)


def _check_scope(path: str, scope: str) -> Iterator[Mistake]:
    if scope == 'mmengine':
        return
    try:
        import_module(f'{scope}.registry')
    except ModuleNotFoundError as error:
        if error.name in (scope, f'{scope}.registry'):
            mend = 'write "ovmlv", or install the package of that name'
            yield Mistake(path, f'there is no scope "{scope}" ({error}); {mend}')
        else:
            yield Mistake(path, f'scope "{scope}" cannot be imported: {_one_line(error)}')
    except Exception as error:  # whatever a foreign package raises on import is its root cause
        yield Mistake(path, f'scope "{scope}" cannot be imported: {_one_line(error)}')


def _check_node(node: Mapping, path: str, name: str, scope: str) -> Iterator[Mistake]:
    kind = node['type']
    if not isinstance(kind, str):
        if callable(kind):
            yield from _check_keywords(node, path, kind)
        else:
            yield Mistake(f'{path}.type', f'{kind!r} is neither a name nor a class')
        return
    if name == 'MODELS' and '.' in path and kind.islower() and '.' not in kind:
        return  # plain data of a model, such as rope_scaling=dict(type='linear')
    root = _root_for(name, kind)
    try:
        with root.switch_scope_and_registry(scope) as registry:
            found = registry.get(kind)
    except Exception as error:  # a location that does not import: its cause, not its symptom
        yield Mistake(f'{path}.type', f'{kind} cannot be imported: {_one_line(error)}')
        return
    if found is None or inspect.ismodule(found):
        yield Mistake(f'{path}.type', _unknown(kind, name, scope))
    else:
        extra = _OF_CONSTRUCTOR if name == 'OPTIM_WRAPPERS' else frozenset()
        yield from _check_keywords(node, path, found, extra)


def _root_for(name: str, kind: str) -> Registry:
    if name == 'METRICS' and kind.split('.')[-1].endswith('Evaluator'):
        name = 'EVALUATOR'
    return getattr(roots, name)


def _unknown(kind: str, name: str, scope: str) -> str:
    """A message for a name that no registry knows, with the nearest names that some do."""
    nearest = nearest_names(kind, name, scope)
    mend = f'nearest: {", ".join(nearest)}' if nearest else 'no name is near'
    if not nearest:  # right name in the wrong place?
        for other in ('MODELS', 'DATASETS', 'TRANSFORMS', 'METRICS', 'HOOKS'):
            elsewhere = nearest_names(kind, other, scope, 1) if other != name else []
            if elsewhere and elsewhere[0].split('.')[-1] == kind.split('.')[-1]:
                mend = f'{elsewhere[0]} is in {other}'
    return f"'{kind}' is not in the registry {name} (scope {scope}); {mend}"


def nearest_names(kind: str, name: str, scope: str, count: int = 3) -> list[str]:
    """Registered names near ``kind``, in the form in which ``scope`` writes them.

    Args:
        kind: The name that was not found, with or without a prefix.
        name: The root registry, such as ``'MODELS'``.
        scope: The scope in force at its place.
        count: Most names to return.
    """
    root = getattr(roots, name)
    names = {own: own for own in root.module_dict}
    scopes = {scope, 'mmaction', *root.children, kind.split('.')[0] if '.' in kind else scope}
    for other in sorted(scopes):
        try:
            import_module(f'{other}.registry')
            child = root.children[other]
            child.import_from_location()
        except Exception:  # an optional package that is missing or broken offers no names
            continue
        for own in child.module_dict:
            if other == scope or own not in names:
                names[own] = own if other == scope else f'{other}.{own}'
    lowered = {own.lower(): spelt for own, spelt in names.items()}
    bare = kind.split('.')[-1].lower()
    return [lowered[near] for near in get_close_matches(bare, lowered, count, cutoff=0.6)]


def _check_keywords(
    node: Mapping, path: str, target: Any, extra: Set[str] = frozenset()
) -> Iterator[Mistake]:
    accepted, is_open = _keywords(target)
    if accepted is None:
        return
    for key in node:
        if key in ('type', '_scope_', '_delete_') or key in accepted | extra:
            continue
        near = get_close_matches(key, accepted, 1, cutoff=0.8 if is_open else 0.6)
        if is_open and not near:
            continue  # **kwargs may well take it
        name = getattr(target, '__name__', str(target))
        mend = f'did you mean {near[0]}?' if near else f'it takes {", ".join(sorted(accepted))}'
        yield Mistake(f'{path}.{key}', f'{name} takes no "{key}"; {mend}')


def _keywords(target: Any) -> tuple[set[str] | None, bool]:
    """Keywords that a class or function takes, and whether it may take others (``**kwargs``).

    A class that passes ``**kwargs`` on is read together with its bases. The result is None if the
    signature cannot be read.
    """
    functions = [target]
    if inspect.isclass(target):
        functions = [vars(base)['__init__'] for base in target.__mro__ if '__init__' in vars(base)]
    accepted: set[str] = set()
    for function in functions:
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            return None, True
        accepted |= {
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        }
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            return accepted - {'self'}, function is not functions[0]
    return accepted - {'self'}, True


def _one_line(error: BaseException) -> str:
    """The last cause of an error, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return message_line(f'{type(error).__name__}: {error}')

"""The registries of ovmlv: children of mmengine's roots, all with scope ``ovmlv``.

Every root has its child here: if one were missing, mmengine would use another scope with only a
warning. ``locations`` lets mmengine import a registry's modules on first use, so that configs need
no ``custom_imports``.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from ovmlv.compat import apply as _apply

# Here too, so that a host project that names one of ovmlv's parts gets the repairs; first, since it
# says in one line what is missing where there is no mmengine.
_apply()

import mmengine.registry as _root  # noqa: E402
from mmengine.registry import registry as _machinery  # noqa: E402


def _child(parent: _root.Registry, location: str) -> _root.Registry:
    return _root.Registry(
        parent.name, parent=parent, scope='ovmlv', locations=[f'ovmlv.{location}']
    )


RUNNERS = _child(_root.RUNNERS, 'engine')
RUNNER_CONSTRUCTORS = _child(_root.RUNNER_CONSTRUCTORS, 'engine')
LOOPS = _child(_root.LOOPS, 'engine')
HOOKS = _child(_root.HOOKS, 'engine')
STRATEGIES = _child(_root.STRATEGIES, 'engine')
DATASETS = _child(_root.DATASETS, 'datasets')
DATA_SAMPLERS = _child(_root.DATA_SAMPLERS, 'datasets')
TRANSFORMS = _child(_root.TRANSFORMS, 'datasets')
MODELS = _child(_root.MODELS, 'models')
MODEL_WRAPPERS = _child(_root.MODEL_WRAPPERS, 'models')
WEIGHT_INITIALIZERS = _child(_root.WEIGHT_INITIALIZERS, 'models')
OPTIMIZERS = _child(_root.OPTIMIZERS, 'engine')
OPTIM_WRAPPERS = _child(_root.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(_root.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child(_root.PARAM_SCHEDULERS, 'engine')
METRICS = _child(_root.METRICS, 'evaluation')
EVALUATOR = _child(_root.EVALUATOR, 'evaluation')
TASK_UTILS = _child(_root.TASK_UTILS, 'models')
VISUALIZERS = _child(_root.VISUALIZERS, 'visualization')
VISBACKENDS = _child(_root.VISBACKENDS, 'visualization')
LOG_PROCESSORS = _child(_root.LOG_PROCESSORS, 'engine')
INFERENCERS = _child(_root.INFERENCERS, 'apis')
FUNCTIONS = _child(_root.FUNCTIONS, 'datasets')


# --- names of data ---------------------------------------------------------------------------

#: Scopes that a config may name without anybody having imported them.
_SCOPES = ('ovmlv', 'mmaction', 'mmengine')
_only_registered: ContextVar[bool] = ContextVar('only_registered', default=False)


def is_scope(name: Any) -> bool:
    """Whether a config may name this scope: one of ours, or one of a package that was imported."""
    return isinstance(name, str) and (name in _SCOPES or name in _root.MODELS.children)


def find_registered(root: _root.Registry, name: str, scope: str = 'ovmlv') -> Any:
    """The object that is registered under a name, or None.

    ``Registry.get`` also accepts the path of any object of any module as a name, and imports it
    (all mmengine 0.x). Here, only the parts of known packages are imported.

    Args:
        root: One of mmengine's registries.
        name: The name, with or without the scope before it.
        scope: Scope in which to look for a name without a scope.
    """
    prefix, dot, rest = name.partition('.')
    if dot:
        scope, name = prefix, rest
    if scope in _SCOPES and scope != root.scope:
        try:
            import_module(f'{scope}.registry')
        except ImportError:
            return None
    node = root if scope == root.scope else root.children.get(scope)
    while node is not None:
        with suppress(ImportError):  # mmaction2 1.2.0 names locations that are not there
            node.import_from_location()
        if name in node.module_dict:
            return node.module_dict[name]
        node = None if dot else node.parent
    return None


@contextmanager
def registered_only() -> Iterator[None]:
    """Inside this context, in this thread, registries build registered classes and nothing else."""
    original = _machinery.get_object_from_string
    if not hasattr(original, '__wrapped__'):

        def get_object_from_string(name: str) -> Any:
            return None if _only_registered.get() else original(name)

        get_object_from_string.__wrapped__ = original  # type: ignore[attr-defined]
        _machinery.get_object_from_string = get_object_from_string
    token = _only_registered.set(True)
    try:
        yield
    finally:
        _only_registered.reset(token)

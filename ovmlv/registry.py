"""The registries of ovmlv: children of mmengine's roots, all with scope ``ovmlv``.

Every root has its child here, since mmengine falls back to another scope with a mere warning
where one is missing. ``locations`` lets mmengine import a registry's modules on first use, so
that configs need no ``custom_imports``.
"""

from ovmlv.compat import apply as _apply

# Here too, so that a host project that names one of ovmlv's parts gets the repairs; first, since it
# says in one line what is missing where there is no mmengine.
_apply()

import mmengine.registry as _root  # noqa: E402


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
FUNCTIONS = _child(_root.FUNCTIONS, 'apis')

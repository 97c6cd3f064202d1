"""The registries of ovmlv: children of mmengine's roots, all with scope ``ovmlv``.

Every root has its child here, since mmengine falls back to another scope with a mere warning
where one is missing. ``locations`` lets mmengine import a registry's modules on first use, so
that configs need no ``custom_imports``.
"""

from mmengine.registry import (
    DATA_SAMPLERS as _DATA_SAMPLERS,
    DATASETS as _DATASETS,
    EVALUATOR as _EVALUATOR,
    FUNCTIONS as _FUNCTIONS,
    HOOKS as _HOOKS,
    INFERENCERS as _INFERENCERS,
    LOG_PROCESSORS as _LOG_PROCESSORS,
    LOOPS as _LOOPS,
    METRICS as _METRICS,
    MODEL_WRAPPERS as _MODEL_WRAPPERS,
    MODELS as _MODELS,
    OPTIM_WRAPPER_CONSTRUCTORS as _OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS as _OPTIM_WRAPPERS,
    OPTIMIZERS as _OPTIMIZERS,
    PARAM_SCHEDULERS as _PARAM_SCHEDULERS,
    RUNNER_CONSTRUCTORS as _RUNNER_CONSTRUCTORS,
    RUNNERS as _RUNNERS,
    STRATEGIES as _STRATEGIES,
    TASK_UTILS as _TASK_UTILS,
    TRANSFORMS as _TRANSFORMS,
    VISBACKENDS as _VISBACKENDS,
    VISUALIZERS as _VISUALIZERS,
    WEIGHT_INITIALIZERS as _WEIGHT_INITIALIZERS,
    Registry,
)


def _child(parent: Registry, location: str) -> Registry:
    return Registry(parent.name, parent=parent, scope='ovmlv', locations=[f'ovmlv.{location}'])


RUNNERS = _child(_RUNNERS, 'engine')
RUNNER_CONSTRUCTORS = _child(_RUNNER_CONSTRUCTORS, 'engine')
LOOPS = _child(_LOOPS, 'engine')
HOOKS = _child(_HOOKS, 'engine')
STRATEGIES = _child(_STRATEGIES, 'engine')
DATASETS = _child(_DATASETS, 'datasets')
DATA_SAMPLERS = _child(_DATA_SAMPLERS, 'datasets')
TRANSFORMS = _child(_TRANSFORMS, 'datasets')
MODELS = _child(_MODELS, 'models')
MODEL_WRAPPERS = _child(_MODEL_WRAPPERS, 'models')
WEIGHT_INITIALIZERS = _child(_WEIGHT_INITIALIZERS, 'models')
OPTIMIZERS = _child(_OPTIMIZERS, 'engine')
OPTIM_WRAPPERS = _child(_OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(_OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child(_PARAM_SCHEDULERS, 'engine')
METRICS = _child(_METRICS, 'evaluation')
EVALUATOR = _child(_EVALUATOR, 'evaluation')
TASK_UTILS = _child(_TASK_UTILS, 'models')
VISUALIZERS = _child(_VISUALIZERS, 'visualization')
VISBACKENDS = _child(_VISBACKENDS, 'visualization')
LOG_PROCESSORS = _child(_LOG_PROCESSORS, 'engine')
INFERENCERS = _child(_INFERENCERS, 'apis')
FUNCTIONS = _child(_FUNCTIONS, 'apis')

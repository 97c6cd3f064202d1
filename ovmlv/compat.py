"""Repairs for the versions of other libraries, in one place.

Every repair names what it repairs, in which versions, and the upstream issue. The plain way is
tried first, and a repair is made only if the very error occurs that it is for, so an installation
that works is never changed.

:func:`watch_imports` needs no library and runs when ovmlv is imported: a library that it repairs is
repaired when somebody imports that library. :func:`apply` makes the other repairs, which need torch
and mmengine; every subpackage of ovmlv calls it first. A program that uses mmengine's Runner,
torchvision, open_clip or transformers *before* it imports a part of ovmlv must call it.

mmengine >= 0.10.7 is not repaired but required (:mod:`ovmlv.openmmlab`).
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import pickle
import re
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .config_names import allow_config_prefix
from .errors import DependencyError
from .import_hooks import Execute, after_import, around_import, replace_function
from .openmmlab import MMCV, MMENGINE, require

_applied = False
_libraries: list[Any] = []  # schemas of operators live as long as these objects


def apply() -> None:
    """Make all repairs; the second call and later ones return at once.

    Raises:
        DependencyError: mmengine is missing or too old.
    """
    global _applied
    if _applied:
        return
    watch_imports()
    require(MMENGINE)
    trust_mmengine_checkpoints()
    _applied = True


def watch_imports() -> None:
    """Register the repairs that wait until a library is imported. It imports nothing itself."""
    declare_torchvision_ops()
    launch_without_cuda()
    watch_mmaction()
    allow_config_prefix()


# --- torchvision -----------------------------------------------------------------------------


def declare_torchvision_ops() -> None:
    """PyPI's torchvision beside a CPU build of torch: ``import torchvision`` raises "operator
    torchvision::nms does not exist", and open_clip, timm and transformers fail with it.

    torchvision 0.17 and later (pytorch/vision#8985, #9085): its C++ library, linked to CUDA, does
    not load, but its Python part describes the operators all the same. If the import fails with
    these words, the two schemas are declared and the import is tried once more; *calling* the
    operators still fails with torchvision's own explanation. Nothing is declared before, since a
    library that loads declares them itself, and a second declaration ends the process.
    """
    around_import('torchvision', _import_torchvision)


def _import_torchvision(execute: Execute, module: ModuleType) -> None:
    try:
        execute()
    except RuntimeError as error:
        if not re.search(r'operator torchvision::q?nms does not exist', str(error)):
            raise
        _declare_operators()
        execute()


def _declare_operators() -> None:
    import torch
    from torch import library

    for name in ('nms', 'qnms'):
        if not torch._C._jit_get_schemas_for_operator(f'torchvision::{name}'):
            declared = library.Library('torchvision', 'FRAGMENT')
            declared.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
            _libraries.append(declared)


# --- mmengine: checkpoints ---------------------------------------------------------------------


def trust_mmengine_checkpoints() -> None:
    """``--resume`` fails with "Weights only load failed ... HistoryBuffer".

    This is for mmengine 0.10 under torch >= 2.6, where ``torch.load`` became safe by default
    (mmengine#1655, solved upstream by switching the safety off). Here, the safety stays on: exactly
    the classes that mmengine's own checkpoints hold are allowed.
    """
    import numpy as np
    import torch
    from mmengine.logging.history_buffer import HistoryBuffer

    if not hasattr(torch.serialization, 'add_safe_globals'):
        return
    reconstruct: Any = np.ndarray(0).__reduce__()[0]
    scalar: Any = np.float64(0).__reduce__()[0]
    dtypes: set[Any] = {
        type(np.dtype(kind)) for kind in ('f2', 'f4', 'f8', 'i1', 'i4', 'i8', 'u1', '?')
    }
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            np.ndarray,
            np.dtype,
            *dtypes,
            # numpy 2 moved them; files of either version must load.
            (reconstruct, 'numpy.core.multiarray._reconstruct'),
            (reconstruct, 'numpy._core.multiarray._reconstruct'),
            (scalar, 'numpy.core.multiarray.scalar'),
            (scalar, 'numpy._core.multiarray.scalar'),
            (_statistic_of_history, 'builtins.getattr'),
        ]
    )


def _statistic_of_history(owner: Any, name: str) -> Any:
    """Replaces ``getattr`` while a checkpoint loads: HistoryBuffer pickles its own methods by
    attribute look-up, which in general would give a file access to anything.
    """
    from mmengine.logging.history_buffer import HistoryBuffer

    if owner is HistoryBuffer and name in ('min', 'max', 'current', 'mean'):
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(f'a checkpoint asks for attribute {name!r} of {owner!r}')


# --- mmengine: averaged weights ----------------------------------------------------------------


def keep_averaged_weights() -> None:
    """``runner.test()`` after ``runner.train()`` tests the last weights, not the averaged ones.

    In all mmengine 0.x, ``EMAHook`` starts a new average at every start of a run. With this repair,
    it goes on with its average of the same model. ``FlexibleRunner`` also loads a checkpoint before
    it starts the run, where the hook fails with "no attribute 'ema_model'"; the average is now made
    when it is first needed. The repair is not part of :func:`apply`, since importing the hooks
    takes a second; ``ovmlv.engine`` calls it.
    """
    from mmengine.hooks import EMAHook
    from mmengine.model import is_model_wrapper

    original = EMAHook.before_run
    if hasattr(original, '__wrapped__'):
        return

    @functools.wraps(original)
    def before_run(self: Any, runner: Any) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if getattr(self, 'src_model', None) is not model:
            original(self, runner)

    load = EMAHook.after_load_checkpoint

    @functools.wraps(load)
    def after_load_checkpoint(self: Any, runner: Any, checkpoint: dict) -> None:
        before_run(self, runner)
        load(self, runner, checkpoint)

    EMAHook.before_run = before_run
    EMAHook.after_load_checkpoint = after_load_checkpoint


# --- mmengine: distributed runs without a GPU ----------------------------------------------------


def launch_without_cuda() -> None:
    """``torchrun`` on a machine without a GPU dies with "no attribute '_cuda_setDevice'".

    In all mmengine 0.x, the launchers call ``torch.cuda.set_device`` unconditionally, and the
    Runner passes ``device_ids`` to a DistributedDataParallel on the CPU, which refuses them. If
    there is no accelerator, the backend becomes gloo and both are left out.
    """

    def repair(utils: ModuleType) -> None:
        for name in ('_init_dist_pytorch', '_init_dist_slurm', '_init_dist_mpi'):
            replace_function('mmengine', utils, name, _without_cuda)

    after_import('mmengine.dist.utils', repair)


def _without_cuda(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def launch(backend: str, *args: Any, **kwargs: Any) -> None:
        import torch
        from mmengine.device import get_device

        if torch.cuda.is_available() or get_device() not in ('cpu', 'mps'):
            original(backend, *args, **kwargs)
            return
        set_device = torch.cuda.set_device
        torch.cuda.set_device = lambda device: None
        try:
            original('gloo', *args, **kwargs)
        finally:
            torch.cuda.set_device = set_device
        _wrap_models_on_cpu()

    return launch


def _wrap_models_on_cpu() -> None:
    from mmengine.model.wrappers import MMDistributedDataParallel as Wrapper

    original = Wrapper.__init__
    if hasattr(original, '__wrapped__'):
        return

    @functools.wraps(original)
    def init(self: Any, module: Any, *args: Any, **kwargs: Any) -> None:
        if all(parameter.device.type == 'cpu' for parameter in module.parameters()):
            kwargs.pop('device_ids', None)
        original(self, module, *args, **kwargs)

    Wrapper.__init__ = init


# --- mmaction2 -----------------------------------------------------------------------------------


def watch_mmaction() -> None:
    """mmaction2 1.2.0 (its last release): repairs that are made when it is imported.

    * if mmcv is missing or too old, there is a clear :class:`~ovmlv.errors.DependencyError`;
    * it refuses mmcv >= 2.2 without need, and so the maintained fork onedl-mmcv too: while it asks,
      it is shown a version that it accepts. The same is done for mmdet, if that is installed;
    * ``mmaction.models.localizers.drn`` is missing from the wheel (mmaction2#2714): a stand-in
      whose one class, DRN, says so when it is built;
    * its VindLU models import parts of transformers that transformers 5 no longer has: they are
      left out, as mmaction2 does itself if transformers is not installed.
    """
    around_import('mmaction', _import_mmaction)
    around_import('mmdet', _import_beside_newer_mmcv)
    around_import('mmaction.models.multimodal', _import_vindlu)
    if not any(isinstance(finder, _DRNFinder) for finder in sys.meta_path):
        sys.meta_path.append(_DRNFinder())


def _import_mmaction(execute: Execute, module: ModuleType) -> None:
    check_mmcv()
    try:
        _import_beside_newer_mmcv(execute, module)
    except AssertionError as error:
        if 'is used but incompatible' not in str(error):
            raise
        raise DependencyError(f'mmaction2 cannot be used: {" ".join(str(error).split())}') from None


def _import_beside_newer_mmcv(execute: Execute, module: ModuleType) -> None:
    """Import while mmcv shows another version; its own version is back after the import."""
    try:
        execute()
    except AssertionError as error:
        if not str(error).startswith('MMCV=='):
            raise
        import mmcv

        version = mmcv.__version__
        mmcv.__version__ = '2.1.0'
        try:
            execute()
        finally:
            mmcv.__version__ = version


def _import_vindlu(execute: Execute, module: ModuleType) -> None:
    try:
        execute()
    except ImportError as error:
        if (error.name or '').split('.')[0] != 'transformers':
            raise
        import mmaction.utils.dependency
        from mmaction import registry

        for part in (registry.MODELS, registry.TOKENIZER):  # what the first try registered
            for name, kind in list(part._module_dict.items()):
                if kind.__module__.startswith(f'{module.__name__}.'):
                    del part._module_dict[name]
        mmaction.utils.dependency.WITH_MULTIMODAL = False
        execute()


def check_mmcv() -> None:
    """Raise unless there is an mmcv that mmaction2 can use (>= 2.0).

    The source distribution of ``mmcv`` does not build under setuptools >= 82 (mmcv#3325), so the
    message asks for ``mmcv-lite``, which is enough.
    """
    require(MMCV)


class _DRNFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """A finder that comes last, so that an mmaction2 with its own ``drn`` keeps it."""

    name = 'mmaction.models.localizers.drn'

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname in (self.name, f'{self.name}.drn'):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=fullname == self.name)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        class DRN:
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                raise DependencyError(
                    'DRN is missing from the wheel of mmaction2 1.2.0 (mmaction2#2714): '
                    'install mmaction2 from its repository to use it'
                )

        DRN.__module__ = module.__name__
        module.DRN = DRN  # type: ignore[attr-defined]

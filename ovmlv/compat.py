"""Repairs for the versions underneath, in one place: :func:`apply` makes them all.

Every repair names what it repairs, in which versions, and the upstream issue, and does nothing
where it is not needed. They must run before torchvision, ``mmengine.runner``, open_clip or
transformers are imported, so every subpackage of ovmlv calls :func:`apply` first thing; a program
that imports those libraries before ovmlv calls it by hand.

Not repaired but required: mmengine >= 0.10.7, since older ones register Adafactor twice beside
transformers (mmengine#1609).
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import pickle
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from .errors import DependencyError

_applied = False
_libraries: list[Any] = []  # schemas of torch.library live as long as these objects


def apply() -> None:
    """Make all repairs; the second call and later ones return at once."""
    global _applied
    if _applied:
        return
    _applied = True
    declare_torchvision_ops()
    trust_mmengine_checkpoints()
    watch_mmaction()
    launch_without_cuda()


def _release(version: str) -> tuple[int, ...]:
    """``'5.23.0.dev0+x'`` -> ``(5, 23)``."""
    digits = (part for part in version.split('+')[0].split('.') if part.isdigit())
    return tuple(int(part) for _, part in zip(range(2), digits))


def _version(distribution: str) -> tuple[int, ...] | None:
    try:
        return _release(importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        return None


# --- torchvision -----------------------------------------------------------------------------


def declare_torchvision_ops() -> None:
    """PyPI's torchvision beside a CPU build of torch: ``import torchvision`` raises "operator
    torchvision::nms does not exist", and open_clip, timm and transformers fail with it.

    torchvision 0.17 and later (pytorch/vision#8985, #9085): its C++ library, linked to CUDA, does
    not load, but its Python part describes the operators all the same. Declaring the two schemas
    is enough for the import; *calling* them still fails with torchvision's own explanation.
    Where the library loads, it declares them itself, and a second declaration would be an error.
    """
    if 'torchvision' in sys.modules:
        return
    spec = importlib.util.find_spec('torchvision')
    if spec is None or not spec.submodule_search_locations:
        return
    import torch

    if _loads_operators(spec.submodule_search_locations):
        return
    for name in ('nms', 'qnms'):
        if not torch._C._jit_get_schemas_for_operator(f'torchvision::{name}'):
            library = torch.library.Library('torchvision', 'FRAGMENT')
            library.define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
            _libraries.append(library)


def _loads_operators(folders: Sequence[str]) -> bool:
    """Whether torchvision's C++ library loads; loading it twice is harmless."""
    import torch

    loader = (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES)
    for folder in folders:
        spec = importlib.machinery.FileFinder(folder, loader).find_spec('_C')
        if spec is not None and spec.origin:
            try:
                torch.ops.load_library(spec.origin)
            except (OSError, ImportError):
                return False
            return True
    return False


# --- mmengine: checkpoints ---------------------------------------------------------------------


def trust_mmengine_checkpoints() -> None:
    """``--resume`` fails with "Weights only load failed ... HistoryBuffer".

    mmengine 0.10 under torch >= 2.6, where ``torch.load`` became safe by default (mmengine#1655,
    solved upstream by switching the safety off). Here it stays on: exactly the classes that
    mmengine's own checkpoints hold are allowed.
    """
    import numpy as np
    import torch
    from mmengine.logging.history_buffer import HistoryBuffer

    if not hasattr(torch.serialization, 'add_safe_globals'):
        return
    reconstruct = np.ndarray(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    dtypes = {type(np.dtype(kind)) for kind in ('f2', 'f4', 'f8', 'i1', 'i4', 'i8', 'u1', '?')}
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
    """Stands for ``getattr`` while a checkpoint loads: HistoryBuffer pickles its own methods by
    attribute look-up, which in general would give a file access to anything."""
    from mmengine.logging.history_buffer import HistoryBuffer

    if owner is HistoryBuffer and name in ('min', 'max', 'current', 'mean'):
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(f'a checkpoint asks for attribute {name!r} of {owner!r}')


# --- mmengine: averaged weights ----------------------------------------------------------------


def keep_averaged_weights() -> None:
    """``runner.test()`` after ``runner.train()`` tests the last weights, not the averaged ones.

    All mmengine 0.x: ``EMAHook`` starts a new average at every start of a run. Here it goes on
    with the one that it has of the same model. Not part of :func:`apply`, since importing the hooks
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

    EMAHook.before_run = before_run


# --- mmengine: distributed runs without a GPU ----------------------------------------------------


def launch_without_cuda() -> None:
    """``torchrun`` on a machine without a GPU dies with "no attribute '_cuda_setDevice'".

    All mmengine 0.x: its launchers call ``torch.cuda.set_device`` unconditionally, and its
    Runner passes ``device_ids`` to a DistributedDataParallel on the CPU, which refuses them.
    Where there is no accelerator, the backend becomes gloo and both are left out.
    """
    from mmengine.dist import utils

    for name in ('_init_dist_pytorch', '_init_dist_slurm', '_init_dist_mpi'):
        original = getattr(utils, name, None)
        if original is not None and not hasattr(original, '__wrapped__'):
            setattr(utils, name, _without_cuda(original))


def _without_cuda(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def launch(backend: str, *args: Any, **kwargs: Any) -> None:
        import torch
        from mmengine.device import get_device

        if torch.cuda.is_available() or get_device() not in ('cpu', 'mps'):
            return original(backend, *args, **kwargs)
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
    """mmaction2 1.2.0 (its last release): three repairs, made when it is imported and not before.

    * no or an unfit mmcv: a clear :class:`~ovmlv.errors.DependencyError`;
    * ``mmaction.models.localizers.drn`` is missing from the wheel (mmaction2#2714): a stand-in
      whose one class, DRN, says so when it is built;
    * its VindLU models import parts of transformers that transformers 5 no longer has: they are
      left out, as mmaction2 does itself where transformers is not installed.
    """
    if not any(isinstance(finder, _MMActionWatch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _MMActionWatch())
        sys.meta_path.append(_DRNFinder())


class _MMActionWatch(importlib.abc.MetaPathFinder):
    """Finds nothing itself; acts just before others look for modules of mmaction2."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        if fullname == 'mmaction':
            check_mmcv()
        elif fullname == 'mmaction.models.multimodal' and (_version('transformers') or (0,)) >= (
            5,
        ):
            import mmaction.utils.dependency

            mmaction.utils.dependency.WITH_MULTIMODAL = False


class _DRNFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Comes last, so that an mmaction2 with its own ``drn`` keeps it."""

    name = 'mmaction.models.localizers.drn'

    def find_spec(self, fullname: str, path: Any = None, target: Any = None):
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
        module.DRN = DRN


def check_mmcv() -> None:
    """Raise unless mmaction2 will find an mmcv that it accepts (>= 2.0.0rc4, < 2.2).

    ``mmcv`` and ``mmcv-lite`` own the same module and overwrite each other, so that neither is a
    requirement of the package (the way of OpenMMLab: ``requirements/mminstall.txt``). The source
    distribution of ``mmcv`` does not build under setuptools >= 82 (mmcv#3325).
    """
    mend = 'pip install "mmcv-lite==2.1.0"'
    spec = importlib.util.find_spec('mmcv')
    if spec is None:
        raise DependencyError(f'mmaction2 needs mmcv, which is not installed: {mend}')
    for distribution in ('mmcv', 'mmcv-lite', 'mmcv-full'):
        version = _version(distribution)
        if version is not None and not (2, 0) <= version < (2, 2):
            raise DependencyError(
                f'mmaction2 needs mmcv >= 2.0 and < 2.2, but {distribution} '
                f'{importlib.metadata.version(distribution)} is installed: '
                f'pip uninstall -y {distribution}, then {mend}'
            )


# --- by request only -----------------------------------------------------------------------------


def allow_config_prefix() -> None:
    """Make ``ovmlv::ovmlv_charades.py`` and ``mmaction::...`` usable in ``_base_`` and hubs.

    Not part of :func:`apply`, since it adds to mmengine's table of packages. mmengine 0.10
    resolves such names by ``pkg_resources``, which setuptools 82 removed; where it is missing,
    ``importlib.metadata`` takes its place. Configs ship in wheels only (``ovmlv/.mim``).
    """
    from mmengine import utils
    from mmengine.config import config
    from mmengine.config.utils import MODULE2PACKAGE
    from mmengine.hub import hub
    from mmengine.utils import package_utils

    MODULE2PACKAGE.setdefault('ovmlv', 'ovmlv')
    if importlib.util.find_spec('pkg_resources') is None:
        for module in (package_utils, utils, config, hub):
            for name, function in (
                ('is_installed', _is_installed),
                ('get_installed_path', _installed_path),
            ):
                if hasattr(module, name):
                    setattr(module, name, function)


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
            return list(spec.submodule_search_locations)[0]
    raise DependencyError(f'{package} is not installed: pip install {package}')

"""Checks of ``ovmlv doctor``. Each imports what it needs, since any of it may be broken."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ovmlv import compat
from ovmlv.errors import DependencyError
from ovmlv.openmmlab import MMCV, MMENGINE, described, fault, require
from ovmlv.utils.error_door import one_line
from ovmlv.version import __version__

from .requirements import declared, problem

if TYPE_CHECKING:
    import numpy as np

_OLDEST, _NEWEST = (3, 10), (3, 12)
_LABELS = ('red circle', 'blue square', 'green triangle')


class Finding(NamedTuple):
    """What a check found.

    Attributes:
        state: ``ok``; ``note`` for what is optional; ``bad`` for what must be mended.
        what: What was looked at.
        detail: What was seen.
        mend: A command or a step; None if nothing is wrong.
    """

    state: str
    what: str
    detail: str
    mend: str | None = None


def python() -> Iterator[Finding]:
    """The interpreter."""
    version = platform.python_version()
    detail = f'{version} at {sys.executable}'
    if _OLDEST <= sys.version_info[:2] <= _NEWEST:
        yield Finding('ok', 'Python', detail)
    else:
        yield Finding('bad', 'Python', detail, 'use Python 3.10, 3.11 or 3.12')


def packages() -> Iterator[Finding]:
    """Versions of what the package requires."""
    package = Path(compat.__file__).resolve().parent
    yield Finding('ok', 'ovmlv', f'{__version__} at {package}')
    if shutil.which('ovmlv') is None:
        mend = 'install the package again, or write python -m ovmlv'
        yield Finding('note', 'command ovmlv', 'it is not on the PATH', mend)
    try:
        lines = declared(package)
    except importlib.metadata.PackageNotFoundError:
        mend = f'pip install PATH of the wheel or checkout that {package} was taken from'
        yield Finding('bad', 'packages', 'ovmlv is not installed', mend)
        return
    for kind, state in (('runtime', 'bad'), ('optional', 'note')):
        unmet = [(text, f'pip install "{line}"') for line in lines[kind] if (text := problem(line))]
        count = len(lines[kind])
        if kind == 'runtime':
            # These two are asked for by module: forks own them too.
            unmet += _missing_libraries()
            count += 2
        for text, mend in unmet:
            yield Finding(state, f'{kind} packages', text, mend)
        if not unmet:
            yield Finding('ok', f'{kind} packages', f'{count} of {count}')


def _missing_libraries() -> Iterator[tuple[str, str]]:
    """What is wrong if mmengine or mmcv is missing, once for both, and how to mend it."""
    missing = [
        library for library in (MMENGINE, MMCV) if importlib.util.find_spec(library.module) is None
    ]
    if missing:
        names = ' and '.join(library.module for library in missing)
        mend = ' '.join(f'"{library.install}"' for library in missing)
        verb = 'are' if missing[1:] else 'is'
        yield f'{names} {verb} not installed', f'pip install {mend}'


def repairs() -> Iterator[Finding]:
    """Libraries that :mod:`ovmlv.compat` repairs, imported as the package does."""
    import torch

    yield Finding('ok', 'torch', f'{torch.__version__}, {torch.get_num_threads()} threads')
    import torchvision

    repaired = '; its operators were declared for the import' if compat._libraries else ''
    yield Finding('ok', 'torchvision', torchvision.__version__ + repaired)
    for library in (MMENGINE, MMCV):
        if importlib.util.find_spec(library.module) is not None:  # else it was named above
            wrong = fault(library)
            if wrong is None:
                yield Finding('ok', library.module, described(library, require(library)))
            else:
                yield Finding('bad', library.module, *wrong)
    import open_clip
    import transformers

    for module in (open_clip, transformers):
        yield Finding('ok', module.__name__, module.__version__)
    import mmaction

    yield Finding('ok', 'mmaction', mmaction.__version__)


def devices() -> Iterator[Finding]:
    """GPUs, with a product on each."""
    import torch

    yield Finding('ok', 'processors', f'{len(_cores())} usable of {os.cpu_count()}')
    if torch.version.cuda is None and shutil.which('nvidia-smi'):
        yield Finding(
            'note',
            'GPU',
            'there is one, but this torch was built without CUDA',
            'install a CUDA build of torch, see https://pytorch.org',
        )
    elif not torch.cuda.is_available():
        yield Finding('ok', 'GPU', 'none; everything runs on the processors')
    for index in range(torch.cuda.device_count()):
        name = torch.cuda.get_device_name(index)
        try:
            ones = torch.ones(8, 8, device=f'cuda:{index}')
            assert float((ones @ ones).sum()) == 512
        except (RuntimeError, AssertionError) as error:
            mend = 'install a build of torch for this GPU and its driver, or use --device cpu'
            yield Finding('bad', f'GPU {index}', f'{name}: {one_line(error)}', mend)
        else:
            yield Finding('ok', f'GPU {index}', name)


def decoders() -> Iterator[Finding]:
    """Each decoder on a video whose frames are known."""
    from ovmlv.datasets.decoders import READERS, open_video

    with _example() as (path, frames):
        for name in READERS:
            package = dict(pyav='av').get(name, name)
            mend = f'pip install --force-reinstall {package}'
            state = 'bad' if name == 'pyav' else 'note'  # which is the default
            if importlib.util.find_spec(package) is None:  # which was named above
                yield Finding('note', f'decoder {name}', f'{package} is not installed')
                continue
            try:
                with contextlib.closing(open_video(path, name)) as reader:
                    found = reader.get_frames([0, len(frames) - 1])
            except DependencyError as error:  # its line says what to do
                yield Finding(state, f'decoder {name}', one_line(error))
                continue
            except Exception as error:
                yield Finding(state, f'decoder {name}', one_line(error), mend)
                continue
            off = max(
                abs(float(a.mean()) - float(b.mean()))
                for a, b in zip(found, (frames[0], frames[-1]), strict=True)
            )
            if off > 8:
                yield Finding(state, f'decoder {name}', 'it gives wrong frames', mend)
            else:
                yield Finding('ok', f'decoder {name}', f'{len(frames)} frames are right')


def model() -> Iterator[Finding]:
    """The shipped CLIP tags a generated video."""
    from ovmlv.apis import OVMLVInferencer

    tagger = OVMLVInferencer('motionshapes', device='cpu')
    with _example() as (path, _):
        result = tagger([path], _LABELS)[0]
    best = result.top(1)[0]
    detail = f'motionshapes says {best.label!r} ({best.probability:.2f}) of a red circle'
    right = best.label == 'red circle'
    mend = None if right else 'install the wheel again with pip install --force-reinstall --no-deps'
    yield Finding('ok' if right else 'bad', 'tagging', detail, mend)


def weights() -> Iterator[Finding]:
    """Where downloaded weights lie."""
    from huggingface_hub.constants import HF_HUB_CACHE, HF_HUB_OFFLINE

    cache = Path(HF_HUB_CACHE)
    models = sorted(path.name[8:].replace('--', '/') for path in cache.glob('models--*'))
    offline = ' (offline: HF_HUB_OFFLINE is set)' if HF_HUB_OFFLINE else ''
    shown = ', '.join(models[:3]) + (f' and {len(models) - 3} more' if len(models) > 3 else '')
    yield Finding('ok', 'cached weights', f'{shown or "none"} in {cache}{offline}')
    yield _writable('cache of weights', cache, 'set HF_HOME to a folder that you may write to')


def writing() -> Iterator[Finding]:
    """The folders that commands write to."""
    yield _writable('this folder', Path.cwd(), 'run from another, or name --output elsewhere')
    temporary = Path(tempfile.gettempdir())
    yield _writable('temporary files', temporary, 'set TMPDIR to a folder that you may write to')
    shared = Path('/dev/shm')
    if shared.is_dir() and shutil.disk_usage(shared).total < 2**28:
        yield Finding(
            'note',
            'shared memory',
            f'{shutil.disk_usage(shared).total >> 20} MB, too small for workers of data loaders',
            'start the container with --shm-size=2g, or train with num_workers=0',
        )


CHECKS = (python, packages, repairs, devices, decoders, model, weights, writing)


def _writable(what: str, folder: Path, mend: str) -> Finding:
    """Whether a file can be written in a folder, or in the nearest one above that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding('bad', what, f'{folder} cannot be written ({error.strerror})', mend)
    free = shutil.disk_usage(folder).free
    if free < 2**30:
        return Finding('note', what, f'{folder} has {free >> 20} MB left', 'free some space')
    return Finding('ok', what, f'{folder} ({free >> 30} GB free)')


@contextlib.contextmanager
def _example() -> Iterator[tuple[Path, np.ndarray]]:
    """A video of a red circle in a temporary folder, and its frames ``(T, H, W, 3)``."""
    import numpy as np

    from ovmlv.datasets.motionshapes import Actor, Scene, render_clip
    from ovmlv.datasets.motionshapes.generate import write_video

    scene = Scene('plain', (Actor('circle', 'red', 'standing still'),))
    frames = render_clip(scene, 12, np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'circle.mp4'
        write_video(path, frames)
        yield path, frames


def _cores() -> set[int]:
    if hasattr(os, 'sched_getaffinity'):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))

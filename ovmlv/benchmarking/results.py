"""Result files: one JSON for each row and seed, small enough to commit."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ovmlv.errors import DataError
from ovmlv.files import read_json, text_digest, write_text
from ovmlv.version import __version__

from .columns import harmonic_means

PREFIX = 'multilabel/'
_PACKAGES = ('torch', 'mmengine', 'mmaction2', 'open_clip_torch', 'timm', 'transformers', 'numpy')
#: Where a run happens, not what it computes.
_PLACES = ('work_dir', 'resume', 'launcher', 'filename')

Result = dict[str, Any]


def result_path(root: str | Path, suite: str, row: str, seed: int) -> Path:
    """``root/suite/row/seed<k>.json``."""
    return Path(root) / suite / row / f'seed{seed}.json'


def cost_path(root: str | Path, suite: str, row: str) -> Path:
    """``root/suite/row/cost.json``."""
    return Path(root) / suite / row / 'cost.json'


def write_json(path: str | Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file that is either whole or not there."""
    # Figures arrive as Python or numpy numbers; `float` serves both.
    write_text(path, json.dumps(value, indent=2, default=float) + '\n')


def read_result(path: str | Path) -> Result | None:
    """A result, or None if there is none.

    Raises:
        DataError: The file holds something else.
    """
    path = Path(path)
    if not path.is_file():
        return None
    try:
        result = read_json(path)
        result['metrics'] = {
            key.removeprefix(PREFIX): value for key, value in result['metrics'].items()
        }
        result['metrics'] |= harmonic_means(result['metrics'])
        result['config_digest'], result['cost'], result['seed']
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f'{path} is no result of a benchmark ({error}); remove it') from None
    return result


def config_digest(cfg: Mapping[str, Any], extra: Mapping[str, Any] | None = None) -> str:
    """A short hash of everything in a config that can change a result.

    Args:
        cfg: The merged config, with its seed.
        extra: Settings that are not in the config, such as a time budget.
    """
    table = {key: value for key, value in dict(cfg).items() if key not in _PLACES}
    if not table.get('load_from'):
        table.pop('load_from', None)
    text = json.dumps([table, extra or {}], sort_keys=True, default=repr)
    return text_digest(text)[:16]


def versions() -> dict[str, str]:
    """Versions of the libraries that compute."""
    found = {'ovmlv': __version__, 'python': platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The machine in words and numbers that do not identify it."""
    found: dict[str, Any] = dict(
        system=f'{platform.system()} {platform.machine()}',
        processor=processor_name(),
        logical_cores=os.cpu_count(),
        threads=int(os.environ.get('OMP_NUM_THREADS') or 0) or None,
    )
    try:
        size = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
        found['memory_gb'] = round(size / 2**30, 1)
    except (ValueError, OSError, AttributeError):  # not every system tells
        pass
    import torch
    from mmengine.device import get_device

    from ovmlv.engine.optim_wrappers.autocast_optim_wrapper import computes_in_bfloat16

    if torch.cuda.is_available():
        found['gpu'] = torch.cuda.get_device_name()
    # What `AutocastOptimWrapper` chooses by, so that runs of two machines can be told apart.
    found['bfloat16'] = computes_in_bfloat16(get_device())
    return {key: value for key, value in found.items() if value is not None}


def processor_name() -> str:
    """The processor in the words of the system."""
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text(errors='replace').splitlines():
            if line.startswith('model name'):
                return ' '.join(line.partition(':')[2].split())
    return platform.processor() or platform.machine()

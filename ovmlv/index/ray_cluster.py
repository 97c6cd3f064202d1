"""The Ray cluster that workers of an index run on: yours, or one that lives on this machine."""

from __future__ import annotations

import contextlib
import importlib
import logging
import math
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ovmlv.errors import ConfigError, DependencyError, reason_of

INSTALL = "pip install 'ovmlv[ray]', or pip install ray"
ADDRESS = 'RAY_ADDRESS'
_PREFIX = 'ovmlv-ray-'
_FORGOTTEN = 24 * 3600.0
_SECONDS_TO_ANSWER = 20.0
#: Bytes of a cluster of ours for what workers and driver tell one another: fragments are files.
_STORE = 200_000_000
#: Ray gives its own processes 30 s to start, which a busy machine may exceed.
_ATTEMPTS = 3
#: Cores of a worker without a GPU, if nothing else is said.
_CORES = 2.0


def ray_module() -> Any:
    """The module ``ray``.

    Raises:
        DependencyError: It is not installed.
    """
    try:
        return importlib.import_module('ray')
    except ImportError:
        raise DependencyError(f'the engine ray needs Ray: {INSTALL}') from None


@dataclass(frozen=True)
class WorkerPlan:
    """How many workers there shall be, and what each of them holds.

    Attributes:
        count: Number of workers.
        cpus: Cores of each.
        gpus: GPUs of each; parts of one are shared.
    """

    count: int
    cpus: float
    gpus: float

    @property
    def device(self) -> str:
        """The device of a worker; Ray shows it its own GPUs only."""
        return 'cuda' if self.gpus else 'cpu'


class RayCluster:
    """A connection to a cluster; a context manager.

    Without an address, a cluster of this machine alone is started and ended. No usage statistics
    are sent, and no page is served.

    Args:
        address: ``auto``, ``host:6379`` or ``ray://host:10001``; None takes ``RAY_ADDRESS``, and
            without it this machine alone.
        cpus: Cores that a cluster of this machine lends at least.

    Raises:
        ConfigError: There is no such cluster, or it is of another version.
    """

    def __init__(self, address: str | None = None, cpus: float = 1) -> None:
        self.address = address or os.environ.get(ADDRESS) or None
        self.cpus = cpus
        self.ray = ray_module()
        self._folder: str | None = None
        self._mine = False

    def __enter__(self) -> RayCluster:
        if self.ray.is_initialized():  # of the program that calls us
            return self
        logging.getLogger('ray').setLevel(logging.ERROR)
        quiet: dict[str, Any] = dict(
            log_to_driver=False, configure_logging=False, logging_level=logging.ERROR
        )
        local = self.address is None
        if self.address is not None:
            _refuse_unreachable(self.address)
        for attempt in range(_ATTEMPTS if local else 1):
            try:
                if local:
                    self._begin_local(quiet)
                else:
                    self.ray.init(address=self.address, **quiet)
                break
            except Exception as error:  # Ray raises plain ones, too
                self._end()
                if attempt == _ATTEMPTS - 1 or not local:
                    where = 'on this machine' if local else f'at {self.address}'
                    raise ConfigError(
                        f'no Ray cluster {where} can be used ({reason_of(error)}); correct '
                        '--address, or leave it out'
                    ) from None
            except BaseException:
                self._end()
                raise
        self._mine = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._mine:
            self._end()

    def _begin_local(self, quiet: dict[str, Any]) -> None:
        os.environ['RAY_USAGE_STATS_ENABLED'] = '0'
        os.environ.setdefault('RAY_worker_niceness', '0')  # as this process, not 15 more
        # Sockets lie below, and the system limits the length of their names.
        place = '/tmp' if os.path.isdir('/tmp') else None
        _remove_old(Path(place or tempfile.gettempdir()))
        self._folder = tempfile.mkdtemp(prefix=_PREFIX, dir=place)
        known = hasattr(os, 'sched_getaffinity')
        cores = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
        self.ray.init(
            address='local',
            num_cpus=max(cores, math.ceil(self.cpus)),
            include_dashboard=False,
            object_store_memory=_STORE,
            _temp_dir=self._folder,
            **quiet,
        )

    def _end(self) -> None:
        self.ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def plan(
        self,
        device: str | None = None,
        workers: int | None = None,
        cpus: float | None = None,
        gpus: float | None = None,
    ) -> WorkerPlan:
        """Divide what the cluster has now among workers; see :func:`plan_workers`."""
        nodes = [node['Resources'] for node in self.ray.nodes() if node['Alive']]
        return plan_workers(nodes, device, workers, cpus, gpus)


def _refuse_unreachable(address: str) -> None:
    """Refuse an address where nobody listens, at which Ray would try for minutes."""
    host, _, port = address.removeprefix('ray://').rpartition(':')
    if not port.isdigit() or not host:
        return  # auto, and what Ray knows better
    try:
        socket.create_connection((host.strip('[]'), int(port)), _SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f'no Ray cluster answers at {address} ({reason_of(error)}); correct --address, or '
            'start it by "ray start"'
        ) from None


def _remove_old(place: Path) -> None:
    """Remove what killed processes left, once nothing was written there for a day."""
    for folder in place.glob(f'{_PREFIX}*'):
        with contextlib.suppress(OSError):
            files = [folder, *folder.rglob('*')]
            if max(file.lstat().st_mtime for file in files) < time.time() - _FORGOTTEN:
                shutil.rmtree(folder)


def plan_workers(
    nodes: Sequence[Mapping[str, float]],
    device: str | None = None,
    workers: int | None = None,
    cpus: float | None = None,
    gpus: float | None = None,
) -> WorkerPlan:
    """Divide machines among workers.

    Args:
        nodes: CPUs and GPUs of each machine, in Ray's words.
        device: ``cpu`` or ``cuda``; None takes GPUs if there are any.
        workers: Number of workers, also more than there is room for; None fills the cluster.
        cpus: Cores of each; None takes one beside a GPU, and two without.
        gpus: GPUs of each; None takes one if the cluster has any.

    Raises:
        ConfigError: No machine has room for a worker.

    Examples:
        >>> plan_workers([{'CPU': 32, 'GPU': 4}, {'CPU': 8}])
        WorkerPlan(count=4, cpus=1.0, gpus=1.0)
        >>> plan_workers([{'CPU': 32, 'GPU': 4}, {'CPU': 9}], device='cpu')
        WorkerPlan(count=20, cpus=2.0, gpus=0.0)
    """
    most = {
        name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in ('CPU', 'GPU')
    }
    kind = (device or '').split(':')[0]
    if gpus is None:
        gpus = 1.0 if most['GPU'] and kind != 'cpu' else 0.0
    if (kind == 'cpu' and gpus) or (kind == 'cuda' and not gpus):
        raise ConfigError(
            f'workers of Ray on {device} with {gpus:g} GPUs cannot be; leave --device out, or '
            'change --worker-gpus'
        )
    if cpus is None:
        cpus = 1.0 if gpus else min(_CORES, most['CPU'] or _CORES)
    count = sum(_room(node, cpus, gpus) for node in nodes)
    if not count and workers is None:
        raise ConfigError(
            f'no machine of the Ray cluster has {cpus:g} CPUs and {gpus:g} GPUs for a worker (at '
            f'most {most["CPU"]:g} and {most["GPU"]:g}); set --worker-cpus and --worker-gpus'
        )
    return WorkerPlan(workers or count, cpus, gpus)


def _room(node: Mapping[str, float], cpus: float, gpus: float) -> int:
    """How many workers fit on a machine."""
    limits = [
        int(node.get(name, 0.0) / asked + 1e-6)
        for name, asked in (('CPU', cpus), ('GPU', gpus))
        if asked
    ]
    return min(limits, default=0)

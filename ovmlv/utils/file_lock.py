"""A lock on a file that the system releases however the process ends."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ovmlv.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows: there two runs are not told apart
    fcntl = None  # type: ignore[assignment]

#: In the folder of a training.
NAME = '.training.lock'
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK', 'PMI_RANK')
_held: weakref.WeakSet[IO[bytes]] = weakref.WeakSet()


def lock_file(file: IO[bytes], busy: str) -> None:
    """Keep other holders of this lock out until the file is closed or the process has ended.

    Args:
        file: File that is open for writing, without a buffer (forked processes close theirs, and
            would write the content of a buffer twice). It is closed if another holds the lock.
        busy: The message for that case.

    Raises:
        ConfigError: Another process, or another open file of this one, holds the lock.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ConfigError(busy) from None
    except OSError:  # file systems without locks
        return
    _held.add(file)


def _leave_to_parent() -> None:
    # A forked worker that outlives a killed run would hold its lock.
    for file in list(_held):
        with contextlib.suppress(OSError):
            file.close()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_leave_to_parent)


@contextlib.contextmanager
def only_training_in(work_dir: str | Path, launcher: str = 'none') -> Iterator[None]:
    """Keep a second training out of a work folder while the block runs.

    Of several processes of one training, the first holds the lock for all.

    Args:
        work_dir: The folder; it is made if missing.
        launcher: Launcher of the processes; see ``ovmlv train``.

    Raises:
        ConfigError: Another training writes there.
    """
    rank = next((os.environ[name] for name in _RANKS if name in os.environ), '0')
    if launcher != 'none' and rank != '0':
        yield
        return
    folder = Path(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / NAME, 'ab', buffering=0) as file:
        lock_file(
            file,
            f'another training is writing to {work_dir}; wait for its end, or give another '
            '--work-dir',
        )
        yield

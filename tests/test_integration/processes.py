"""Several processes of distributed training over gloo, forked from the test's process."""

from __future__ import annotations

import faulthandler
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SECONDS = 240


def in_processes(folder: Path, function: Callable[..., Any], *args: Any, world: int = 2) -> list:
    """What ``function(*args)`` gives in each of some processes; all imports are done already."""
    children = [_child(folder, function, args, rank, world) for rank in range(world)]
    ends, deadline = {}, time.monotonic() + SECONDS
    try:
        while len(ends) < world and time.monotonic() < deadline and not any(ends.values()):
            for child in set(children) - set(ends):
                pid, status = os.waitpid(child, os.WNOHANG)
                ends.update({pid: status} if pid else {})
            time.sleep(0.01)
        time.sleep(0 if len(ends) == world else 1)  # the others, which may have more to say
    finally:
        for child in set(children) - set(ends):
            os.kill(child, 9)
            os.waitpid(child, 0)
    errors = [f.read_text() for f in sorted(folder.glob('error_*')) if f.stat().st_size]
    assert ends == dict.fromkeys(children, 0), '\n\n'.join([f'they end with {ends}', *errors])
    return [torch.load(folder / f'{rank}.pt', weights_only=False) for rank in range(world)]


def _child(folder: Path, function: Callable[..., Any], args: tuple, rank: int, world: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    errors = (folder / f'error_{rank}').open('w')
    faulthandler.enable(errors)
    faulthandler.dump_traceback_later(SECONDS - 5, file=errors)  # where it hangs
    try:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world))
        torch.set_num_threads(1)
        torch.distributed.init_process_group(
            'gloo', rank=rank, world_size=world, init_method=f'file://{folder}/meeting'
        )
        torch.save(function(*args), folder / f'{rank}.pt')
        status = 0
    except BaseException:
        (folder / f'error_{rank}').write_text(f'process {rank}:\n{traceback.format_exc()}')
    os._exit(status)

"""Many small steps in one thread, without waiting for others at each of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

_lock = threading.Lock()
_inside = 0
_before = 1


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread in the block.

    Parts that fit into the cache of a core are computed in a fraction of a millisecond. Threads
    that meet after each of them mostly wait, and on a machine that is busy with other work they
    wait for seconds. The number of threads is that of the process; it comes back when the last
    block has ended.
    """
    global _inside, _before
    with _lock:
        if not _inside:
            _before = torch.get_num_threads()
            torch.set_num_threads(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                torch.set_num_threads(_before)

"""Items that are made ready in a thread, while those before them are used."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, TypeVar

_T = TypeVar('_T')
_DONE = object()
#: Seconds after which a thread with a full queue looks whether anyone still wants its items, and
#: for which one is waited that is in the middle of an item.
_LOOK, _WAIT = 0.1, 5.0


class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def in_background(items: Iterable[_T], room: int) -> Iterator[_T]:
    """Iterate over items that a thread makes ready, in their order.

    What the iterable raises is raised here, behind the items before it. When this generator is
    closed, the thread stops behind the item that it is at.

    Args:
        items: It is iterated over in the thread alone.
        room: Number of items that may be ready before they are asked for.

    Examples:
        >>> list(in_background(range(5), room=2))
        [0, 1, 2, 3, 4]
    """
    queue: Queue[Any] = Queue(room)
    unwanted = Event()

    def put(item: Any) -> bool:
        while not unwanted.is_set():
            with contextlib.suppress(Full):
                queue.put(item, timeout=_LOOK)
                return True
        return False

    def work() -> None:
        try:
            if all(map(put, items)):
                put(_DONE)
        except BaseException as error:
            put(_Raised(error))

    thread = Thread(target=work, name='in_background', daemon=True)
    thread.start()
    try:
        while (item := queue.get()) is not _DONE:
            if isinstance(item, _Raised):
                raise item.error
            yield item
    finally:
        unwanted.set()
        thread.join(_WAIT)

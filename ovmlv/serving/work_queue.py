"""One thread that works, and a bounded number of requests that wait for it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from .service_error import ServiceError

T = TypeVar('T')
#: Seconds between looks at whether the client is still there.
_LOOK = 1.0


class WorkQueue:
    """Runs functions one after the other in a thread of its own.

    Reservations are made and given back in the thread of the event loop.

    Args:
        name: Name of the thread.
        length: Most reservations at a time.
        what: What is worked on, for the message of a full queue.
        waited: Function that is told how many seconds a request waited for its turn.
    """

    def __init__(
        self,
        name: str,
        length: int,
        what: str,
        waited: Callable[[float], None] | None = None,
    ) -> None:
        self.length, self.what, self.reserved, self._waited = length, what, 0, waited
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._seconds = 1.0

    def check(self) -> None:
        """Raise a ``busy`` error that says when to come back, if there is no place."""
        if self.reserved >= self.length:
            wait = min(60, math.ceil(self._seconds * self.reserved))
            raise ServiceError(
                'busy',
                f'The server is busy with {self.reserved} other {self.what}; try again in '
                f'{wait} second{"" if wait == 1 else "s"}.',
                retry_after=wait,
            )

    def reserve(self) -> Reservation:
        """A place in the queue, or a ``busy`` error."""
        self.check()
        self.reserved += 1
        return Reservation(self)

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Run a function when its turn comes."""
        asked = time.monotonic()

        def timed() -> T:
            start = time.monotonic()
            if self._waited is not None:
                self._waited(start - asked)
            try:
                return function()
            finally:
                self._seconds = 0.8 * self._seconds + 0.2 * (time.monotonic() - start)

        return self._pool.submit(timed)

    def close(self) -> None:
        """Drop what waits; what runs ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Reservation:
    """A place in a queue: ``with queue.reserve() as place: await place.run(function)``.

    It is given back when the work is done, even if the request ends before that.
    """

    def __init__(self, queue: WorkQueue) -> None:
        self.queue = queue
        self.future: Future[Any] | None = None

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, *_: object) -> None:
        if self.future is None or self.future.cancel() or self.future.done():
            self._release()
        else:
            loop = asyncio.get_running_loop()
            self.future.add_done_callback(lambda _: _call_soon(loop, self._release))

    async def run(
        self, function: Callable[[], T], is_gone: Callable[[], Awaitable[bool]] | None = None
    ) -> T:
        """Do the work, unless the client goes away while it waits for its turn."""
        self.future = self.queue.submit(function)
        waiting = asyncio.wrap_future(self.future)
        while True:
            await asyncio.wait({waiting}, timeout=_LOOK)
            if waiting.done():
                return waiting.result()
            if is_gone is not None and await is_gone() and self.future.cancel():
                raise ServiceError('upload_timeout', 'The client went away.')

    def _release(self) -> None:
        self.queue.reserved -= 1


def _call_soon(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)

"""Bodies of requests that arrive: none may be too slow, and all together have limited room."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

from starlette.types import Message, Receive

from .limits import ServingLimits, minutes
from .service_error import ServiceError


class Arrivals:
    """Bodies that arrive at the moment.

    A body that stops, or comes in drips, is given up. If all bodies together take more than their
    room, the slowest is given up. So only bytes that really arrive take room.

    Args:
        count: Number of bodies of full size for which there is room.
        size: Bytes of the largest body.
        limits: Limits of the pace.
    """

    def __init__(self, count: int, size: int, limits: ServingLimits) -> None:
        self.room, self.size = count * size, size
        self.seconds = limits.header_seconds
        self.least = max(1.0, limits.body_rate * limits.header_seconds)
        self._open: set[Arrival] = set()

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.contextmanager
    def expect(self, receive: Receive, refuse: Callable[[ServiceError], None]) -> Iterator[Receive]:
        """Watch a body.

        Args:
            receive: The application's function that receives.
            refuse: Function that ends the request with an error, whatever it is doing.
        """
        arrival = Arrival(self, receive, refuse)
        self._open.add(arrival)
        try:
            yield arrival.receive
        finally:
            self._open.discard(arrival)

    def done(self, arrival: Arrival) -> None:
        """Note that the body is complete, or given up."""
        self._open.discard(arrival)

    def make_room(self) -> None:
        """Give up the slowest bodies until there is room."""
        while sum(min(arrival.size, self.size) for arrival in self._open) > self.room:
            slowest = min(self._open, key=Arrival.rate)
            self.done(slowest)
            slowest.refuse(
                ServiceError('busy', 'Too much arrives at once; try again later.', retry_after=10)
            )


class Arrival:
    """A body that arrives.

    Args:
        arrivals: All bodies that arrive, of which it is one.
        receive: The application's function that receives.
        refuse: Function that ends the request with an error.
    """

    def __init__(
        self, arrivals: Arrivals, receive: Receive, refuse: Callable[[ServiceError], None]
    ) -> None:
        self._arrivals, self._receive, self.refuse = arrivals, receive, refuse
        self.size, self._complete = 0, False
        # Since when, and what came since then; and how much of that time it was waited for.
        self._since, self._recent, self._waited = time.monotonic(), 0, 0.0

    def rate(self) -> float:
        """Bytes a second, lately."""
        return self._recent / (time.monotonic() - self._since + 1)

    async def receive(self) -> Message:
        """The next part; each interval must bring enough bytes, or the end."""
        if self._complete:
            return await self._receive()
        arrivals, started = self._arrivals, time.monotonic()
        try:
            left = arrivals.seconds - self._waited
            message = await asyncio.wait_for(self._receive(), max(left, 0.001))
        except asyncio.TimeoutError:
            raise ServiceError(
                'upload_timeout',
                f'The request stopped arriving: {self._recent} bytes came within '
                f'{minutes(arrivals.seconds)}.',
            ) from None
        now = time.monotonic()
        self._waited += now - started
        size = len(message.get('body', b''))
        self.size += size
        self._recent += size
        if self._recent >= arrivals.least:
            self._since, self._recent, self._waited = now, 0, 0.0
        if message['type'] == 'http.disconnect' or not message.get('more_body'):
            self._complete = True
            arrivals.done(self)
        else:
            arrivals.make_room()
        return message

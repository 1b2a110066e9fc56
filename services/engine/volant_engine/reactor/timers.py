"""Wake-ups for everything, on one heap."""

import asyncio
import heapq
import itertools
from collections.abc import Callable

from volant_core import clock


class Timers:
    """Calls back when a time of day has come, by the clock that is given."""

    def __init__(self, time: clock.Clock) -> None:
        """Nothing is set yet."""
        self._clock = time
        self._heap: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()
        self._changed = asyncio.Event()

    def at(self, when: float, call: Callable[[float], None]) -> None:
        """Call with the time when `when` (seconds since 1970) has come."""
        entry = (when, next(self._numbers), call)
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry:
            self._changed.set()

    async def run(self) -> None:
        """Serve, until cancelled."""
        while True:
            self._changed.clear()
            now = self._clock.now().timestamp()
            while self._heap and self._heap[0][0] <= now:
                heapq.heappop(self._heap)[2](now)
            pause = self._heap[0][0] - now if self._heap else None
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                continue

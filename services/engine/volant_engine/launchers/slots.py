"""How many attempts run at a time, first come, first served."""

import asyncio
import collections
import contextlib


class Slots:
    """A bound that what runs already (adopted after a restart) may exceed, and nothing else."""

    def __init__(self, limit: int) -> None:
        """Let `limit` hold one at a time."""
        self._limit = limit
        self._used = 0
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()

    @property
    def has_room(self) -> bool:
        """Whether one more could start at once."""
        return self._used < self._limit and not self._waiting

    def try_acquire(self) -> bool:
        """Take a slot if one is free and nobody waits."""
        if self._used < self._limit and not self._waiting:
            self._used += 1
            return True
        return False

    async def acquire(self) -> None:
        """Wait for a slot and take it."""
        if self.try_acquire():
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # it was given in the very moment
            else:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(turn)
            raise

    def force(self) -> None:
        """Count one that runs already, also beyond the bound."""
        self._used += 1

    def release(self) -> None:
        """Give a slot back, to the one who has waited longest."""
        self._used -= 1
        while self._waiting and self._used < self._limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._used += 1
                turn.set_result(None)

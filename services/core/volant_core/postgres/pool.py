"""Connections that are given out and taken back without ceremony.

asyncpg's own pool makes a task of every release and resets what nobody set: half of the cost of a small query.
"""

import asyncio
import collections
from typing import Any

import asyncpg


class Pool:
    """At most so many connections, made when they are needed; the one used last is used first."""

    def __init__(self, dsn: str, max_size: int, **options: Any) -> None:
        """`options` are asyncpg's for each connection."""
        self._dsn = dsn
        self._max_size = max_size
        self._options = options
        self._idle: list[asyncpg.Connection] = []
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
        self._made = 0
        self._closed = False
        self._none_left = asyncio.Event()

    @property
    def busy(self) -> int:
        """How many connections are given out."""
        return self._made - len(self._idle)

    async def open(self, count: int) -> None:
        """Make the first connections, so that a wrong address shows at once."""
        made = [await self.acquire() for _ in range(min(count, self._max_size))]
        for connection in made:
            self.release(connection)

    async def acquire(self) -> asyncpg.Connection:
        """A connection, to be given back by `release` or `drop`. InterfaceError when the pool is closed."""
        while True:
            if self._closed:
                raise asyncpg.InterfaceError("the pool is closed")
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
                self._made -= 1
            if self._made < self._max_size:
                return await self._make()
            await self._turn()

    async def _make(self) -> asyncpg.Connection:
        self._made += 1
        try:
            return await asyncpg.connect(self._dsn, **self._options)
        except BaseException:
            self._made -= 1
            self._wake()
            raise

    async def _turn(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._wake()  # it was this one's turn: let another have it
            else:
                self._waiting.remove(turn)
            raise

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def release(self, connection: asyncpg.Connection) -> None:
        """Give it back, fit for the next."""
        if self._closed or connection.is_closed() or connection.is_in_transaction():
            self.drop(connection)
            return
        self._idle.append(connection)
        self._wake()

    def drop(self, connection: asyncpg.Connection) -> None:
        """Give it back in an unknown state, such as a query that was given up: it is closed."""
        connection.terminate()
        self._made -= 1
        if self._closed and self._made == 0:
            self._none_left.set()
        self._wake()

    async def close(self) -> None:
        """Close every connection, once those in use are given back. Who waits for one is refused."""
        self._closed = True
        while self._waiting:
            self._wake()
        idle, self._idle = self._idle, []
        for connection in idle:
            try:
                await connection.close(timeout=5)
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()
        self._made -= len(idle)
        if self._made:
            await self._none_left.wait()

"""A pool of connections, and what the services use of one."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import asyncpg

from volant_core import errors

Record = asyncpg.Record


class UniqueViolationError(Exception):
    """An insert met a row with the same key. `constraint` names the key."""

    def __init__(self, constraint: str) -> None:
        """Keep the constraint's name."""
        super().__init__(constraint)
        self.constraint = constraint


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise UniqueViolationError(error.constraint_name or "") from error
    except (asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, ConnectionError, OSError) as error:
        raise errors.UnavailableError(f"the database is away: {error}; try again") from error


class Connection:
    """One connection, usually inside a transaction."""

    def __init__(self, raw: Any) -> None:
        """Wrap an asyncpg connection."""
        self._raw = raw

    async def fetch(self, query: str, *arguments: Any) -> list[Record]:
        """All rows."""
        with _translated():
            return list(await self._raw.fetch(query, *arguments))

    async def fetch_row(self, query: str, *arguments: Any) -> Record | None:
        """The first row, or None."""
        with _translated():
            row: Record | None = await self._raw.fetchrow(query, *arguments)
            return row

    async def fetch_value(self, query: str, *arguments: Any) -> Any:
        """The first column of the first row, or None."""
        with _translated():
            return await self._raw.fetchval(query, *arguments)

    async def execute(self, query: str, *arguments: Any) -> int:
        """Run a statement; the number of rows that it touched."""
        with _translated():
            status: str = await self._raw.execute(query, *arguments)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def execute_many(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each row."""
        with _translated():
            await self._raw.executemany(query, rows)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Self]:
        """A transaction (a savepoint, inside another)."""
        async with self._raw.transaction():
            yield self


class Database:
    """A pool of connections to one database."""

    def __init__(self, pool: asyncpg.Pool, dsn: str) -> None:
        """Wrap an asyncpg pool."""
        self._pool = pool
        self._dsn = dsn
        self._listener: asyncpg.Connection | None = None

    @classmethod
    async def connect(cls, dsn: str, *, min_size: int = 1, max_size: int = 10) -> Self:
        """Open the pool. UnavailableError when the server does not answer."""
        try:
            pool = await asyncpg.create_pool(dsn, min_size=min_size, max_size=max_size)
        except (OSError, asyncpg.PostgresError) as error:
            raise errors.UnavailableError(f"can't connect to PostgreSQL: {error}") from error
        assert pool is not None
        return cls(pool, dsn)

    async def close(self) -> None:
        """Close every connection."""
        if self._listener is not None:
            await self._listener.close()
        await self._pool.close()

    async def fetch(self, query: str, *arguments: Any) -> list[Record]:
        """All rows."""
        with _translated():
            return list(await self._pool.fetch(query, *arguments))

    async def fetch_row(self, query: str, *arguments: Any) -> Record | None:
        """The first row, or None."""
        with _translated():
            row: Record | None = await self._pool.fetchrow(query, *arguments)
            return row

    async def fetch_value(self, query: str, *arguments: Any) -> Any:
        """The first column of the first row, or None."""
        with _translated():
            return await self._pool.fetchval(query, *arguments)

    async def execute(self, query: str, *arguments: Any) -> int:
        """Run a statement; the number of rows that it touched."""
        async with self.connection() as connection:
            return await connection.execute(query, *arguments)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool."""
        with _translated():
            raw = await self._pool.acquire()
        try:
            yield Connection(raw)
        finally:
            await self._pool.release(raw)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction: committed at the end, rolled back by an exception."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def notify(self, channel: str, payload: str) -> None:
        """Wake the listeners of a channel. Never inside a transaction: it takes a database-wide lock at commit."""
        await self.execute("SELECT pg_notify($1, $2)", channel, payload)

    async def listen(self, channel: str, heard: Callable[[str], None]) -> None:
        """Call `heard` with each payload of a channel, on a connection of its own."""
        if self._listener is None:
            self._listener = await asyncpg.connect(self._dsn)
        await self._listener.add_listener(channel, lambda _connection, _pid, _channel, payload: heard(str(payload)))

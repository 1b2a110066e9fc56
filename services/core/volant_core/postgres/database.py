"""A pool of connections, and what the services use of one."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import asyncpg

from volant_core import aio, errors
from volant_core.postgres import pool as pools

Record = asyncpg.Record

_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,  # the server stops, or was made to stop
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,  # the connection went away under a query
    asyncpg.TransactionRollbackError,  # deadlocks and serialization: somebody else won, try again
    ConnectionError,
    OSError,
)
_GONE = re.compile("closed|closing|released back")
_LISTENER_RETRY_S = 1.0


class UniqueViolationError(Exception):
    """An insert met a row with the same key. `constraint` names the key."""

    def __init__(self, constraint: str) -> None:
        """Keep the constraint's name."""
        super().__init__(constraint)
        self.constraint = constraint


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn asyncpg's errors into ours where a caller can do something about them; the rest are faults of ours."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise UniqueViolationError(error.constraint_name or "") from error
    except asyncpg.QueryCanceledError as error:
        raise errors.DeadlineExceededError("the database took too long; ask for less, or try again") from error
    except (asyncpg.DiskFullError, asyncpg.OutOfMemoryError) as error:
        raise errors.ResourceExhaustedError(f"the database has no room: {error}; free some on its machine") from error
    except (asyncpg.DataError, asyncpg.ProgramLimitExceededError) as error:
        # Stores validate what they can name; this is for NUL characters, numbers out of range and the like.
        raise errors.InvalidArgumentError(f"a value can't be stored: {error}") from error
    except _AWAY as error:
        raise errors.UnavailableError(f"the database is away: {error}; try again") from error
    except asyncpg.InterfaceError as error:
        if not _GONE.search(str(error)):  # misuse
            raise
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
        transaction = self._raw.transaction()
        with _translated():
            await transaction.start()
        try:
            yield self
        except BaseException:
            with contextlib.suppress(*_AWAY, asyncpg.InterfaceError):  # what is gone is rolled back
                await transaction.rollback()
            raise
        with _translated():
            await transaction.commit()


class Database:
    """A pool of connections to one database."""

    def __init__(self, pool: pools.Pool, dsn: str) -> None:
        """Made by `connect`."""
        self._pool = pool
        self._dsn = dsn
        self._heard: dict[str, list[Callable[[str], None]]] = {}
        self._listener: asyncpg.Connection | None = None
        self._listener_lock = asyncio.Lock()
        self._tasks = aio.Tasks("database")
        self._closed = False

    @classmethod
    async def connect(cls, dsn: str, *, min_size: int = 1, max_size: int = 10) -> Self:
        """Open the pool. UnavailableError when the server does not answer."""
        try:
            pool = pools.Pool(dsn, max_size, statement_cache_size=500)
            await pool.open(min_size)
        except (OSError, asyncpg.PostgresError) as error:
            raise errors.UnavailableError(f"can't connect to PostgreSQL: {error}") from error
        except (asyncpg.InterfaceError, ValueError) as error:
            raise errors.FailedPreconditionError(f"the address of the PostgreSQL database is wrong: {error}") from error
        return cls(pool, dsn)

    @property
    def busy(self) -> int:
        """How many connections of the pool are in use."""
        return self._pool.busy

    async def close(self) -> None:
        """Close every connection, once those in use are given back."""
        self._closed = True
        await self._tasks.cancel()
        if self._listener is not None:
            await self._listener.close()
        await self._pool.close()

    async def fetch(self, query: str, *arguments: Any) -> list[Record]:
        """All rows."""
        with _translated():
            raw = await self._pool.acquire()
            with self._given_back(raw):
                return list(await raw.fetch(query, *arguments))

    async def fetch_row(self, query: str, *arguments: Any) -> Record | None:
        """The first row, or None."""
        with _translated():
            raw = await self._pool.acquire()
            with self._given_back(raw):
                row: Record | None = await raw.fetchrow(query, *arguments)
                return row

    async def fetch_value(self, query: str, *arguments: Any) -> Any:
        """The first column of the first row, or None."""
        with _translated():
            raw = await self._pool.acquire()
            with self._given_back(raw):
                return await raw.fetchval(query, *arguments)

    async def execute(self, query: str, *arguments: Any) -> int:
        """Run a statement; the number of rows that it touched."""
        async with self.connection() as connection:
            return await connection.execute(query, *arguments)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool."""
        with _translated():
            raw = await self._pool.acquire()
        with self._given_back(raw):
            yield Connection(raw)

    @contextlib.contextmanager
    def _given_back(self, raw: asyncpg.Connection) -> Iterator[None]:
        try:
            yield
        except (asyncio.CancelledError, TimeoutError):
            # A query may still be running on it.
            self._pool.drop(raw)
            raise
        except BaseException:
            self._pool.release(raw)
            raise
        self._pool.release(raw)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction: committed at the end, rolled back by an exception."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def notify(self, channel: str, payload: str) -> None:
        """Wake the listeners of a channel. Never inside a transaction: it takes a database-wide lock at commit."""
        await self.execute("SELECT pg_notify($1, $2)", channel, payload)

    async def listen(self, channel: str, heard: Callable[[str], None]) -> None:
        """Call `heard` with each payload of a channel, on a connection of its own.

        After that connection was lost and made again `heard` is called with "": some may have been missed.
        """
        self._heard.setdefault(channel, []).append(heard)
        async with self._listener_lock:
            if self._listener is None:
                await self._open_listener()
            else:
                with _translated():
                    await self._listener.add_listener(channel, self._notified)

    async def _open_listener(self) -> None:
        with _translated():
            listener = await asyncpg.connect(self._dsn)
            try:
                for channel in self._heard:
                    await listener.add_listener(channel, self._notified)
            except BaseException:
                listener.terminate()  # cancelled, or lost: nobody else knows of it
                raise
        listener.add_termination_listener(self._listener_lost)
        self._listener = listener

    def _notified(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        for heard in self._heard.get(channel, ()):
            heard(str(payload))

    def _listener_lost(self, _connection: object) -> None:
        self._listener = None
        if not self._closed:
            self._tasks.start("listen again", self._listen_again())

    async def _listen_again(self) -> None:
        while True:
            async with self._listener_lock:
                if self._listener is not None:
                    return
                with contextlib.suppress(errors.UnavailableError, asyncpg.PostgresError):
                    await self._open_listener()
                    break
            await asyncio.sleep(_LISTENER_RETRY_S)
        for listeners in self._heard.values():
            for heard in listeners:
                heard("")

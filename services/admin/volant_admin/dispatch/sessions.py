"""The engines attached to this replica, and what waits to be sent to each."""

import asyncio
import contextlib
from collections.abc import Iterator

from volant_core import errors
from volantidl.dispatch import dispatch_pb2


class Session:
    """One Attach stream."""

    def __init__(self, hello: dispatch_pb2.Hello, heard: float) -> None:
        """Open it at `heard`, seconds of the monotonic clock."""
        self.id = hello.session
        self.engine = hello.engine
        self.capacity = hello.capacity
        self.heard = heard
        """When it was last heard of."""
        self.driving: set[int] = set()
        """The executions that it was given and that have not ended."""
        self.reserved = 0
        """New executions that are about to be given to it."""
        self.claiming = 0
        """Waiting ones that may be about to."""
        self.error: errors.VolantError | None = None
        """Why the stream was closed, when that was not in good order."""
        self._outbox: asyncio.Queue[dispatch_pb2.AttachResponse | None] = asyncio.Queue()

    @property
    def free(self) -> int:
        """How many more executions it would take."""
        if self.capacity <= 0:
            return 2**31
        return self.capacity - len(self.driving) - self.reserved - self.claiming

    def push(self, message: dispatch_pb2.AttachResponse) -> None:
        """Send a message to the engine, after those before it."""
        self._outbox.put_nowait(message)

    def close(self, error: errors.VolantError | None = None) -> None:
        """End the stream once everything before is sent."""
        self.error = self.error or error
        self._outbox.put_nowait(None)

    async def next_message(self) -> dispatch_pb2.AttachResponse | None:
        """The next message to send; None at the end."""
        return await self._outbox.get()


class Sessions:
    """All of them, by id."""

    def __init__(self) -> None:
        """Start without any."""
        self._all: dict[str, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        """Walk over them."""
        return iter(tuple(self._all.values()))

    def __len__(self) -> int:
        """Their number."""
        return len(self._all)

    def add(self, session: Session) -> None:
        """Take it in; a stream that the same session had before is closed."""
        before = self._all.get(session.id)
        self._all[session.id] = session
        if before is not None:
            before.close(errors.FailedPreconditionError("the session attached again: this stream is superseded"))

    def remove(self, session: Session) -> None:
        """Forget it, unless its session has another stream by now."""
        if self._all.get(session.id) is session:
            del self._all[session.id]

    def get(self, session_id: str | None) -> Session | None:
        """The session of that id, if it is attached here."""
        return self._all.get(session_id) if session_id else None

    def roomiest(self, heard_since: float) -> Session | None:
        """The one heard of lately that takes another execution and drives the fewest."""
        able = [session for session in self._all.values() if session.free > 0 and session.heard >= heard_since]
        return min(able, key=lambda session: len(session.driving) + session.reserved, default=None)

    @contextlib.contextmanager
    def reserve(self, heard_since: float) -> Iterator[Session | None]:
        """The roomiest session, with a place kept in it meanwhile."""
        session = self.roomiest(heard_since)
        if session is None:
            yield None
            return
        session.reserved += 1
        try:
            yield session
        finally:
            session.reserved -= 1

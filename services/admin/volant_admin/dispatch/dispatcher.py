"""Leases: who gets which execution, for how long, and what happens when an engine is gone.

A lease belongs to a session, and a session to the replica that its Attach stream goes to. An execution is created
already leased where that is possible; else it waits, and is claimed when an engine with room attaches, reports an end
or is woken. One timer a replica ends sessions that were not heard of.
"""

import asyncio
import contextlib
import datetime
import math
import secrets
from collections.abc import AsyncIterator, Iterable

import structlog

from volant_admin.dispatch import assignments, news, sessions, store, watchers
from volant_admin.dispatch.settings import DispatchSettings
from volant_core import clock, errors, postgres
from volant_core.model import driver_tokens
from volantidl.dispatch import dispatch_pb2

_log = structlog.get_logger(__name__)
_LONGEST_NAME = 255


class Dispatcher:
    """Dispatch in one admin replica."""

    def __init__(
        self,
        database: postgres.Database,
        settings: DispatchSettings,
        clock: clock.Clock,
        replica: str,
        platform_key: bytes,
    ) -> None:
        """Keep the dependencies; `replica` is a name that no other replica has, the key the same for all."""
        self._database = database
        self._platform_key = platform_key
        self._settings = settings
        self._clock = clock
        self._replica = replica
        self._sessions = sessions.Sessions()
        self._maybe_waiting = True
        self._claim_now = asyncio.Event()
        self._sweep_now = asyncio.Event()
        self.watchers = watchers.Watchers()
        """Drivers that wait here for what they added."""
        self.news = news.News(database, self._sessions, self.watchers, settings, replica, self.claim_soon)
        """What engines must hear of, and drivers."""

    async def run(self) -> None:
        """Dispatch until cancelled."""
        await self._database.listen(news.CHANNEL, self.news.hear)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.news.deliver(), name="dispatch: deliver news")
            tasks.create_task(self._claim(), name="dispatch: claim")
            tasks.create_task(self._expire(), name="dispatch: expire")

    # Sessions

    async def attach(self, hello: dispatch_pb2.Hello) -> sessions.Session:
        """Open a session, or the stream of one that had another; what it leases is sent to it again."""
        for name, value in (("session", hello.session), ("engine", hello.engine)):
            if "\x00" in value or len(value) > _LONGEST_NAME:
                raise errors.InvalidArgumentError(f"hello.{name} must have at most {_LONGEST_NAME} characters, no NUL")
        if not hello.session:
            raise errors.InvalidArgumentError("missing hello.session: an engine needs a name for this start of it")
        now = self._clock.now()
        await store.attach(self._database, hello, self._replica, now, now + self._settings.lease)
        session = sessions.Session(hello, self._clock.monotonic())
        welcome = dispatch_pb2.Welcome()
        welcome.lease.FromTimedelta(self._settings.lease)
        session.push(dispatch_pb2.AttachResponse(welcome=welcome))
        self._sessions.add(session)
        for row in await store.leased(self._database, session.id):
            if row["id"] not in session.driving:  # given to it meanwhile
                self._push(session, assignments.of_row(row, again=True))
        await self.news.send_all(session)
        _log.info("engine attached", engine=session.engine, session=session.id, leases=len(session.driving))
        self.claim_soon()
        self._sweep_now.set()
        return session

    async def renew(self, session: sessions.Session) -> None:
        """A heartbeat. A session that has expired is closed: its engine must start another."""
        session.heard = self._clock.monotonic()
        try:
            kept = await store.renew(self._database, [session.id], self._clock.now() + self._settings.lease)
        except errors.UnavailableError as error:
            # Nobody can end the session without the database either.
            _log.warning("a lease was not renewed", session=session.id, error=error.message)
            return
        if session.id not in kept:
            self._sessions.remove(session)
            session.close(errors.FailedPreconditionError("the session has expired; attach with a new one"))

    async def detach(self, session: sessions.Session) -> None:
        """An engine leaves in good order."""
        self._sessions.remove(session)
        await store.end(self._database, session.id)
        _log.info("engine detached", engine=session.engine, session=session.id)
        session.close()
        self.claim_soon()
        self.news.waiting()

    def lost(self, session: sessions.Session) -> None:
        """A stream broke. The leases stand until they expire: the engine may attach again."""
        self._sessions.remove(session)

    # Executions

    def place(self) -> contextlib.AbstractContextManager[sessions.Session | None]:
        """The session to lease a new execution to, if there is one with room."""
        return self._sessions.reserve(self._heard_since())

    def assign(self, session: sessions.Session, message: dispatch_pb2.Assignment) -> None:
        """Hand over an execution that was inserted leased to the session."""
        # The session may have got another stream since its place was kept.
        self._push(self._sessions.get(session.id) or session, message)

    def waits(self) -> None:
        """An execution was inserted that no engine leases."""
        self.claim_soon()
        self.news.waiting()

    def ended(self, session_id: str, executions: Iterable[int]) -> None:
        """Executions of a session have ended: it has room."""
        session = self._sessions.get(session_id)
        if session is not None:
            session.driving.difference_update(executions)
            if self._maybe_waiting:
                self._claim_now.set()

    def claim_soon(self) -> None:
        """Executions may be waiting."""
        self._maybe_waiting = True
        self._claim_now.set()

    def sweep_soon(self) -> None:
        """End expired sessions now instead of at the next turn of the timer."""
        self._sweep_now.set()

    def driver_key(self, execution: int) -> bytes:
        """What the tokens of an execution's drivers are made with."""
        return driver_tokens.execution_key(self._platform_key, execution)

    def _push(self, session: sessions.Session, message: dispatch_pb2.Assignment) -> None:
        message.driver_key = self.driver_key(message.execution)
        session.driving.add(message.execution)
        session.push(dispatch_pb2.AttachResponse(assignment=message))

    def _heard_since(self) -> float:
        return self._clock.monotonic() - self._settings.lease.total_seconds()

    async def _claim(self) -> None:
        while True:
            await self._claim_now.wait()
            self._claim_now.clear()
            try:
                await self._claim_all()
            except errors.VolantError as error:
                _log.warning("waiting executions were not leased", error=error.message)
                await asyncio.sleep(self._settings.retry_pause.total_seconds())
                self._claim_now.set()

    async def _claim_all(self) -> None:
        """Lease what waits, until nothing does or nobody has room."""
        self._maybe_waiting = True
        while (session := self._sessions.roomiest(self._heard_since())) is not None:
            share = math.ceil(self._settings.claim_batch / len(self._sessions))
            limit = min(session.free, share)
            session.claiming += limit
            try:
                rows = await store.claim(self._database, session.id, limit)
            finally:
                session.claiming -= limit
            current = self._sessions.get(session.id)
            for row in rows:
                # Without a stream they are sent when the session attaches again, or claimed when it expires.
                if current is not None:
                    self._push(current, assignments.of_row(row))
            if len(rows) < limit:
                self._maybe_waiting = False
                return

    async def _expire(self) -> None:
        while True:
            wait = self._settings.lease
            try:
                await self.sweep()
                first = await store.next_expiry(self._database)
                if first is not None:
                    wait = min(wait, first - self._clock.now())
            except errors.VolantError as error:
                _log.warning("leases were not swept", error=error.message)
                wait = self._settings.retry_pause
            self._sweep_now.clear()
            with contextlib.suppress(TimeoutError):
                # A little late rather than a little early, which would be in vain.
                async with asyncio.timeout(max(wait, datetime.timedelta()).total_seconds() + 0.05):
                    await self._sweep_now.wait()

    async def sweep(self) -> None:
        """End the sessions whose time is over, and lease their executions anew."""
        since = self._heard_since()
        alive = [session.id for session in self._sessions if session.heard >= since]
        now = self._clock.now()
        if alive:
            # Heard of in time by the monotonic clock: the machine slept, or we were too busy to note it.
            await store.renew(self._database, alive, now + self._settings.lease)
        freed = await store.expire(self._database, now)
        if freed:
            _log.warning("leases of lost engines ended", executions=freed)
            self.news.waiting()
        self.claim_soon()


@contextlib.asynccontextmanager
async def open_dispatcher(
    database: postgres.Database, settings: DispatchSettings, clock: clock.Clock, replica: str
) -> AsyncIterator[Dispatcher]:
    """A dispatcher that runs while the context is open."""
    platform_key = await store.platform_key(database, "drivers", secrets.token_bytes(32))
    dispatcher = Dispatcher(database, settings, clock, replica, platform_key)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(dispatcher.run(), name="dispatch")
        try:
            yield dispatcher
        finally:
            running.cancel()

"""From settings to a running platform, and back: the one place where parts meet.

Shutdown is the reverse of the opening, behind one step of its own:

0. give notice, where settings ask for it: health says 503 and NOT_SERVING, all is still served
1. refuse: nothing new is taken, clients are told UNAVAILABLE while an engine in this process still reports
2. the engine stops deciding, sends its last reports, gives its leases back (to a deadline, then it is cancelled)
3. attempts are ended, where settings say so; else they run on and are adopted later
4. calls in progress end or are cancelled; the gRPC server closes
5. HTTP closes, then what pipes connections to gRPC
6. admin and datacatalog end their own tasks
7. the object store closes, then the database
"""

import asyncio
import contextlib
import dataclasses
import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp.web
import grpc.aio
import structlog

from volant_core import blobstore, clock, postgres, rpc, sockets, telemetry
from volant_server import gate, gateway, health, listening, one_port, parts, sequence, web
from volant_server.settings import ServerSettings

if TYPE_CHECKING:
    from volant_engine.launchers.port import Launcher
    from volant_engine.reactor.engine import Engine

_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Ports:
    """What a platform listens on. gRPC binds by itself; the others are held from the start: nobody takes them."""

    grpc: tuple[sockets.Address, ...] = ()
    http: tuple[socket.socket, ...] = ()
    both: tuple[socket.socket, ...] = ()
    s3: tuple[socket.socket, ...] = ()

    def close(self) -> None:
        """Let them go; those that were served are closed already."""
        for one in (*self.http, *self.both, *self.s3):
            one.close()


def hold_ports(settings: ServerSettings) -> Ports:
    """Take what is to be listened on. FailedPreconditionError, with a sentence, when that can't be."""
    listen, services = settings.listen, settings.services
    serves = bool({"admin", "datacatalog"} & set(services))
    with contextlib.ExitStack() as stack:

        def held(text: str, what: str, *, wanted: bool = True) -> tuple[socket.socket, ...]:
            if not text or not wanted:
                return ()
            found = sockets.hold(sockets.parse(text, what=what), what=what)
            for one in found:
                stack.push(one)
            return found

        grpc_text = listen.grpc if serves else ""
        ports = Ports(
            grpc=sockets.claim(sockets.parse(grpc_text, what="gRPC"), what="gRPC") if grpc_text else (),
            http=held(listen.http, "HTTP"),
            both=held(listen.both, "HTTP and gRPC", wanted=serves),
            s3=held(listen.s3, "the object store", wanted="objectstore" in services),
        )
        stack.pop_all()
    return ports


class Platform:
    """What is open. Made by `opened`."""

    def __init__(self, settings: ServerSettings, clock: clock.Clock, ports: Ports | None = None) -> None:
        """Nothing is open yet. `ports` are taken over; held when it is opened if left out."""
        self.settings = settings
        self.clock = clock
        self.sequence = sequence.Sequence()
        self._token = parts.peer_token(settings)
        self.gate = gate.Gate(self._token)
        self.health = health.Health()
        self.ended_attempts = 0
        """How many attempts were ended at shutdown."""
        self._sites: list[aiohttp.web.SockSite] = []
        self._front: one_port.OnePort | None = None
        self._server: rpc.RunningServer | None = None
        self._looks: dict[str, health.Look] = {}
        self._database: postgres.Database | None = None
        self._blobs: blobstore.BlobStore | None = None
        self._run = Path()
        self._addresses = parts.Addresses()
        self._ports = ports or Ports()
        self._holds_ports = ports is not None

    @property
    def addresses(self) -> parts.Addresses:
        """Where it answers."""
        return self._addresses

    def _name_addresses(self) -> parts.Addresses:
        both, s3 = sockets.addresses_of(self._ports.both), sockets.addresses_of(self._ports.s3)
        serving, http = (*self._ports.grpc, *both), (*sockets.addresses_of(self._ports.http), *both)
        return parts.Addresses(
            grpc=tuple(map(str, serving)),
            http=tuple(map(str, http)),
            s3=tuple(map(str, s3)),
            internal=f"unix:{self._run / 'grpc.sock'}",
            here=str(serving[0].here) if serving else "",
            s3_here=str(s3[0].here) if s3 else "",
            s3_outside=str(s3[0].outside) if s3 else "",
            hosts=tuple(http),
            is_public=not all(one.is_loopback for one in (*serving, *http, *s3)),
        )

    @property
    def database(self) -> postgres.Database:
        """The database's pool."""
        assert self._database is not None
        return self._database

    @property
    def blobs(self) -> blobstore.BlobStore:
        """The object store."""
        assert self._blobs is not None
        return self._blobs

    async def open(self) -> None:
        """Open everything; when one part fails, close the others again."""
        try:
            await self._open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Shut down, as the module says."""
        await self.give_notice()
        await self.refuse()
        await self.sequence.close()

    async def give_notice(self) -> None:
        """Say that we leave, and serve on for a moment."""
        was_ready, self.health.ready = self.health.ready, False
        await self._say(serving=False)
        if was_ready and self.settings.shutdown.notice_s:
            await asyncio.sleep(self.settings.shutdown.notice_s)

    async def refuse(self) -> None:
        """The first step of shutdown: take nothing new."""
        self.health.ready = False
        # Without an engine to wait for, gRPC closes at once, and its clients go elsewhere without being refused.
        self.gate.closed = "engine" in self.settings.services
        if self._front is not None:
            self._front.stop_listening()
        for site in self._sites:
            with contextlib.suppress(RuntimeError):  # not started, or stopped before
                await site.stop()
        self._sites.clear()

    async def _open(self) -> None:
        settings = self.settings
        if not self._holds_ports:
            self._ports = hold_ports(settings)
        await self.sequence.open("ports", self._held())
        await self.sequence.open("run folder", self._private_folder())
        if {"admin", "datacatalog"} & set(settings.services):
            self._database = await self.sequence.open("database", self._open_database())
        self._blobs = await self.sequence.open(
            "blob store", parts.open_blobs(settings.blobs, self.addresses.s3_outside, self.clock)
        )
        if "objectstore" in settings.services:
            await self.sequence.open("object store", self._open_objectstore())
        registrations, routes = await self._open_services()
        if registrations:
            await self._serve(registrations, routes)
        else:
            await self._serve_http(routes)
        if "engine" in settings.services:
            await self._open_engine()
        pause_s = settings.database.check_s
        await self.sequence.open("health", health.watched(self.health, self._looks, pause_s, self._say))
        self.health.ready = True
        await self._say(serving=self.health.serving)

    @contextlib.asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self._ports.close()

    @contextlib.asynccontextmanager
    async def _private_folder(self) -> AsyncIterator[None]:
        with contextlib.ExitStack() as stack:
            wanted = self.settings.run_folder
            if wanted is None:
                wanted = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="volant-")))
            self._run = sockets.private_folder(wanted)
            (self._run / "grpc.sock").unlink(missing_ok=True)
            self._addresses = self._name_addresses()
            yield

    @contextlib.asynccontextmanager
    async def _open_database(self) -> AsyncIterator[postgres.Database]:
        settings = self.settings.database
        database = await parts.open_database(self.settings, self.clock)
        try:
            self._looks["database"] = health.of_database(database, settings.connections, settings.check_s)
            telemetry.watch("volant_database_busy", "Connections to PostgreSQL in use.", lambda: database.busy)
            yield database
        finally:
            await database.close()

    @contextlib.asynccontextmanager
    async def _open_objectstore(self) -> AsyncIterator[None]:
        async with (
            parts.open_objectstore(self.settings, self.clock) as store,
            listening.http_runner(store.app) as runner,
        ):
            await listening.listen(runner, self._ports.s3)
            yield

    async def _open_services(self) -> tuple[list[rpc.Registration], list[aiohttp.web.AbstractRouteDef]]:
        registrations: list[rpc.Registration] = []
        routes: list[aiohttp.web.AbstractRouteDef] = []
        if "datacatalog" in self.settings.services:
            catalog = await self.sequence.open(
                "datacatalog", parts.open_datacatalog(self.settings, self.database, self.blobs, self.clock)
            )
            registrations += catalog.servicers
        if "admin" in self.settings.services:
            admin = await self.sequence.open(
                "admin", parts.open_admin(self.settings, self.addresses, self.database, self.blobs, self.clock)
            )
            registrations += admin.servicers
            routes += admin.routes
        return registrations, routes

    async def _serve(
        self, registrations: Sequence[rpc.Registration], routes: list[aiohttp.web.AbstractRouteDef]
    ) -> None:
        runner: list[aiohttp.web.AppRunner] = []
        if self._ports.both:

            def http() -> aiohttp.web.RequestHandler:
                server = runner[0].server
                assert server is not None
                return server()

            self._front = one_port.OnePort(str(self._run / "grpc.sock"), http)
            await self.sequence.open("pipes", listening.closed_last(self._front))
        channel = await self.sequence.open("gateway", self._channel(""))
        routes += gateway.routes([one.service for one in registrations], channel)
        runner.append(await self._serve_http(routes))
        server = await self.sequence.open("gRPC", self._open_grpc(registrations), patience_s=30)
        _log.debug("listening", addresses=server.addresses)
        if self._front is not None:
            await self._front.listen(self._ports.both)

    async def _serve_http(self, routes: list[aiohttp.web.AbstractRouteDef]) -> aiohttp.web.AppRunner:
        hosts = web.Hosts.of(self.addresses.hosts, self.settings.listen.hosts)
        app = web.make_app(routes, self.health, hosts)
        runner = await self.sequence.open("HTTP", listening.http_runner(app))
        self._sites += await listening.listen(runner, self._ports.http)
        return runner

    @contextlib.asynccontextmanager
    async def _open_grpc(self, registrations: Sequence[rpc.Registration]) -> AsyncIterator[rpc.RunningServer]:
        server = await rpc.serve(
            registrations,
            [*map(str, self._ports.grpc), self.addresses.internal],
            self.settings.rpc,
            observer=telemetry.observe_rpc,
            scope=self.gate,
        )
        self._server = server
        await self._say(serving=False)  # until all is open
        try:
            yield server
        finally:
            self._server = None
            await server.stop(self.settings.shutdown.calls_s)

    async def _say(self, serving: bool) -> None:
        if self._server is not None:
            await self._server.say(serving)

    async def _open_engine(self) -> None:
        settings, shutdown = self.settings, self.settings.shutdown
        admin = await self.sequence.open("channel to admin", self._channel(settings.peers.admin))
        catalog = admin
        if settings.peers.datacatalog != settings.peers.admin:
            catalog = await self.sequence.open("channel to datacatalog", self._channel(settings.peers.datacatalog))
        launcher = await self.sequence.open("attempts", self._open_launcher(admin), patience_s=shutdown.attempts_s)
        engine = await self.sequence.open(
            "engine",
            parts.open_engine(settings, admin, catalog, self._token, self.blobs, launcher, self.clock),
            patience_s=shutdown.engine_s,
        )
        if settings.peers.admin:
            self._looks["admin"] = _of_engine(engine)
        telemetry.watch("volant_engine_executions", "Executions that this engine drives.", lambda: len(engine))
        telemetry.watch("volant_attempts_running", "Attempts with a process now.", lambda: launcher.running)

    @contextlib.asynccontextmanager
    async def _channel(self, address: str) -> AsyncIterator[grpc.aio.Channel]:
        interceptors = telemetry.client_interceptors()
        async with rpc.connect(address or self.addresses.internal, interceptors=interceptors) as channel:
            yield channel

    @contextlib.asynccontextmanager
    async def _open_launcher(self, admin: grpc.aio.Channel) -> "AsyncIterator[Launcher]":
        launcher = parts.make_launcher(self.settings, self.addresses, admin, self.blobs, self.clock)
        try:
            yield launcher
        finally:
            end = self.settings.tasks.end_at_shutdown
            self.ended_attempts = launcher.running if end else 0
            await launcher.close(end_attempts=end)


def _of_engine(engine: "Engine") -> health.Look:
    """Whether an engine in a process of its own has an admin."""

    async def look() -> str:
        return "" if engine.is_attached else "the engine is not attached"

    return look


@contextlib.asynccontextmanager
async def opened(settings: ServerSettings, clock: clock.Clock) -> AsyncIterator[Platform]:
    """A platform as the settings say, shut down in order at the end."""
    platform = Platform(settings, clock)
    await platform.open()
    try:
        yield platform
    finally:
        await platform.close()

"""The one gRPC server of a process: what it is given, how it starts and how it stops."""

import dataclasses
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import grpc.aio
from grpc_health.v1 import health, health_pb2

from volant_core import errors
from volant_core.rpc import handlers, reflection

# What stock clients' health checks ask for, besides "" for the whole server.
_FLYTES_HEALTH_NAME = "flyteadmin"


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """Limits and habits of a server."""

    max_message_bytes: int = 64 * 1024 * 1024
    """Bytes of one message, in or out. The closure of 10,000 nodes has 9.4 million; gRPC's default is 4 MiB."""
    max_metadata_bytes: int = 64 * 1024
    """Bytes of a request's metadata."""
    max_concurrent_rpcs: int = 10_000
    """Calls in progress at once, streams included; more are refused with RESOURCE_EXHAUSTED."""
    unary_seconds: float = 60.0
    """Seconds that a call without streams may take, whatever deadline the client gave."""
    min_ping_seconds: float = 5.0
    """Seconds between a client's keepalive pings. flytekit sends one every 30 s, with or without calls."""
    keepalive_seconds: float = 60.0
    """Seconds of silence after which the server asks whether a client is still there."""
    grace_seconds: float = 10.0
    """Seconds that calls in progress get to end at shutdown."""

    def options(self) -> list[tuple[str, int]]:
        """The options for grpc."""
        return [
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.max_send_message_length", self.max_message_bytes),
            ("grpc.max_metadata_size", self.max_metadata_bytes),
            ("grpc.absolute_max_metadata_size", 2 * self.max_metadata_bytes),
            ("grpc.http2.min_ping_interval_without_data_ms", int(self.min_ping_seconds * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.keepalive_time_ms", int(self.keepalive_seconds * 1000)),
            # A second server on the same port is a mistake to be told, not load to be shared.
            ("grpc.so_reuseport", 0),
        ]


class RunningServer:
    """A server that answers. Stop it, or leave it as a context manager."""

    def __init__(
        self,
        server: grpc.aio.Server,
        addresses: tuple[str, ...],
        table: handlers.CallTable,
        checks: health.aio.HealthServicer,
        names: Sequence[str],
        settings: ServerSettings,
    ) -> None:
        """Made by `serve`."""
        self.addresses = addresses
        """Where it listens, with the port that was given for port 0."""
        self._server = server
        self._table = table
        self._checks = checks
        self._names = names
        self._settings = settings

    async def say(self, serving: bool) -> None:
        """Tell who asks grpc.health whether requests should be sent here."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in self._names:
            await self._checks.set(name, status)

    async def stop(self, grace: float | None = None) -> None:
        """Shut down: say NOT_SERVING, end the endless streams, refuse new calls, let the rest end, cancel, close.

        Args:
            grace: Seconds that calls in progress get to end; the setting's if left out. Stopping again is harmless.
        """
        await self._checks.enter_graceful_shutdown()
        self._table.end_streams()
        await self._server.stop(self._settings.grace_seconds if grace is None else grace)

    async def wait(self) -> None:
        """Until it has stopped."""
        await self._server.wait_for_termination()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def serve(
    registrations: Sequence[handlers.Registration],
    addresses: Sequence[str],
    settings: ServerSettings | None = None,
    *,
    observer: handlers.Observer | None = None,
    scope: handlers.Scope | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> RunningServer:
    """Start one server for all services, each under our name and Flyte's, with health and reflection.

    Args:
        registrations: What to serve.
        addresses: Where: "127.0.0.1:8089", "[::1]:0", "unix:/path".
        settings: Limits; the defaults if left out.
        observer: Told of every call when it has ended.
        scope: Entered around every call.
        credentials: For TLS; without them the ports are plain.

    Raises:
        FailedPreconditionError: An address can not be listened on.
    """
    settings = settings or ServerSettings()
    checks = health.aio.HealthServicer()
    shown = [
        *registrations,
        handlers.Registration(
            servicer=checks,
            service=health_pb2.DESCRIPTOR.services_by_name["Health"],
            endless=frozenset({"Watch"}),
        ),
    ]
    limits = handlers.Limits(unary_seconds=settings.unary_seconds, message_bytes=settings.max_message_bytes)
    watchdog = handlers.Watchdog(settings.unary_seconds)
    table = handlers.CallTable(limits=limits, watchdog=watchdog, observer=observer, scope=scope)
    served = [*shown, reflection.reflection_of(shown)]
    server = grpc.aio.server(
        handlers=[handlers.Handlers(served, table)],
        options=settings.options(),
        maximum_concurrent_rpcs=settings.max_concurrent_rpcs,
    )
    bound = tuple([_bind(server, address, credentials) for address in addresses])
    names = ["", _FLYTES_HEALTH_NAME, *(name for one in registrations for name in handlers.served_names(one))]
    running = RunningServer(server, bound, table, checks, names, settings)
    await running.say(serving=True)
    await server.start()
    return running


def _bind(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> str:
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        port = 0
        cause: Exception | None = error
    else:
        cause = None
    if port == 0:
        raise errors.FailedPreconditionError(
            f"cannot listen on {address}: is another process using it? Choose another address"
        ) from cause
    if address.startswith("unix:"):
        return address
    return f"{address.rpartition(':')[0]}:{port}"

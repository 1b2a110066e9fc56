"""Calling another service: a channel with our limits, and the errors that the other side meant."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from typing import TypeVar

import grpc
import grpc.aio

from volant_core.rpc import statuses

_T = TypeVar("_T")

_OPTIONS = [
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    # Room for a text of 32,000 bytes, which may be three times as long when it is escaped, and its details.
    ("grpc.max_metadata_size", 256 * 1024),
    ("grpc.absolute_max_metadata_size", 512 * 1024),
    # A service that was away is looked for again at once, and then at least every 2 s.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Otherwise HTTP proxies of the environment are asked about loopback too.
    ("grpc.enable_http_proxy", 0),
]
_PINGS = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


def connect(
    address: str,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    pings: bool = True,
) -> grpc.aio.Channel:
    """A channel to `address` ("host:port", "unix:/path"); it connects when first used and is yours to close.

    With `credentials` it speaks TLS. `interceptors` see every call (see `volant_core.telemetry`). `pings` find out that
    the other side is gone; only a server that was told to allows them, as ours is.
    """
    options = _OPTIONS + _PINGS if pings else _OPTIONS
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
    return grpc.aio.secure_channel(address, credentials, options=options, interceptors=interceptors)


@contextlib.contextmanager
def peer_errors() -> Iterator[None]:
    """Within it, a call that fails raises the `VolantError` that the other side meant, instead of AioRpcError."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise statuses.from_rpc_error(error) from error


async def call(rpc: Awaitable[_T]) -> _T:
    """Await one unary call, raising the `VolantError` that the other side meant when it fails.

    Use as `task = await rpc.call(stub.GetTask(request, timeout=5))`.
    """
    try:
        return await rpc
    except grpc.aio.AioRpcError as error:
        raise statuses.from_rpc_error(error) from error


async def stream(responses: AsyncIterator[_T]) -> AsyncIterator[_T]:
    """The responses of a streamed call, raising `VolantError` when it fails."""
    with peer_errors():
        async for response in responses:
            yield response

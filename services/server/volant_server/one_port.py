"""gRPC and HTTP/1.1 on one port: look at the first bytes of a connection, then hand it on.

HTTP/2's preface goes, spliced, to the gRPC server's unix socket; anything else becomes an aiohttp connection, without a
copy. The whole preface is compared, and a proper beginning of it waited on, for clients may dribble.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from typing import cast

from volant_core import aio

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_UNDECIDED_S = 10.0


class OnePort:
    """Listens, decides, splices. Close in order: `stop_listening`, then the gRPC server, then `close`."""

    def __init__(self, grpc_socket: str, http: Callable[[], asyncio.Protocol]) -> None:
        """`grpc_socket` is the path of gRPC's unix socket, `http` makes a protocol for one HTTP connection."""
        self._grpc_socket = grpc_socket
        self._http = http
        self._servers: list[asyncio.Server] = []
        self._open: set[_Undecided | _Spliced] = set()
        self._tasks = aio.Tasks("one port")

    async def listen(self, held: Sequence[socket.socket]) -> None:
        """Serve all who connect to the sockets (made for TCP by name: else asyncio leaves TCP_NODELAY off)."""
        loop = asyncio.get_running_loop()
        for one in held:
            self._servers.append(await loop.create_server(lambda: _Undecided(self), sock=one))

    def stop_listening(self) -> None:
        """Take no more connections, and drop those that have not said what they are."""
        for server in self._servers:
            server.close()
        for connection in tuple(self._open):
            if isinstance(connection, _Undecided):
                connection.drop()

    async def close(self) -> None:
        """End the pipes. To be called when the gRPC server has stopped."""
        self.stop_listening()
        await self._tasks.cancel()
        for connection in tuple(self._open):
            connection.drop()
        for server in self._servers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.wait_closed(), 2)

    def to_http(self, connection: "_Undecided", transport: asyncio.Transport, data: bytes) -> None:
        """Give a connection to aiohttp, with what was read of it."""
        self._open.discard(connection)
        protocol = self._http()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)

    def to_grpc(self, connection: "_Undecided", transport: asyncio.Transport, data: bytes) -> None:
        """Connect it with the gRPC server."""
        self._open.discard(connection)
        outer = _Spliced(self, transport)
        self._open.add(outer)
        transport.pause_reading()
        transport.set_protocol(outer)
        self._tasks.start("splice", self._splice(outer, transport, data))

    async def _splice(self, outer: "_Spliced", transport: asyncio.Transport, data: bytes) -> None:
        inner = _Spliced(self, None)
        # Before it is connected: the server speaks at once, and may be heard before this goes on.
        inner.join(outer)
        outer.join(inner)
        self._open.add(inner)
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: inner, self._grpc_socket)
        except OSError:  # the gRPC server has stopped
            self._open.discard(inner)
            transport.abort()
            return
        if transport.is_closing():  # while we connected
            inner.drop()
            return
        transport.resume_reading()
        inner.write(data)  # may pause it again

    def opened(self, connection: "_Undecided") -> None:
        """Take note of a new connection."""
        self._open.add(connection)

    def lost(self, connection: "_Undecided | _Spliced") -> None:
        """Take note of an end."""
        self._open.discard(connection)


class _Undecided(asyncio.Protocol):
    """A connection that has not said yet what it speaks."""

    def __init__(self, port: OnePort) -> None:
        self._port = port
        self._read = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not derived from it
        self._timer = asyncio.get_running_loop().call_later(_UNDECIDED_S, self.drop)
        self._port.opened(self)

    def data_received(self, data: bytes) -> None:
        self._read += data
        if len(self._read) < len(_PREFACE) and _PREFACE.startswith(self._read):
            return
        transport = self._transport
        assert transport is not None
        self._stop_timer()
        hand_on = self._port.to_grpc if self._read.startswith(_PREFACE) else self._port.to_http
        hand_on(self, transport, self._read)

    def connection_lost(self, _error: Exception | None) -> None:
        self._stop_timer()
        self._port.lost(self)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Spliced(asyncio.Protocol):
    """One end of a pair: what it receives, the other sends. The end of one ends both (gRPC takes it so too)."""

    def __init__(self, port: OnePort, transport: asyncio.Transport | None) -> None:
        self._port = port
        self._transport = transport
        self._peer: _Spliced | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not derived from it

    def join(self, peer: "_Spliced") -> None:
        self._peer = peer

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self._peer is not None:
            self._peer.write(data)

    def pause_writing(self) -> None:
        if self._peer is not None:
            self._peer.stop_reading()

    def resume_writing(self) -> None:
        if self._peer is not None:
            self._peer.go_on_reading()

    def stop_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        return False  # close: else pairs leak

    def connection_lost(self, _error: Exception | None) -> None:
        self._port.lost(self)
        if self._peer is not None:
            self._peer.finish()

    def finish(self) -> None:
        if self._transport is not None:
            self._transport.close()  # what is buffered still goes out

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

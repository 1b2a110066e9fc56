"""The sniffing front on its own: who gets a connection, whatever the pace, and how it ends."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import aiohttp.web
import grpc
import grpc.aio
import pytest

from volant_core import sockets
from volant_server import health, listening, one_port, web

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


async def echo(request: bytes, _context: object) -> bytes:
    return request


class Front:
    def __init__(self, port: int, front: one_port.OnePort, server: grpc.aio.Server) -> None:
        self.port, self.front, self.server = port, front, server


@contextlib.asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[Front]:
    path = sockets.private_folder(tmp_path / "run") / "grpc.sock"
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.aio.server(options=options)
    handler = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Echo": handler}),))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    state = health.Health(ready=True)
    held = sockets.hold((sockets.Address("127.0.0.1", 0),), what="test")
    (address,) = sockets.addresses_of(held)
    app = web.make_app([], state, web.Hosts.of([address]))
    async with listening.http_runner(app) as runner:
        made = one_port.OnePort(str(path), runner.server)
        await made.listen(held)
        yield Front(address.port, made, server)
        made.stop_listening()
        await server.stop(1)
        await made.close()


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with opened(tmp_path) as one:
        yield one


async def call(channel: grpc.aio.Channel, data: bytes) -> bytes:
    return await channel.unary_unary("/test.Echo/Echo")(data, timeout=20)


async def test_grpc_and_http_side_by_side(front: Front) -> None:
    big = bytes(range(256)) * 40_000
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{front.port}", options=options) as channel,
        aiohttp.ClientSession() as session,
    ):

        async def ask() -> str:
            async with session.get(f"http://127.0.0.1:{front.port}/healthcheck") as answer:
                return await answer.text()

        answers = await asyncio.gather(*(call(channel, big) for _ in range(4)), *(ask() for _ in range(20)))
    assert answers == [big] * 4 + ["ok\n"] * 20


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 23])
async def test_a_preface_that_dribbles(front: Front, cut: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
    writer.write(PREFACE[:cut])
    await writer.drain()
    await asyncio.sleep(0.02)  # so that it comes in two pieces
    writer.write(PREFACE[cut:] + b"\0\0\0\4\0\0\0\0\0")
    frame = await asyncio.wait_for(reader.readexactly(9), 5)
    assert frame[3] == 4, "the server's SETTINGS"
    writer.close()


async def test_an_http_method_that_begins_like_the_preface(front: Front) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
    writer.write(b"P")
    await asyncio.sleep(0.02)  # so that it comes in two pieces
    writer.write(b"OST /healthcheck HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 405")
    writer.close()


async def test_who_stays_silent_is_dropped(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_port, "_UNDECIDED_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
    writer.write(b"PRI")
    assert await asyncio.wait_for(_to_end(reader), 5) == b""
    writer.close()


async def test_no_pair_outlives_its_connection(front: Front) -> None:
    for _ in range(20):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{front.port}") as channel:
            assert await call(channel, b"x") == b"x"
    for _ in range(200):
        if not front.front._open:
            break
        await asyncio.sleep(0.01)
    assert not front.front._open


async def test_delays_of_small_messages(front: Front) -> None:
    """TCP_NODELAY is on: without it an RPC takes 40 ms."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{front.port}") as channel:
        await call(channel, b"x")
        begin = asyncio.get_running_loop().time()
        for _ in range(20):
            await call(channel, b"x")
        assert asyncio.get_running_loop().time() - begin < 20 * 0.03


async def test_a_dead_grpc_server_ends_connections(front: Front) -> None:
    await front.server.stop(0)
    reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
    writer.write(PREFACE)
    assert await asyncio.wait_for(_to_end(reader), 5) == b""
    writer.close()


def test_on_uvloop() -> None:
    """Its transports differ; it is what a server runs on. In a process of its own: gRPC wants one loop in each."""
    pytest.importorskip("uvloop")
    line = [sys.executable, "-m", "tests.server.one_port_on_uvloop"]
    said = subprocess.run(line, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, said.stdout) == (0, "done\n"), said.stderr


async def _to_end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


def test_the_addresses_of_localhost() -> None:
    found = sockets.parse("localhost:8088", what="HTTP")
    assert found[0] == sockets.Address("127.0.0.1", 8088)
    if sockets.has_ipv6_loopback():
        assert found[1] == sockets.Address("::1", 8088)
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(Exception, match="already in use"):
                sockets.claim(sockets.parse(f"127.0.0.1:{port}", what="HTTP"), what="HTTP")

"""Sizes, time, keepalive and shutdown: what a server grants, and what it refuses in words."""

import asyncio
import contextlib
import struct

import grpc
import pytest
from contract_server import Served

from volant_core import errors, rpc
from volantidl.admin import common_pb2, task_pb2, version_pb2
from volantidl.dispatch import dispatch_pb2, dispatch_pb2_grpc
from volantidl.service import admin_pb2_grpc

MIB = 1024 * 1024
# Of HTTP/2: length (24 bits), type, flags, stream.
FRAME = struct.Struct(">HBBBI")
SETTINGS, PING, GOAWAY = 4, 6, 7


def task_of(size: int) -> task_pb2.TaskCreateRequest:
    request = task_pb2.TaskCreateRequest()
    request.spec.description.long_description.value = "x" * size
    return request


def asked(name: str) -> common_pb2.ObjectGetRequest:
    return common_pb2.ObjectGetRequest(id={"name": name})


async def test_large_requests_and_answers(served: Served, channel: grpc.aio.Channel) -> None:
    stub = admin_pb2_grpc.AdminServiceStub(channel)
    await stub.CreateTask(task_of(20 * MIB))
    with pytest.raises(errors.ResourceExhaustedError, match="larger than max"):
        await rpc.call(stub.CreateTask(task_of(64 * MIB)))
    with pytest.raises(errors.ResourceExhaustedError, match=r"response has \d+ bytes, more than the 67108864"):
        await rpc.call(stub.GetTask(asked("large")))
    assert [code for _, code in await served.saw(2)] == ["OK", "RESOURCE_EXHAUSTED"]


async def test_a_call_that_takes_too_long() -> None:
    served = Served()
    await served.start(rpc.ServerSettings(unary_seconds=0.05))
    async with rpc.connect(served.address) as channel:
        stub = admin_pb2_grpc.AdminServiceStub(channel)
        hanging = [rpc.call(stub.GetTask(asked("hangs"))) for _ in range(3)]
        for result in await asyncio.gather(*hanging, return_exceptions=True):
            assert isinstance(result, errors.DeadlineExceededError)
            assert "took longer than 0.05 s" in result.message
        await stub.GetVersion(version_pb2.GetVersionRequest())
    assert [code for _, code in await served.saw(4)] == ["DEADLINE_EXCEEDED"] * 3 + ["OK"]
    assert served.server is not None
    await served.server.stop(grace=0)


async def test_the_clients_deadline_holds_too(served: Served, channel: grpc.aio.Channel) -> None:
    with pytest.raises(errors.DeadlineExceededError):
        await rpc.call(admin_pb2_grpc.AdminServiceStub(channel).GetTask(asked("hangs"), timeout=0.05))


async def test_too_many_calls_at_once() -> None:
    served = Served()
    await served.start(rpc.ServerSettings(max_concurrent_rpcs=1))
    async with rpc.connect(served.address) as channel:
        stub = admin_pb2_grpc.AdminServiceStub(channel)
        first = asyncio.ensure_future(rpc.call(stub.GetTask(asked("hangs"))))
        await served.admin.started.wait()
        with pytest.raises(errors.ResourceExhaustedError):
            await rpc.call(stub.GetVersion(version_pb2.GetVersionRequest()))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert served.server is not None
    await served.server.stop(grace=0)


async def goodbye_after_pings(address: str, pings: int, interval: float) -> bytes | None:
    """Ping as a keepalive does, on a connection without calls: the text of the server's GOAWAY, None without one."""
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + FRAME.pack(0, 0, SETTINGS, 0, 0))
    try:
        for _ in range(pings):
            writer.write(FRAME.pack(0, 8, PING, 0, 0) + b"volant!!")
            answered = False
            while not answered:
                high, low, kind, _flags, _stream = FRAME.unpack(await reader.readexactly(FRAME.size))
                payload = await reader.readexactly(high * 256 + low)
                if kind == GOAWAY:
                    return payload[8:]
                answered = kind == PING
            # What the interval separates is the pings themselves.
            await asyncio.sleep(interval)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return None


@pytest.mark.parametrize(("min_ping_seconds", "goodbye"), [(0.02, None), (300, b"too_many_pings")])
async def test_keepalive_pings_without_calls(min_ping_seconds: float, goodbye: bytes | None) -> None:
    """Flytekit pings every 30 s and we ask for 5 s between pings; here the same with milliseconds."""
    served = Served()
    await served.start(rpc.ServerSettings(min_ping_seconds=min_ping_seconds))
    async with asyncio.timeout(10):
        assert await goodbye_after_pings(served.address, 6, 0.05) == goodbye
    assert served.server is not None
    await served.server.stop(grace=0)


def test_the_default_interval_suits_flytekit() -> None:
    options = dict(rpc.ServerSettings().options())
    assert options["grpc.http2.min_ping_interval_without_data_ms"] <= 30_000
    assert options["grpc.keepalive_permit_without_calls"] == 1
    assert options["grpc.so_reuseport"] == 0


async def test_shutdown_lets_calls_end_and_ends_streams(served: Served, channel: grpc.aio.Channel) -> None:
    stream = dispatch_pb2_grpc.DispatchServiceStub(channel).Attach()
    welcome = await stream.read()
    assert isinstance(welcome, dispatch_pb2.AttachResponse)
    assert welcome.welcome.lease.seconds == 30
    await served.dispatch.attached.wait()
    hanging = asyncio.ensure_future(rpc.call(admin_pb2_grpc.AdminServiceStub(channel).GetTask(asked("hangs"))))
    await served.admin.started.wait()
    assert served.server is not None
    stopping = asyncio.ensure_future(served.server.stop(grace=0.3))
    with pytest.raises(errors.UnavailableError, match="shutting down"), rpc.peer_errors():
        await stream.read()
    # The stream is told at once, the call has until the end of the grace.
    assert not hanging.done()
    with pytest.raises((errors.UnavailableError, errors.InternalError)):
        await hanging
    await stopping
    await served.server.stop(grace=0)


async def test_shutdown_is_quick_when_nothing_runs(served: Served, channel: grpc.aio.Channel) -> None:
    await admin_pb2_grpc.AdminServiceStub(channel).GetVersion(version_pb2.GetVersionRequest())
    stream = dispatch_pb2_grpc.DispatchServiceStub(channel).Attach()
    await stream.read()
    assert served.server is not None
    async with asyncio.timeout(5):
        await served.server.stop(grace=60)

"""Shutdown is a sequence: what is refused, what still works, what closes before what."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from tests.server.conftest import ANY, ENVIRONMENT, PEER_TOKEN, binaries

from volant_core import errors, rpc
from volant_server import embedded, gate, sequence
from volantidl.admin import version_pb2
from volantidl.dispatch import dispatch_pb2, dispatch_pb2_grpc


async def test_the_sequence(tmp_path: Path) -> None:
    options = embedded.Options(
        data=tmp_path / "data", grpc=ANY, http=ANY, s3=ANY, postgres=binaries(), environment=ENVIRONMENT
    )
    async with embedded.embedded_server(options) as running:
        address = running.addresses.grpc[0]
    assert running.platform.sequence.closed == [
        "health",
        "engine",
        "attempts",
        "channel to admin",
        "gRPC",
        "HTTP",
        "gateway",
        "pipes",
        "admin",
        "datacatalog",
        "object store",
        "blob store",
        "database",
        "run folder",
        "ports",
    ]
    host, _, port = address.rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))
    assert not list((tmp_path / "data" / "postgres" / "data").glob("postmaster.pid")), "the database is down"
    assert not running.folder.is_locked()


async def test_clients_are_refused_while_the_engine_still_reports(running: embedded.Running) -> None:
    async with grpc.aio.insecure_channel(running.addresses.internal) as channel:
        ask = channel.unary_unary(
            "/flyteidl.service.AdminService/GetVersion",
            request_serializer=version_pb2.GetVersionRequest.SerializeToString,
        )
        engines = rpc.proving(dispatch_pb2_grpc.DispatchServiceStub(channel), PEER_TOKEN)
        running.platform.gate.closed = True
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(version_pb2.GetVersionRequest())
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "shutting down" in (caught.value.details() or "")
        await engines.Report(dispatch_pb2.ReportRequest(session="nobody"))


async def test_postgresql_that_is_killed_comes_back(running: embedded.Running) -> None:
    os.kill(running.postgres_pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(errors.UnavailableError):
                if await running.platform.database.fetch_value("SELECT count(*) FROM admin.projects"):
                    return
            await asyncio.sleep(0.05)  # nothing announces that the database is back


def test_the_gate() -> None:
    one = gate.Gate("token")
    with one("/volantidl.service.AdminService/GetTask", None):  # type: ignore[arg-type]
        pass
    one.closed = True
    with pytest.raises(errors.UnavailableError):
        one("/volantidl.service.AdminService/GetTask", None)  # type: ignore[arg-type]


class Parts:
    def __init__(self) -> None:
        self.log: list[str] = []

    @contextlib.asynccontextmanager
    async def part(self, name: str, closing: float = 0.0, error: Exception | None = None) -> AsyncIterator[str]:
        self.log.append(f"open {name}")
        yield name
        if closing:
            try:
                await asyncio.Event().wait()
            finally:
                self.log.append(f"cancelled {name}")
        self.log.append(f"close {name}")
        if error:
            raise error


async def test_a_part_that_hangs_or_fails_does_not_keep_the_others() -> None:
    parts = Parts()
    order = sequence.Sequence()
    await order.open("a", parts.part("a"))
    await order.open("fails", parts.part("fails", error=RuntimeError("no")))
    await order.open("hangs", parts.part("hangs", closing=1), patience_s=0.01)
    await order.open("b", parts.part("b"))
    await order.close()
    assert parts.log[4:] == ["close b", "cancelled hangs", "close fails", "close a"]
    assert order.closed == ["b", "hangs", "fails", "a"]
    await order.close()
    assert order.closed == ["b", "hangs", "fails", "a"], "closing again changes nothing"

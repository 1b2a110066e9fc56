"""Two admin replicas on one database: news finds its way, leases move."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import scripted
from scripted import Execution, Node, Task, at, node, part, phase, task  # noqa: F401

from volant_admin.dispatch import store
from volant_core import errors, postgres
from volantidl.admin import signal_pb2
from volantidl.core import identifier_pb2


@pytest.fixture
async def other(
    platform: scripted.Platform, postgres_dsn: str, tmp_path: Path, clock: scripted.VirtualClock
) -> AsyncIterator[scripted.Platform]:
    """A second replica, with connections of its own."""
    database = await postgres.Database.connect(postgres_dsn)
    async with scripted.open_platform(database, tmp_path / "objects", clock) as opened:
        yield opened
    await database.close()


async def test_an_execution_created_here_is_driven_there(platform: scripted.Platform, other: scripted.Platform) -> None:
    engine = await other.engine()
    name = await platform.create()
    given = await engine.given()
    assert given.id.name == name
    await engine.report(part(given, record=phase(Execution.RUNNING)))
    assert (await platform.get(name)).closure.phase == Execution.RUNNING


async def test_aborts_signals_and_children_cross_over(platform: scripted.Platform, other: scripted.Platform) -> None:
    engine = await other.engine()
    name = await platform.create()
    await engine.given()
    signal = identifier_pb2.SignalIdentifier(signal_id="go", execution_id=scripted.execution_id(name))
    await scripted.rpc.call(
        other.signals.GetOrCreateSignal(signal_pb2.SignalGetOrCreateRequest(id=signal, type=scripted.INTEGER))
    )
    await scripted.rpc.call(
        platform.signals.SetSignal(signal_pb2.SignalSetRequest(id=signal, value=scripted.integer(5)))
    )
    heard = (await engine.hear()).signal
    assert (heard.id.name, heard.signal_id) == (name, "go")
    assert scripted.literals_pb2.Literal.FromString(heard.value) == scripted.integer(5)
    # The child is driven by an engine of the first replica.
    here = await platform.engine("here")
    request = scripted.create_request("child")
    request.spec.metadata.mode = scripted.execution_pb2.ExecutionMetadata.CHILD_WORKFLOW
    request.spec.metadata.parent_node_execution.CopyFrom(scripted.node_id(name, "n1"))
    await scripted.rpc.call(platform.admin.CreateExecution(request))
    child = await here.given()
    await here.report(part(child, record=phase(Execution.FAILED, error={"code": "E", "message": "no"})))
    told = (await engine.hear()).child
    assert (told.child.name, told.phase, told.error.code) == ("child", Execution.FAILED, "E")
    await platform.terminate(name, "across")
    assert (await engine.hear()).abort.cause == "across"


async def test_an_engine_moves_to_another_replica(platform: scripted.Platform, other: scripted.Platform) -> None:
    engine = await platform.engine("s1")
    name = await platform.create()
    given = await engine.given()
    await engine.drop()
    moved = await other.engine("s1")
    again = await moved.given()
    assert (again.execution, again.epoch) == (given.execution, given.epoch)
    await platform.terminate(name)
    assert (await moved.hear()).abort.id.name == name


async def test_replicas_end_one_anothers_lost_sessions(
    platform: scripted.Platform, other: scripted.Platform, clock: scripted.VirtualClock
) -> None:
    lost = await platform.engine("lost")
    name = await platform.create()
    await lost.given()
    await lost.drop()
    clock.advance(20)
    heir = await other.engine("heir")
    assert (await heir.given()).id.name == name


async def test_news_survives_cut_connections(
    platform: scripted.Platform, other: scripted.Platform, postgres_dsn: str
) -> None:
    engine = await other.engine()
    names = [await platform.create() for _ in range(2)]
    given = [await engine.given() for _ in names]
    surgeon = await postgres.Database.connect(postgres_dsn, max_size=1)
    await surgeon.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    async def patiently(attempt: Callable[[], Awaitable[object]]) -> None:
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(errors.UnavailableError):
                    await attempt()
                    return

    for name in names:
        await patiently(functools.partial(platform.terminate, name))
    # Nobody may have listened just then: what was missed is told afterwards.
    heard = set()
    while heard != set(names):
        heard.add((await engine.hear()).abort.id.name)
    await patiently(lambda: engine.report(*(part(one, record=phase(Execution.ABORTED)) for one in given)))
    assert (await platform.get(names[0])).closure.phase == Execution.ABORTED
    await surgeon.close()


async def test_voided_leases_are_claimed_anew(
    platform: scripted.Platform, database: postgres.Database, clock: scripted.VirtualClock
) -> None:
    before = await platform.engine("before")
    name = await platform.create()
    old = await before.given()
    await store.void_all_leases(database)
    assert len((await before.report(part(old, nodes=[node("n0")]))).refused) == 1
    after = await platform.engine("after")
    new = await after.given()
    assert (new.id.name, new.epoch, new.resumed) == (name, 2, True)

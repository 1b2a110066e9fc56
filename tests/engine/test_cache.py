"""The cache, with a real datacatalog on a real PostgreSQL."""

import asyncio

import engine_graphs as g
import engine_kinds as kinds
import pytest
from engine_platform import Platform

from volant_core import clock, rpc
from volant_datacatalog import service, settings
from volantidl.core import catalog_pb2, execution_pb2, literals_pb2

_Execution = execution_pb2.WorkflowExecution
CACHED = g.task("cached", {"a": g.INT}, {"o0": g.INT}, discoverable=True, discovery_version="1")
SERIAL = g.task(
    "serial", {"a": g.INT}, {"o0": g.INT}, discoverable=True, discovery_version="1", cache_serializable=True
)


@pytest.fixture
def platform(tmp_path):
    return Platform(tmp_path / "objects")


@pytest.fixture
async def catalog(database, platform):
    chosen = settings.DatacatalogSettings()
    async with (
        service.open_datacatalog(
            database=database, blobs=platform.blobs, settings=chosen, clock=clock.SystemClock()
        ) as opened,
        await rpc.serve(opened.servicers, ["127.0.0.1:0"]) as server,
        rpc.connect(server.addresses[0]) as channel,
    ):
        yield channel


async def test_the_second_run_finds_what_the_first_has_made(platform, catalog):
    async with platform.serve() as channel, platform.engine(channel, catalog=catalog):
        first = await platform.finish(g.chain(2, CACHED), g.literal_map(a=1))
        second = await platform.finish(g.chain(2, CACHED), g.literal_map(a=1))
    assert [first.nodes[n].cache_status for n in ("n0", "n1")] == [catalog_pb2.CACHE_POPULATED] * 2
    assert [second.nodes[n].cache_status for n in ("n0", "n1")] == [catalog_pb2.CACHE_HIT] * 2
    assert kinds.output(first) == kinds.output(second) == 3
    assert len(platform.attempts) == 2
    source = second.nodes["n1"].catalog_key.source_task_execution
    assert source.node_execution_id.execution_id.name == "exec1"
    assert source.node_execution_id.node_id == "n1"
    assert source.task_id.name == "cached"
    assert second.nodes["n1"].catalog_key.artifact_tag.name.startswith("flyte_cached-")


async def test_overwriting_replaces(platform, catalog):
    values = iter([1, 2])
    platform.outcome = lambda attempt, inputs: g.literal_map(o0=next(values))

    def overwrite(assignment):
        assignment.spec.overwrite_cache = True

    async with platform.serve() as channel, platform.engine(channel, catalog=catalog):
        await platform.finish(g.chain(1, CACHED), g.literal_map(a=1))
        again = await platform.finish(g.chain(1, CACHED), g.literal_map(a=1), configure=overwrite)
        third = await platform.finish(g.chain(1, CACHED), g.literal_map(a=1))
    assert kinds.output(again) == kinds.output(third) == 2
    assert third.nodes["n0"].cache_status == catalog_pb2.CACHE_HIT


async def test_large_outputs_are_found_too(platform, catalog):
    many = g.task("many", {"a": g.INT}, {"o0": g.INTS}, discoverable=True, discovery_version="1")
    nodes = [g.node("n0", many, a="a")]
    closure = g.closure(g.workflow("w", nodes, {"a": g.INT}, {"o0": g.INTS}, {"o0": "n0.o0"}), many)
    platform.outcome = lambda attempt, inputs: literals_pb2.LiteralMap(literals={"o0": g.integers(*range(30_000))})
    async with platform.serve() as channel, platform.engine(channel, catalog=catalog):
        await platform.finish(closure, g.literal_map(a=1))
        second = await platform.finish(closure, g.literal_map(a=1))
    assert len(platform.attempts) == 1
    record = second.nodes["n0"]
    assert record.cache_status == catalog_pb2.CACHE_HIT
    written = literals_pb2.LiteralMap.FromString(await platform.blobs.get(record.output_uri))
    assert len(written.literals["o0"].collection.literals) == 30_000
    assert platform.admin.largest < 1_000_000


async def test_serialized_tasks_compute_once_across_executions(platform, catalog):
    started, go = asyncio.Event(), asyncio.Event()

    async def wait(attempt, inputs):
        started.set()
        await go.wait()
        return g.literal_map(o0=5)

    platform.outcome = wait
    async with platform.serve() as channel, platform.engine(channel, catalog=catalog):
        first = await platform.submit(g.chain(1, SERIAL), g.literal_map(a=1))
        await started.wait()
        second = await platform.submit(g.chain(1, SERIAL), g.literal_map(a=1))
        exists = catalog_pb2.CatalogReservation.RESERVATION_EXISTS

        def waits():
            record = platform.admin.stores[second].nodes.get("n0")
            return record is not None and record.reservation_status == exists

        await platform.admin.until(waits)
        go.set()
        stores = [await platform.admin.ended(number) for number in (first, second)]
    assert [kinds.output(store) for store in stores] == [5, 5]
    assert len(platform.attempts) == 1
    assert stores[1].nodes["n0"].cache_status == catalog_pb2.CACHE_HIT


async def test_a_hundred_nodes_ask_together(platform, catalog):
    closure = g.fan_out(100, CACHED)
    async with platform.serve() as channel, platform.engine(channel, catalog=catalog):
        await platform.finish(closure, g.literal_map(a=1))
        second = await platform.finish(closure, g.literal_map(a=1))
    statuses = {second.nodes[f"n{index}"].cache_status for index in range(100)}
    assert statuses == {catalog_pb2.CACHE_HIT}
    assert second.execution.phase == _Execution.SUCCEEDED


async def test_outputs_that_are_too_old_are_not_found(platform, catalog):
    async with platform.serve() as channel:
        async with platform.engine(channel, catalog=catalog):
            await platform.finish(g.chain(1, CACHED), g.literal_map(a=1))
        async with platform.engine(channel, catalog=catalog, cache_seconds=1e-6):
            second = await platform.finish(g.chain(1, CACHED), g.literal_map(a=1))
    assert second.nodes["n0"].cache_status != catalog_pb2.CACHE_HIT
    assert len(platform.attempts) == 2

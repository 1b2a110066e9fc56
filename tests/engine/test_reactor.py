"""The reactor with real gRPC, a real folder store and scripted attempts."""

import asyncio

import engine_graphs as g
import pytest
from engine_platform import Platform, user_error

from volant_engine.launchers import fake
from volantidl.core import execution_pb2, literals_pb2
from volantidl.dispatch import dispatch_pb2

_Execution = execution_pb2.WorkflowExecution


@pytest.fixture
def platform(tmp_path):
    return Platform(tmp_path / "objects")


async def test_a_chain_of_tasks_runs_and_leaves_files(platform):
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(g.chain(3, g.PLAIN), g.literal_map(a=1))
    assert store.execution.phase == _Execution.SUCCEEDED
    outputs = literals_pb2.LiteralMap.FromString(store.execution.outputs)
    assert outputs.literals["o0"].scalar.primitive.integer == 4
    record = store.nodes["n1"]
    assert record.input_uri == "s3://bucket/metadata/propeller/p-d-exec1/n1/data/inputs.pb"
    assert record.output_uri == "s3://bucket/metadata/propeller/p-d-exec1/n1/data/0/outputs.pb"
    written = literals_pb2.LiteralMap.FromString(await platform.blobs.get(record.input_uri))
    assert written.literals["a"].scalar.primitive.integer == 2
    assert store.tasks["n1", 0].phase == execution_pb2.TaskExecution.SUCCEEDED
    attempt = platform.attempts[0]
    assert attempt.arguments[:3] == [
        "pyflyte-execute",
        "--inputs",
        "s3://bucket/metadata/propeller/p-d-exec1/n0/data/inputs.pb",
    ]
    assert attempt.environment["FLYTE_INTERNAL_EXECUTION_ID"] == "exec1"


async def test_echo_nodes_need_few_reports(platform):
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(g.chain(50), g.literal_map(a=1))
    assert store.execution.phase == _Execution.SUCCEEDED
    assert len(store.nodes) == 52
    assert platform.admin.reports <= 5


async def test_a_user_error_fails_the_execution(platform):
    platform.outcome = lambda attempt, inputs: user_error("no")
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(g.chain(2, g.PLAIN), g.literal_map(a=1))
    assert store.execution.phase == _Execution.FAILED
    assert store.execution.error.code == "USER:Error"
    assert "n1" not in store.nodes


async def test_lost_and_failed_reports_change_nothing(platform):
    platform.admin.lose, platform.admin.fail = 2, 2
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(g.chain(3, g.PLAIN), g.literal_map(a=1))
    assert store.execution.phase == _Execution.SUCCEEDED
    assert set(platform.launcher.runs.values()) == {1}


async def test_abort_stops_what_runs(platform):
    started = asyncio.Event()

    async def forever(attempt, inputs):
        started.set()
        await asyncio.Event().wait()

    platform.outcome = forever
    async with platform.serve() as channel, platform.engine(channel):
        number = await platform.submit(g.chain(2, g.PLAIN), g.literal_map(a=1))
        await started.wait()
        platform.admin.push(
            abort=dispatch_pb2.Abort(id={"project": "p", "domain": "d", "name": "exec1"}, cause="enough")
        )
        store = await platform.admin.ended(number)
        assert platform.launcher.running == 0
    assert store.execution.phase == _Execution.ABORTED
    assert store.phase("n0") == "ABORTED"
    assert store.nodes["n0"].error.code == "NodeAborted"
    assert store.tasks["n0", 0].phase == execution_pb2.TaskExecution.ABORTED


async def test_the_next_engine_adopts_what_runs(platform):
    started, go = asyncio.Event(), asyncio.Event()

    async def wait(attempt, inputs):
        started.set()
        await go.wait()
        return g.literal_map(o0=7)

    platform.outcome = wait
    async with platform.serve() as channel:
        async with platform.engine(channel):
            number = await platform.submit(g.chain(2, g.PLAIN), g.literal_map(a=1))
            await started.wait()
        go.set()
        async with platform.engine(channel):
            store = await platform.admin.ended(number)
    assert store.execution.phase == _Execution.SUCCEEDED
    assert set(platform.launcher.runs.values()) == {1}


async def test_a_stale_lease_ends_the_worker(platform):
    go = asyncio.Event()

    async def wait(attempt, inputs):
        await go.wait()
        return g.literal_map(o0=7)

    platform.outcome = wait
    async with platform.serve() as channel, platform.engine(channel) as engine:
        number = await platform.submit(g.chain(1, g.PLAIN), g.literal_map(a=1))
        await platform.admin.until(lambda: "n0" in platform.admin.stores[number].nodes)
        platform.admin.assignments[number].epoch = 2
        go.set()
        async with asyncio.timeout(5):
            await engine.idle()
    assert platform.admin.stores[number].phase("n0") != "SUCCEEDED"


async def test_a_missing_closure_fails_the_execution_with_a_reason(platform):
    def elsewhere(assignment):
        assignment.closure_uri = "s3://bucket/nowhere"

    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(g.chain(1), g.literal_map(a=1), configure=elsewhere)
    assert store.execution.phase == _Execution.FAILED
    assert "nowhere" in store.execution.error.message


async def test_system_failures_are_tried_again(platform):
    def fail_twice(attempt, inputs):
        if attempt.number < 2:
            error = execution_pb2.ExecutionError(
                code="Interrupted", message="gone", kind=execution_pb2.ExecutionError.SYSTEM
            )
            return fake.Ending(error, retryable=True)
        return g.literal_map(o0=1)

    platform.outcome = fail_twice
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(g.chain(1, g.PLAIN), g.literal_map(a=1))
    assert store.execution.phase == _Execution.SUCCEEDED
    phases = [store.tasks["n0", number].phase for number in range(3)]
    assert phases == [execution_pb2.TaskExecution.FAILED] * 2 + [execution_pb2.TaskExecution.SUCCEEDED]
    assert store.nodes["n0"].output_uri.endswith("/n0/data/2/outputs.pb")


async def test_a_thousand_executions_side_by_side(platform):
    closure = g.chain(3)
    async with platform.serve() as channel, platform.engine(channel) as engine:
        numbers = [await platform.submit(closure, g.literal_map(a=1)) for _ in range(300)]
        for number in numbers:
            assert (await platform.admin.ended(number)).execution.phase == _Execution.SUCCEEDED
        async with asyncio.timeout(5):
            await engine.idle()


async def test_what_was_launched_and_never_reported_ends_with_the_execution(platform):
    """The engine dies with a report unsent: the abort that follows finds what it had launched."""
    started, stopped = asyncio.Event(), asyncio.Event()

    async def second_waits(attempt, inputs):
        if attempt.node_id == "n0":
            return g.literal_map(o0=1)
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return None

    platform.outcome = second_waits
    async with platform.serve() as channel:
        async with platform.engine(channel, drain_seconds=0.1):
            number = await platform.submit(g.chain(2, g.PLAIN), g.literal_map(a=1))
            await platform.admin.until(lambda: "start-node" in platform.admin.stores[number].nodes)
            platform.admin.fail = 10_000
            await started.wait()
        platform.admin.fail = 0
        assert platform.launcher.running == 1
        assignment = platform.admin.assignments[number]
        assignment.abort.cause = "enough"
        async with platform.engine(channel):
            store = await platform.admin.ended(number)
            await asyncio.wait_for(stopped.wait(), 5)
    assert store.execution.phase == _Execution.ABORTED

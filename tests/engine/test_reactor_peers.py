"""The reactor: what it asks of admin, the files that it reads and writes."""

import asyncio
import contextlib

import engine_graphs as g
import engine_kinds as kinds
import pytest
from engine_admin import serving
from engine_platform import Platform, sum_plus_one

from volant_core import errors, rpc
from volant_engine.decide import events, machine
from volant_engine.reactor import outcomes
from volantidl.admin import execution_pb2 as admin_execution_pb2
from volantidl.admin import signal_pb2
from volantidl.core import compiler_pb2, dynamic_job_pb2, execution_pb2, literals_pb2
from volantidl.dispatch import dispatch_pb2

execution_mode = admin_execution_pb2.ExecutionMetadata
_Execution = execution_pb2.WorkflowExecution


@pytest.fixture
def platform(tmp_path):
    return Platform(tmp_path / "objects")


# --- what admin is asked, and pushes ----------------------------------------------------------------------------------


def execution(name="exec1"):
    return {"project": "p", "domain": "d", "name": name}


async def test_a_signal_that_comes_later(platform):
    closure = kinds.gated_closure("signal")
    async with platform.serve() as channel, platform.engine(channel):
        number = await platform.submit(closure, g.literal_map(a=1))
        await platform.admin.until(lambda: "sig" in platform.admin.signals)
        value = g.integer(40).SerializeToString()
        platform.admin.push(signal=dispatch_pb2.SignalSet(id=execution(), signal_id="sig", value=value))
        store = await platform.admin.ended(number)
    assert kinds.output(store) == 41


async def test_a_signal_that_was_there_before(platform):
    signal = signal_pb2.Signal()
    signal.value.CopyFrom(g.integer(1))
    platform.admin.signals["sig"] = signal
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(kinds.gated_closure("signal"), g.literal_map(a=1))
    assert kinds.output(store) == 2


async def test_a_child_execution(platform):
    def configure(assignment):
        assignment.spec.max_parallelism = 7
        assignment.spec.overwrite_cache = True
        assignment.spec.labels.values["team"] = "x"
        assignment.spec.interruptible.value = False
        assignment.spec.metadata.nesting = 2

    async with platform.serve() as channel, platform.engine(channel):
        number = await platform.submit(kinds.launching_closure(), g.literal_map(a=1), configure=configure)
        await platform.admin.until(lambda: platform.admin.children)
        (child,) = platform.admin.children.values()
        outputs = g.literal_map(o0=9).SerializeToString()
        platform.admin.push(
            child=dispatch_pb2.ChildFinished(
                id=execution(), node_id="n0", child=execution(child.name), phase=_Execution.SUCCEEDED, outputs=outputs
            )
        )
        store = await platform.admin.ended(number)
    assert kinds.output(store) == 9
    assert store.nodes["n0"].child_execution.name == child.name
    metadata = child.spec.metadata
    assert metadata.mode == execution_mode.CHILD_WORKFLOW
    assert metadata.nesting == 3
    assert metadata.parent_node_execution.node_id == "n0"
    assert metadata.parent_node_execution.execution_id.name == "exec1"
    assert child.inputs.literals["a"].scalar.primitive.integer == 1
    assert (child.spec.max_parallelism, child.spec.overwrite_cache) == (7, True)
    assert child.spec.HasField("interruptible")
    assert not child.spec.interruptible.value
    assert child.spec.labels.values["team"] == "x"


async def test_a_child_that_ended_while_nobody_looked(platform):
    async with platform.serve() as channel:
        async with platform.engine(channel):
            number = await platform.submit(kinds.launching_closure(), g.literal_map(a=1))
            await platform.admin.until(lambda: platform.admin.stores[number].nodes.get("n0", state_of()).phase == 2)
        (name,) = platform.admin.children
        ended = platform.admin.executions[name] = admin_execution_pb2.Execution()
        ended.closure.phase = _Execution.FAILED
        ended.closure.error.code = "Deep"
        async with platform.engine(channel):
            store = await platform.admin.ended(number)
    assert store.execution.error.code == "Deep"


def state_of():
    return dispatch_pb2.NodeRecord()


async def test_a_refused_child_fails_its_node(platform):
    platform.admin.refuse = errors.InvalidArgumentError("no such plan")
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(kinds.launching_closure(), g.literal_map(a=1))
    error = store.execution.error
    assert (error.code, error.kind) == ("RuntimeExecutionError", execution_pb2.ExecutionError.USER)
    assert "no such plan" in error.message


async def test_admin_goes_away_and_comes_back(platform, tmp_path):
    address = f"unix:{tmp_path}/admin.sock"
    go = asyncio.Event()

    async def wait(attempt, inputs):
        await go.wait()
        return g.literal_map(o0=1)

    platform.outcome = wait
    channel = rpc.connect(address)
    try:
        async with contextlib.AsyncExitStack() as first:
            await first.enter_async_context(serving(platform.admin, address))
            engine = platform.engine(channel)
            await engine.__aenter__()
            number = await platform.submit(g.chain(2, g.PLAIN), g.literal_map(a=1))
            await platform.admin.until(lambda: "n0" in platform.admin.stores[number].nodes)
        go.set()
        async with serving(platform.admin, address):
            store = await platform.admin.ended(number)
            await engine.__aexit__(None, None, None)
    finally:
        await channel.close()
    assert store.execution.phase == _Execution.SUCCEEDED
    assert set(platform.launcher.runs.values()) == {1}


async def test_leaving_detaches_and_sends_what_is_due(platform):
    started = asyncio.Event()

    async def wait(attempt, inputs):
        started.set()
        await asyncio.Event().wait()

    platform.outcome = wait
    async with platform.serve() as channel:
        async with platform.engine(channel):
            number = await platform.submit(g.chain(1, g.PLAIN), g.literal_map(a=1))
            await started.wait()
        assert platform.admin.detached.is_set()
        assert platform.admin.stores[number].phase("n0") in {"QUEUED", "RUNNING"}
        assert platform.launcher.running == 1
    await platform.launcher.close(end_attempts=True)
    assert platform.launcher.running == 0


# --- files ------------------------------------------------------------------------------------------------------------


async def test_what_a_dynamic_task_writes_is_compiled_and_run(platform):
    def outcome(attempt, inputs):
        if attempt.node_id != "n0":
            return sum_plus_one(attempt, inputs)
        spec = dynamic_job_pb2.DynamicJobSpec(
            nodes=[g.node("dn0", g.PLAIN, a=5), g.node("dn1", g.PLAIN, a="dn0.o0")],
            tasks=[g.PLAIN],
            outputs=g.bindings(o0="dn1.o0"),
            min_successes=2,
        )
        return spec.SerializeToString()

    platform.outcome = outcome
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(g.chain(2, g.PLAIN), g.literal_map(a=1))
    assert store.execution.phase == _Execution.SUCCEEDED, store.execution.error
    record = store.nodes["n0"]
    closure = compiler_pb2.CompiledWorkflowClosure.FromString(await platform.blobs.get(record.dynamic_closure_uri))
    assert [node.id for node in closure.primary.template.nodes] == ["dn0", "dn1"] or len(
        closure.primary.template.nodes
    ) == 4
    assert kinds.output(store) == 8


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda spec: spec.nodes[0].task_node.reference_id.__setattr__("name", "other"), "malformed"),
        (lambda spec: spec.outputs[0].binding.promise.__setattr__("node_id", "nowhere"), "malformed"),
    ],
)
async def test_a_malformed_dynamic_graph_is_the_users_fault(platform, spoil, says):
    spec = dynamic_job_pb2.DynamicJobSpec(
        nodes=[g.node("dn0", g.PLAIN, a=5)], tasks=[g.PLAIN], outputs=g.bindings(o0="dn0.o0")
    )
    spoil(spec)
    platform.outcome = lambda attempt, inputs: spec.SerializeToString()
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(g.chain(1, g.PLAIN), g.literal_map(a=1))
    error = store.execution.error
    assert (error.code, error.kind) == ("DynamicWorkflowBuildFailed", execution_pb2.ExecutionError.USER)
    assert says in error.message


async def test_large_values_travel_by_the_store(platform):
    many = g.task("many", {"a": g.INT}, {"o0": g.INTS})
    count = g.task("count", {"a": g.INTS}, {"o0": g.INT})
    nodes = [g.node("n0", many, a="a"), *(g.node(f"c{i}", count, a="n0.o0") for i in range(5))]
    closure = g.closure(g.workflow("large", nodes, {"a": g.INT}, {"o0": g.INTS}, {"o0": "n0.o0"}), many, count)

    def outcome(attempt, inputs):
        if attempt.node_id == "n0":
            return literals_pb2.LiteralMap(literals={"o0": g.integers(*range(20_000))})
        return g.literal_map(o0=len(inputs.literals["a"].collection.literals))

    platform.outcome = outcome
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(closure, g.literal_map(a=1))
    assert store.execution.phase == _Execution.SUCCEEDED, store.execution.error
    assert not store.execution.outputs
    written = literals_pb2.LiteralMap.FromString(await platform.blobs.get(store.execution.output_uri))
    assert len(written.literals["o0"].collection.literals) == 20_000
    assert platform.admin.largest < 1_000_000


async def test_a_map_writes_its_list(platform):
    platform.outcome = lambda attempt, inputs: g.literal_map(o0=int(attempt.environment["FLYTE_K8S_ARRAY_INDEX"]))
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(kinds.mapped_closure(), kinds.listed_inputs(50))
    record = store.nodes["n0"]
    written = literals_pb2.LiteralMap.FromString(await platform.blobs.get(record.output_uri))
    assert [item.scalar.primitive.integer for item in written.literals["o0"].collection.literals] == list(range(50))
    attempt = platform.attempts[7]
    assert attempt.environment["BATCH_JOB_ARRAY_INDEX_VAR_NAME"] == "FLYTE_K8S_ARRAY_INDEX"
    assert attempt.input_uri == record.input_uri
    assert len(store.elements) == 50


async def test_a_deck_is_shown_only_when_it_is_there(platform):
    task = g.task("decked", {"a": g.INT}, {"o0": g.INT})
    task.metadata.generates_deck.value = True

    async def outcome(attempt, inputs):
        if attempt.node_id == "n0":
            await platform.blobs.put(f"{attempt.output_prefix}/deck.html", b"<html>")
        return g.literal_map(o0=1)

    platform.outcome = outcome
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(g.chain(2, task), g.literal_map(a=1))
    assert store.nodes["n0"].deck_uri == "s3://bucket/metadata/propeller/p-d-exec1/n0/data/0/deck.html"
    assert not store.nodes["n1"].deck_uri


async def test_an_execution_is_loaded_anew_after_a_fault_of_ours(platform, monkeypatch):
    """A fault while deciding costs one execution a moment, and the others nothing."""
    calls = iter([False, False, True])

    def shaky(attempt, inputs):
        return g.literal_map(o0=1)

    platform.outcome = shaky
    original = machine.advance

    def advance(run, event):
        if isinstance(event, events.AttemptNews) and next(calls, False):
            raise RuntimeError("a fault")
        return original(run, event)

    monkeypatch.setattr(machine, "advance", advance)
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(g.chain(2, g.PLAIN), g.literal_map(a=1))
    assert store.execution.phase == _Execution.SUCCEEDED
    assert set(platform.launcher.runs.values()) == {1}


async def test_an_unfit_report_fails_its_own_execution_only(platform):
    platform.admin.unfit = "exec1"
    async with platform.serve() as channel, platform.engine(channel) as engine:
        first = await platform.submit(g.chain(2, g.PLAIN), g.literal_map(a=1))
        store = await platform.finish(g.chain(2, g.PLAIN), g.literal_map(a=1))
        async with asyncio.timeout(5):
            await engine.idle()
    assert store.execution.phase == _Execution.SUCCEEDED
    assert platform.admin.stores[first].execution.phase != _Execution.SUCCEEDED


async def test_a_fault_of_admins_is_waited_out(platform):
    platform.admin.faulty = 2
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(g.chain(2, g.PLAIN), g.literal_map(a=1))
    assert store.execution.phase == _Execution.SUCCEEDED


async def test_a_fault_in_an_errand_does_not_leave_its_execution_waiting(platform, monkeypatch):
    faults = iter([True, True])
    original = outcomes.read

    async def read(*arguments):
        if next(faults, False):
            raise OSError("nobody had thought of this")
        return await original(*arguments)

    monkeypatch.setattr(outcomes, "read", read)
    async with platform.serve() as channel, platform.engine(channel):
        store = await platform.finish(g.chain(2, g.PLAIN), g.literal_map(a=1))
    assert store.execution.phase == _Execution.SUCCEEDED
    assert set(platform.launcher.runs.values()) == {1}


async def test_an_execution_that_always_goes_wrong_fails_after_a_while(platform, monkeypatch):
    def advance(run, event):
        if isinstance(event, events.Broke):
            return original(run, event)
        raise RuntimeError("a fault")

    original = machine.advance
    monkeypatch.setattr(machine, "advance", advance)
    async with platform.serve() as channel, platform.engine(channel, restarts=3):
        store = await platform.finish(g.chain(2, g.PLAIN), g.literal_map(a=1))
    assert store.execution.phase == _Execution.FAILED
    assert "max number of system retry attempts [4/3] exhausted" in store.execution.error.message

"""Leases, reports, pushes: what engines rely on."""

import pytest
import scripted
from scripted import Execution, Node, Task, at, node, part, phase, task

from volant_core import errors
from volantidl.dispatch import dispatch_pb2


async def test_a_new_execution_is_pushed_to_an_attached_engine(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    name = await platform.create(x=3)
    given = await engine.given()
    assert given.id.name == name
    assert (given.epoch, given.resumed) == (1, False)
    assert given.workflow_id.name == "w"
    assert given.closure_uri.startswith("s3://volant/metadata/admin/")
    inputs = scripted.literals_pb2.LiteralMap.FromString(given.inputs)
    assert inputs == scripted.literal_map(x=3, y=7)
    assert given.spec.max_parallelism == 25
    assert given.created_at == at(0)
    assert not given.HasField("abort")


async def test_what_was_created_before_waits_for_an_engine(platform: scripted.Platform) -> None:
    names = [await platform.create() for _ in range(3)]
    engine = await platform.engine()
    given = [await engine.given() for _ in names]
    assert [one.id.name for one in given] == names
    assert {one.epoch for one in given} == {1}
    assert not any(one.resumed for one in given)


async def test_capacity_bounds_what_an_engine_gets(platform: scripted.Platform) -> None:
    engine = await platform.engine(capacity=2)
    names = [await platform.create() for _ in range(3)]
    given = [await engine.given() for _ in range(2)]
    await engine.hear_nothing()
    await engine.report(part(given[0], record=phase(Execution.SUCCEEDED)))
    assert (await engine.given()).id.name == names[2]


async def test_executions_are_spread_over_engines(platform: scripted.Platform) -> None:
    first, second = await platform.engine("s1"), await platform.engine("s2")
    for _ in range(4):
        await platform.create()
    for engine in (first, second):
        await engine.given()
        await engine.given()
        await engine.hear_nothing()


async def test_a_report_is_shown_and_can_be_repeated(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    name = await platform.create()
    given = await engine.given()
    reports = [
        part(given, record=phase(Execution.RUNNING, 1), nodes=[node("start-node", Node.SUCCEEDED)]),
        part(
            given,
            nodes=[node("n0", Node.RUNNING)],
            tasks=[
                task(
                    logs=[{"uri": "file:///log", "name": "log"}], reasons=[{"reason": "started", "occurred_at": at(1)}]
                )
            ],
        ),
        part(
            given,
            record=phase(Execution.SUCCEEDED, 4, output_uri="s3://volant/out"),
            nodes=[node("n0", Node.SUCCEEDED, 3)],
            tasks=[task(value=Task.SUCCEEDED, reasons=[{"reason": "ended", "occurred_at": at(2)}])],
        ),
    ]
    for report in reports:
        assert not (await engine.report(report)).refused
    shown = await platform.get(name)
    assert shown.closure.phase == Execution.SUCCEEDED
    assert shown.closure.started_at == at(1)
    assert shown.closure.duration.seconds == 3
    assert shown.closure.outputs.uri == "s3://volant/out"
    before = await engine.load(name)
    # Again, the old ones too: nothing changes, nothing goes back from an end.
    for report in (*reports, reports[0], reports[1]):
        assert not (await engine.report(report)).refused
    assert (await platform.get(name)) == shown
    after = await engine.load(name)
    assert after == before
    [loaded] = after
    [attempt] = loaded.tasks
    assert [reason.reason for reason in attempt.reasons] == ["started", "ended"]
    assert [log.uri for log in attempt.logs] == ["file:///log"]


async def test_the_last_of_many_records_counts(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    name = await platform.create()
    given = await engine.given()
    await engine.report(
        part(given, nodes=[node("n0", Node.QUEUED), node("n0", Node.RUNNING)]),
        part(
            given,
            nodes=[node("n0", Node.FAILED)],
            tasks=[task(reasons=[{"reason": "a"}]), task(reasons=[{"reason": "b"}])],
        ),
    )
    [loaded] = await engine.load(name)
    assert [one.phase for one in loaded.nodes] == [Node.FAILED]
    assert [reason.reason for reason in loaded.tasks[0].reasons] == ["a", "b"]


async def test_a_lost_engine_is_succeeded_by_another_and_fenced(
    platform: scripted.Platform, clock: scripted.VirtualClock
) -> None:
    lost = await platform.engine("lost")
    name = await platform.create()
    old = await lost.given()
    await lost.report(part(old, record=phase(Execution.RUNNING), nodes=[node("n0", resume=b"state")]))
    await lost.drop()
    clock.advance(16)
    heir = await platform.engine("heir")
    new = await heir.given()
    assert (new.id.name, new.execution, new.epoch, new.resumed) == (name, old.execution, 2, True)
    [refusal] = (await lost.report(part(old, nodes=[node("n0", Node.SUCCEEDED)]))).refused
    assert (refusal.execution, refusal.epoch, refusal.unfit) == (old.execution, 1, False)
    [loaded] = await heir.load(name)
    assert (loaded.nodes[0].phase, loaded.nodes[0].resume) == (Node.RUNNING, b"state")
    # One's session with another's epoch is no lease either.
    mixed = dispatch_pb2.ExecutionReport(execution=old.execution, epoch=1, nodes=[node("n0", Node.SUCCEEDED)])
    assert len((await heir.report(mixed)).refused) == 1
    assert not (await heir.report(part(new, nodes=[node("n0", Node.SUCCEEDED)]))).refused


async def test_heartbeats_keep_leases(platform: scripted.Platform, clock: scripted.VirtualClock) -> None:
    first = await platform.engine("s1")
    await platform.create()
    given = await first.given()
    second = await platform.engine("s2")
    for _ in range(5):
        clock.advance(10)
        first.heartbeat()
        second.heartbeat()
        await first.report(part(given, nodes=[node("n0")]))
    await second.hear_nothing()
    assert not (await first.report(part(given, nodes=[node("n0")]))).refused


async def test_an_expired_session_is_told_so(platform: scripted.Platform, clock: scripted.VirtualClock) -> None:
    engine = await platform.engine("old")
    await platform.create()
    await engine.given()
    clock.advance(16)
    other = await platform.engine("other")
    await other.given()
    engine.heartbeat()
    with pytest.raises(errors.FailedPreconditionError, match="expired"):
        await engine.hear()


async def test_a_session_that_attaches_again_is_given_its_leases_again(platform: scripted.Platform) -> None:
    engine = await platform.engine("s1")
    await platform.create()
    given = await engine.given()
    await engine.drop()
    again = await platform.engine("s1")
    repeated = await again.given()
    assert (repeated.execution, repeated.epoch, repeated.resumed) == (given.execution, given.epoch, True)
    assert not (await again.report(part(given, nodes=[node("n0")]))).refused
    await platform.create()
    assert (await again.given()).epoch == 1


async def test_a_second_stream_of_a_session_supersedes_the_first(platform: scripted.Platform) -> None:
    first = await platform.engine("s1")
    await platform.engine("s1")
    with pytest.raises(errors.FailedPreconditionError, match="superseded"):
        await first.hear()


async def test_who_detaches_hands_over_at_once(platform: scripted.Platform) -> None:
    leaving = await platform.engine("leaving")
    await platform.create()
    given = await leaving.given()
    heir = await platform.engine("heir")
    await leaving.detach()
    taken = await heir.given()
    assert (taken.execution, taken.epoch) == (given.execution, 2)
    assert len((await leaving.report(part(given, nodes=[node("n0")]))).refused) == 1


@pytest.mark.parametrize("started", [False, True])
async def test_abort_of_a_driven_execution(platform: scripted.Platform, started: bool) -> None:
    engine = await platform.engine()
    name = await platform.create()
    given = await engine.given()
    if started:
        await engine.report(part(given, record=phase(Execution.RUNNING), nodes=[node("n0")]))
    await platform.terminate(name, "not needed")
    heard = (await engine.hear()).abort
    assert (heard.id.name, heard.cause) == (name, "not needed")
    shown = await platform.get(name)
    assert shown.closure.phase == Execution.ABORTING
    assert shown.closure.abort_metadata.cause == "not needed"
    # Only ends are left to it.
    await engine.report(part(given, record=phase(Execution.RUNNING)))
    assert (await platform.get(name)).closure.phase == Execution.ABORTING
    await platform.terminate(name, "again")
    await engine.report(part(given, record=phase(Execution.ABORTED, 5)))
    shown = await platform.get(name)
    assert (shown.closure.phase, shown.closure.abort_metadata.cause) == (Execution.ABORTED, "not needed")
    with pytest.raises(errors.FailedPreconditionError):
        await platform.terminate(name)
    await engine.report(part(given, record=phase(Execution.RUNNING)))
    assert (await platform.get(name)).closure.phase == Execution.ABORTED


async def test_abort_before_any_engine(platform: scripted.Platform) -> None:
    name = await platform.create()
    await platform.terminate(name, "too late")
    engine = await platform.engine()
    given = await engine.given()
    assert given.abort.cause == "too late"
    await engine.report(part(given, record=phase(Execution.ABORTED)))
    assert (await platform.get(name)).closure.phase == Execution.ABORTED


async def test_success_wins_over_a_late_abort(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    name = await platform.create()
    given = await engine.given()
    await platform.terminate(name)
    await engine.report(part(given, record=phase(Execution.SUCCEEDED)))
    assert (await platform.get(name)).closure.phase == Execution.SUCCEEDED


async def test_the_end_of_a_child_is_told_to_the_parents_engine(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    parent_name = await platform.create()
    parent = await engine.given()
    request = scripted.create_request("child")
    request.spec.metadata.mode = scripted.execution_pb2.ExecutionMetadata.CHILD_WORKFLOW
    request.spec.metadata.parent_node_execution.CopyFrom(scripted.node_id(parent_name, "n1"))
    await scripted.rpc.call(platform.admin.CreateExecution(request))
    child = await engine.given()
    assert child.spec.metadata.nesting == 1
    outputs = scripted.literal_map(o0=4).SerializeToString()
    await engine.report(part(child, record=phase(Execution.SUCCEEDED, outputs=outputs)))
    heard = (await engine.hear()).child
    assert (heard.id.name, heard.node_id, heard.child.name) == (parent_name, "n1", "child")
    assert (heard.phase, heard.outputs) == (Execution.SUCCEEDED, outputs)
    # Repeating the report does not tell it again; attaching again does.
    await engine.report(part(child, record=phase(Execution.SUCCEEDED, outputs=outputs)))
    await engine.hear_nothing()
    await engine.drop()
    again = await platform.engine()
    assert (await again.given()).execution == parent.execution
    assert (await again.hear()).child.child.name == "child"


async def test_a_bad_part_does_not_poison_the_others(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    names = [await platform.create() for _ in range(2)]
    good, bad = [await engine.given() for _ in range(2)]
    response = await engine.report(
        part(bad, nodes=[node("ok"), node("n0", value=99)]), part(good, nodes=[node("n0", Node.SUCCEEDED)])
    )
    [refusal] = response.refused
    assert (refusal.execution, refusal.unfit) == (bad.execution, True)
    assert "nodes[1].phase has no value 99" in refusal.reason
    assert await engine.load(names[1]) == []
    [loaded] = await engine.load(names[0])
    assert loaded.nodes[0].phase == Node.SUCCEEDED
    # The lease still stands.
    assert not (await engine.report(part(bad, nodes=[node("ok")]))).refused


BAD_PARTS = {
    "node phase": {"nodes": [node("n0", value=99)]},
    "negative node phase": {"nodes": [node("n0", value=-1)]},
    "no node id": {"nodes": [node("")]},
    "NUL in a node id": {"nodes": [node("a\0b")]},
    "long node id": {"nodes": [node("n" * 256)]},
    "NUL in an error code": {"nodes": [node("n0", error={"code": "a\0b"})]},
    "error kind": {"nodes": [node("n0", error={"kind": 77})]},
    "error time": {"nodes": [node("n0", error={"timestamp": {"nanos": 2**30}})]},
    "cache status": {"nodes": [node("n0", cache_status=44)]},
    "NUL in a URI": {"nodes": [node("n0", input_uri="s3://\0")]},
    "node time": {"nodes": [dispatch_pb2.NodeRecord(node_id="n0", updated_at={"seconds": 2**60})]},
    "node nanos": {"nodes": [dispatch_pb2.NodeRecord(node_id="n0", updated_at={"nanos": -5})]},
    "execution phase": {"record": phase(42)},
    "execution time": {"record": dispatch_pb2.ExecutionRecord(phase=2, occurred_at={"seconds": -(2**62)})},
    "task phase": {"tasks": [task(value=55)]},
    "task reason time": {"tasks": [task(reasons=[{"occurred_at": {"seconds": 2**50}}])]},
    "NUL in a task name": {"tasks": [dispatch_pb2.TaskRecord(node_id="n0", task_id={"name": "a\0"}, updated_at=at(0))]},
    "element phase": {"elements": [dispatch_pb2.ArrayElement(node_id="n0", phase=90)]},
}


async def test_garbage_is_refused_by_name(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    await platform.create()
    given = await engine.given()
    for what, fields in BAD_PARTS.items():
        with pytest.raises(errors.InvalidArgumentError) as caught:
            await engine.report(part(given, **fields))
        assert f"execution {given.execution}: " in caught.value.message, what
        assert any(field.split("[")[0] in caught.value.message for field in fields), what
    assert not (await engine.report(part(given, nodes=[node("n0")]))).refused


async def test_unknown_executions_and_sessions_are_refused(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    await platform.create()
    given = await engine.given()
    with pytest.raises(errors.InvalidArgumentError, match="execution 987654 does not exist"):
        await engine.report(dispatch_pb2.ExecutionReport(execution=987654, epoch=1))
    engine.session = "somebody"
    assert [one.unfit for one in (await engine.report(part(given))).refused] == [False]
    engine.session = ""
    with pytest.raises(errors.InvalidArgumentError, match="missing session"):
        await engine.report(part(given))


async def test_the_first_message_must_be_a_hello(platform: scripted.Platform) -> None:
    for first, complaint in (({"heartbeat": {}}, "hello"), ({"hello": {"engine": "e"}}, "session")):
        call = platform.dispatch.Attach(_one(dispatch_pb2.AttachRequest(**first)))
        with pytest.raises(errors.InvalidArgumentError, match=complaint), scripted.rpc.peer_errors():
            await call.read()
    engine = await platform.engine()
    engine.send(dispatch_pb2.AttachRequest(hello={"session": "s9"}))
    with pytest.raises(errors.InvalidArgumentError, match="only the first"):
        await engine.hear()


async def _one(request: dispatch_pb2.AttachRequest):
    yield request


async def test_large_executions_are_loaded_in_pieces(platform: scripted.Platform) -> None:
    engine = await platform.engine()
    name = await platform.create()
    given = await engine.given()
    elements = [
        dispatch_pb2.ArrayElement(
            node_id="n1", index=index, phase=Task.SUCCEEDED, external_id="e" * 50, resume=b"r" * 300
        )
        for index in range(5000)
    ]
    nodes = [node(f"n0-{index}", inputs=b"i" * 900, outputs=b"o" * 900) for index in range(1500)]
    await engine.report(part(given, nodes=nodes, elements=elements))
    pieces = await engine.load(name)
    assert len(pieces) > 2
    assert max(piece.ByteSize() for piece in pieces) <= 2**20
    loaded = [one for piece in pieces for one in piece.nodes]
    assert sorted(loaded, key=lambda one: one.node_id) == sorted(nodes, key=lambda one: one.node_id)
    assert [one for piece in pieces for one in piece.elements] == elements
    with pytest.raises(errors.NotFoundError):
        await engine.load("nothere")

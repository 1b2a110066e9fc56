"""Drivers: what they add is kept, told to the engine, and its end told to them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import scripted
from scripted import Execution, Node, Task, node, part, phase, task

from volant_core import errors, postgres, rpc
from volant_core.model import driver_tokens
from volantidl.core import identifier_pb2, literals_pb2, workflow_pb2
from volantidl.driver import driver_pb2, driver_pb2_grpc

WRONG = "the token is that of no driver"


def a_node(kind: str = "task", name: str = "") -> workflow_pb2.Node:
    made = workflow_pb2.Node()
    if kind == "task":
        made.task_node.reference_id.CopyFrom(scripted.identifier(identifier_pb2.TASK, name or "t"))
    elif kind == "workflow":
        made.workflow_node.sub_workflow_ref.CopyFrom(scripted.identifier(identifier_pb2.WORKFLOW, name or "w"))
    elif kind == "plan":
        made.workflow_node.launchplan_ref.CopyFrom(scripted.identifier(identifier_pb2.LAUNCH_PLAN, name or "w"))
    elif kind == "array":
        made.array_node.node.CopyFrom(a_node("task", name))
        made.array_node.is_original_sub_node_interface.value = True
        made.array_node.bound_inputs.append("y")
    elif kind == "sleep":
        made.gate_node.sleep.duration.seconds = 5
    elif kind == "approve":
        made.gate_node.approve.signal_id = "go"
    return made


def child(key: str, made: workflow_pb2.Node | None = None, **inputs: object) -> driver_pb2.Child:
    given = literals_pb2.LiteralMap()
    for name, value in (inputs or {"x": 1, "y": 2}).items():
        literal = scripted.integer(value) if isinstance(value, int) else value
        given.literals[name].CopyFrom(literal)
    return driver_pb2.Child(key=key, node=made or a_node(), inputs=given)


class Driver:
    """An attempt of node n0 of an execution that is driven by an engine here."""

    def __init__(self, platform: scripted.Platform, engine: scripted.Engine, given: object, channel: object) -> None:
        self.platform, self.engine, self.given = platform, engine, given
        self.token = driver_tokens.make(given.driver_key, given.execution, "n0", 0)
        self.stub = driver_pb2_grpc.DriverServiceStub(channel)

    async def add(self, *children: driver_pb2.Child, token: str | None = None) -> list[str]:
        request = driver_pb2.AddChildrenRequest(token=self.token if token is None else token, children=children)
        return list((await rpc.call(self.stub.AddChildren(request))).node_ids)

    async def heard(self) -> dict[str, object]:
        """What the engine is told of next, by key."""
        message = await self.engine.hear()
        assert message.WhichOneof("message") == "added", message
        return {one.key: one for one in message.added.children}

    @contextlib.asynccontextmanager
    async def watching(self, token: str | None = None) -> AsyncIterator[object]:
        call = self.stub.WatchChildren(driver_pb2.WatchChildrenRequest(token=self.token if token is None else token))
        results: asyncio.Queue = asyncio.Queue()

        async def read() -> None:
            with contextlib.suppress(asyncio.CancelledError), rpc.peer_errors():
                async for answer in call:
                    for result in answer.results:
                        results.put_nowait(result)

        reading = asyncio.create_task(read())
        try:
            yield results
        finally:
            call.cancel()
            await reading


@pytest.fixture
async def driver(platform: scripted.Platform) -> AsyncIterator[Driver]:
    engine = await platform.engine()
    await platform.create("e")
    given = await engine.given()
    async with rpc.connect(platform.address) as channel:
        yield Driver(platform, engine, given, channel)


async def result(results: asyncio.Queue) -> driver_pb2.ChildResult:
    async with asyncio.timeout(10):
        return await results.get()


def ended(node_id: str, value: int = Node.SUCCEEDED, **fields: object) -> object:
    return node(node_id, value, parent_node_id="n0", is_awaited=True, **fields)


async def test_children_reach_the_engine_once(driver: Driver) -> None:
    first = await driver.add(child("a"), child("b", a_node("plan"), x=5), child("a"))
    assert len(set(first)) == 2
    assert first[0] == first[2]
    heard = await driver.heard()
    assert set(heard) == {"a", "b"}
    assert (heard["a"].parent_node_id, heard["a"].node_id) == ("n0", first[0])
    assert literals_pb2.LiteralMap.FromString(heard["a"].inputs) == scripted.literal_map(x=1, y=2)
    assert await driver.add(child("a", x=9, y=9)) == first[:1], "a key that is there is left as it is"
    await driver.engine.hear_nothing()


@pytest.mark.parametrize("kind", ["task", "workflow", "plan", "array", "sleep", "approve"])
async def test_what_a_child_can_be(driver: Driver, kind: str) -> None:
    xs = literals_pb2.Literal()
    xs.collection.literals.extend([scripted.integer(1), scripted.integer(2)])
    inputs = {"array": {"x": xs, "y": 1}, "sleep": {}, "approve": {"o0": 3}, "plan": {"x": 1}}.get(
        kind, {"x": 1, "y": 1}
    )
    one = child("k", a_node(kind), **inputs)
    if not inputs:
        one.ClearField("inputs")
    await driver.add(one)
    heard = (await driver.heard())["k"]
    stored = await driver.platform.blobs.get(heard.closure_uri)
    assert b"n0" in stored


async def test_results_are_told_as_they_come(driver: Driver) -> None:
    a, b, c = await driver.add(child("a"), child("b"), child("c"))
    await driver.engine.report(part(driver.given, nodes=[node("n0"), ended(a, outputs=b"\x0a\x00")]))
    async with driver.watching() as results:
        first = await result(results)
        assert (first.key, first.node_id, first.phase, first.outputs) == ("a", a, Node.SUCCEEDED, b"\x0a\x00")
        error = {"code": "E", "message": "no"}
        await driver.engine.report(part(driver.given, nodes=[ended(b, Node.FAILED, error=error)]))
        second = await result(results)
        assert (second.key, second.error.message) == ("b", "no")
        await driver.engine.report(
            part(driver.given, nodes=[ended(a, outputs=b"\x0a\x00"), ended(c, output_uri="s3://b/o")])
        )
        assert (await result(results)).output_uri == "s3://b/o", "none is told twice"
    async with driver.watching() as again:
        assert {(await result(again)).key for _ in range(3)} == {"a", "b", "c"}, "another attempt hears all"


async def test_large_inputs_are_stored(driver: Driver) -> None:
    await driver.add(child("a", a_node("approve"), o0=scripted.text("x" * 50_000)))
    heard = (await driver.heard())["a"]
    assert not heard.inputs
    stored = literals_pb2.LiteralMap.FromString(await driver.platform.blobs.get(heard.inputs_uri))
    assert stored.literals["o0"].scalar.primitive.string_value == "x" * 50_000


async def test_another_engine_gets_what_has_not_ended(driver: Driver) -> None:
    a, b = await driver.add(child("a"), child("b"))
    await driver.heard()
    await driver.engine.report(part(driver.given, nodes=[node("n0"), ended(a)], tasks=[task("n0")]))
    await driver.engine.detach()
    other = await driver.platform.engine("s2")
    given = await other.given()
    assert given.driver_key == driver.given.driver_key, "or an attempt that outlives its engine could do nothing"
    loaded = [one.node_id for piece in await other.load("e") for one in piece.children]
    assert loaded == [b]


async def test_a_session_that_comes_back_hears_again(driver: Driver) -> None:
    await driver.engine.drop()
    (a,) = await driver.add(child("a"))
    again = await driver.platform.engine("s1")
    # The news may be on its way as the session comes back, and then be first.
    heard = {message.WhichOneof("message"): message for message in (await again.hear(), await again.hear())}
    assert sorted(heard) == ["added", "assignment"]
    assert [one.node_id for one in heard["added"].added.children] == [a]


@pytest.mark.parametrize(
    "token", ["", "x", "1:0:n0:", "1:0:n0:AAAA", "999999999999999999:0:n0:AAAA", "1:-1:n0:x", "\u00e9:0:n0:x"]
)
async def test_tokens_that_nobody_was_given(driver: Driver, token: str) -> None:
    with pytest.raises(errors.UnauthenticatedError):
        await driver.add(child("a"), token=token)
    call = driver.stub.WatchChildren(driver_pb2.WatchChildrenRequest(token=token))
    with pytest.raises(errors.UnauthenticatedError), rpc.peer_errors():
        async for _ in call:
            pass


@pytest.mark.parametrize(("old", "new"), [(":n0:", ":n1:"), (":0:", ":1:"), ("1:", "2:")])
async def test_a_token_is_good_for_its_own_attempt_only(driver: Driver, old: str, new: str) -> None:
    forged = driver.token.replace(old, new, 1)
    assert forged != driver.token
    with pytest.raises(errors.UnauthenticatedError, match=WRONG):
        await driver.add(child("a"), token=forged)


async def test_an_attempt_that_has_ended_adds_nothing(driver: Driver) -> None:
    await driver.engine.report(part(driver.given, nodes=[node("n0")], tasks=[task("n0", Task.FAILED)]))
    with pytest.raises(errors.FailedPreconditionError, match="attempt 0 of node n0 has ended"):
        await driver.add(child("a"))
    later = driver_tokens.make(driver.given.driver_key, driver.given.execution, "n0", 1)
    assert await driver.add(child("a"), token=later)


async def test_an_execution_that_is_over_takes_nothing(driver: Driver) -> None:
    await driver.platform.terminate("e")
    with pytest.raises(errors.FailedPreconditionError, match="execution e is over"):
        await driver.add(child("a"))
    await driver.engine.report(part(driver.given, record=phase(Execution.ABORTED)))
    with pytest.raises(errors.FailedPreconditionError, match="execution e is over"):
        await driver.add(child("a"))


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (child(""), "missing key"),
        (child("k" * 101), "cannot exceed 100 characters"),
        (child("a", x=1), "child a: expected_inputs y missing"),
        (child("a", x=scripted.text("1"), y=2), "child a: invalid x input wrong type"),
        (child("a", x=1, y=2, z=3), "child a: invalid input z"),
        (driver_pb2.Child(key="a"), "child a: invalid node: it must refer to"),
        (child("a", workflow_pb2.Node(branch_node=workflow_pb2.BranchNode())), "invalid node"),
        (child("a", a_node("array", "none")), "missing entity of type TASK"),
        (child("a", a_node("task", "none")), "child a: missing entity of type TASK"),
        (child("a", a_node("workflow", "none")), "child a: missing entity of type WORKFLOW"),
        (child("a", a_node("plan", "none")), "child a: missing entity"),
        (child("a", workflow_pb2.Node(gate_node=workflow_pb2.GateNode())), "invalid gate_node"),
    ],
)
async def test_children_that_cannot_be(driver: Driver, one: driver_pb2.Child, message: str) -> None:
    with pytest.raises((errors.InvalidArgumentError, errors.NotFoundError), match=message):
        await driver.add(child("good"), one)
    await driver.engine.hear_nothing()
    assert await driver.add(child("good"))


async def test_too_many_at_once(driver: Driver) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="cannot exceed 1000"):
        await driver.add(*(child(f"k{number}") for number in range(1001)))


async def test_across_replicas(driver: Driver, postgres_dsn: str, tmp_path: Path, clock: scripted.VirtualClock) -> None:
    """The engine is attached to one replica, the driver talks to another."""
    database = await postgres.Database.connect(postgres_dsn)
    async with (
        scripted.open_platform(database, tmp_path / "objects", clock) as other,
        rpc.connect(other.address) as channel,
    ):
        there = Driver(driver.platform, driver.engine, driver.given, channel)
        async with there.watching() as results:
            (a,) = await there.add(child("a"))
            assert set(await there.heard()) == {"a"}
            await driver.engine.report(part(driver.given, nodes=[ended(a)]))
            assert (await result(results)).key == "a"
    await database.close()

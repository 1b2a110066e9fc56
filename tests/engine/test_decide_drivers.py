"""Drivers, one thing at a time. The random ones are in test_decide_faults."""

import engine_graphs as g
import pytest
from engine_drivers import EAGER, library
from engine_kinds import failure, output
from engine_world import World

from volant_core.model import naming
from volant_engine.decide import events, graphs, state
from volantidl.core import execution_pb2, literals_pb2

_Execution = execution_pb2.WorkflowExecution
_Node = execution_pb2.NodeExecution
PLAIN = library(g.node("n0", g.PLAIN), g.PLAIN)


def calls(*keys, value=1):
    return [(key, PLAIN, g.literal_map(a=value)) for key in keys]


def child_id(key: str, driver: str = "n0") -> str:
    return naming.driven_node_id(driver, key)


def world_of(body, **options) -> World:
    """A workflow of one eager task with that body, which gets the world."""
    node = g.node("n0", EAGER, a="a")
    closure = g.closure(g.workflow("driven", [node], {"a": g.INT}, {"o0": g.INT}, {"o0": "n0.o0"}), EAGER)
    world = World(closure, g.literal_map(a=3), **options)
    world.body = lambda command: body(world, command)
    return world


def simple(world, command):
    first = yield calls("a", "b")
    second = yield calls("c", value=sum(first.values()))
    return g.literal_map(o0=second["c"])


def test_children_are_nodes_below_the_driver():
    world = world_of(simple)
    store = world.finish()
    assert output(store) == 5
    for key in "abc":
        record = store.nodes[child_id(key)]
        assert (record.parent_node_id, record.spec_node_id, record.retry_group) == ("n0", key, "0")
        assert record.is_awaited
        assert record.phase == _Node.SUCCEEDED
        assert "/n0/data/driven/" in store.tasks[child_id(key), 0].input_uri
    assert store.nodes["n0"].is_parent
    assert store.nodes["n0"].is_eager
    assert not world.run.nodes.keys() & {child_id(key) for key in "abc"}, "ended children are let go of"


def test_a_child_that_fails_is_the_bodys_business():
    def body(world, command):
        results = yield calls("bad", "good")
        assert results == {"bad": None, "good": 2}
        return g.literal_map(o0=7)

    world = world_of(body, outcome=lambda c: failure() if c.node_id == child_id("bad") else g.literal_map(o0=2))
    store = world.finish()
    assert store.execution.phase == _Execution.SUCCEEDED
    assert output(store) == 7


def unasked(world, command):
    """Adds a child that it does not wait for, and ends."""
    process = world.processes.get(command.name)
    results = yield calls("slow", "quick")
    assert process is None or results
    return g.literal_map(o0=1)


@pytest.mark.parametrize("verdict", ["succeeds", "fails"])
def test_what_still_runs_ends_with_the_driver(verdict):
    world = world_of(unasked, seconds=lambda c: 100.0 if c.node_id == child_id("slow") else 1.0)
    world.finish(until=1002)
    process = next(iter(world.processes.values()))
    process.pending = {}
    process._end(g.literal_map(o0=1) if verdict == "succeeds" else failure())
    store = world.finish()
    assert store.phase(child_id("slow")) == "ABORTED"
    assert store.phase(child_id("quick")) == "SUCCEEDED"
    ends = [node_id for node_id, phase in store.history if phase in {_Node.ABORTED, _Node.SUCCEEDED, _Node.FAILED}]
    assert ends.index(child_id("slow")) < ends.index("n0"), "the record of the end comes before the driver's"
    wanted = _Execution.SUCCEEDED if verdict == "succeeds" else _Execution.FAILED
    assert store.execution.phase == wanted
    assert store.execution.occurred_at.seconds < 1010


def test_children_outlive_an_attempt():
    world = world_of(simple, seconds=lambda _: 10.0)
    world.finish(until=1005)
    next(iter(world.processes.values())).kill()
    store = world.finish()
    assert store.execution.phase == _Execution.SUCCEEDED
    assert set(world.runs.values()) == {1}
    assert len(world.processes) == 2
    assert not world.stopped


def test_children_end_when_no_attempt_is_left():
    world = world_of(simple, seconds=lambda _: 1000.0)
    world.start()
    for _ in range(4):
        world.finish(until=world.now + 5)
        next(process for process in world.processes.values() if not process.is_over).kill()
    store = world.finish()
    assert store.execution.phase == _Execution.FAILED
    assert {store.phase(child_id(key)) for key in "ab"} == {"ABORTED"}


def test_a_driver_counts_against_no_bound():
    world = world_of(simple)
    world.spec.max_parallelism = 1
    world.run = world.fresh()
    assert world.finish().execution.phase == _Execution.SUCCEEDED
    assert world.peak == 2, "the driver and one child"


def test_recovery_takes_over_what_succeeded():
    world = world_of(simple, outcome=lambda c: failure() if c.node_id == child_id("c") else g.literal_map(o0=2))
    world.body = lambda command: raising(world, command)
    before = world.finish()
    assert before.execution.phase == _Execution.FAILED
    again = world_of(simple)
    again.blobs = world.blobs
    again.source = list(before.nodes.values())
    store = again.finish()
    assert store.execution.phase == _Execution.SUCCEEDED
    assert [store.phase(child_id(key)) for key in "abc"] == ["RECOVERED", "RECOVERED", "SUCCEEDED"]


def raising(world, command):
    first = yield calls("a", "b")
    second = yield calls("c", value=sum(first.values()))
    return g.literal_map(o0=second["c"]) if second["c"] else failure()


def test_large_inputs_are_fetched():
    def body(world, command):
        yield calls("a")
        return g.literal_map(o0=1)

    world = world_of(body)
    world.start()
    world.blobs["s3://b/large"] = g.literal_map(a=41).SerializeToString()
    world.finish(until=1000.05)
    child = graphs.Driven("n0", "fmine", "mine", PLAIN, None, "s3://b/large")
    world.post(0, events.ChildrenAdded(world.now, [child]))
    store = world.finish()
    assert literals_pb2.LiteralMap.FromString(world.blobs[store.nodes["fmine"].output_uri]) == g.literal_map(o0=42)


def test_the_cost_of_a_child_does_not_grow_with_their_number():
    """Counted in steps of the agenda, from the first child to the last."""

    def wide(count):
        def body(world, command):
            yield calls(*(f"k{number}" for number in range(count)))
            return g.literal_map(o0=1)

        return body

    counts = {}
    for size in (10, 1000):
        world = world_of(wide(size), limits=state.Limits(steps=1 << 30))
        taken = 0
        orders = type(world.run.agenda)

        class Counting(orders):
            def popleft(self):
                nonlocal taken
                taken += 1
                return super().popleft()

        world.run.agenda = Counting()
        world.finish()
        counts[size] = taken / size
    assert counts[1000] <= counts[10]

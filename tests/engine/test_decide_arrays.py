"""Array nodes, decided in virtual time."""

import engine_graphs as g
import engine_kinds as kinds
import pytest
from engine_kinds import failure, values
from engine_world import World

from volant_engine.decide import events, state
from volantidl.core import catalog_pb2, execution_pb2, literals_pb2, workflow_pb2

_Execution = execution_pb2.WorkflowExecution
_Task = execution_pb2.TaskExecution


def mapped(size: int, *, limits=None, task=None, **fields) -> World:
    world = World(kinds.mapped_closure(task, **fields), kinds.listed_inputs(size), limits=limits)
    world.outcome = lambda command: g.literal_map(o0=command.index * 10)
    return world


def listed(store, world, node_id="n0") -> list:
    items = values(store, node_id, world).literals["o0"].collection.literals
    return [item.scalar.primitive.integer if item.scalar.WhichOneof("value") == "primitive" else None for item in items]


def test_an_array_collects_its_elements():
    world = mapped(4)
    store = world.finish()
    assert store.execution.phase == _Execution.SUCCEEDED, store.execution.error
    assert listed(store, world) == [0, 10, 20, 30]
    assert store.nodes["n0"].is_array
    assert {key[1] for key in store.elements} == {0, 1, 2, 3}
    assert all(element.phase == _Task.SUCCEEDED for element in store.elements.values())
    assert store.elements["n0", 2].external_id == "exec-n0-0-n2-0"
    task = store.tasks["n0", 0]
    assert (task.phase, task.task_type) == (_Task.SUCCEEDED, "container_array")
    assert world.launches[1].input_uri == store.nodes["n0"].input_uri
    assert world.launches[1].output_dir.endswith("/n0/data/0/1/0")


def test_an_empty_array_is_done_at_once():
    world = mapped(0)
    store = world.finish()
    assert store.execution.phase == _Execution.SUCCEEDED
    assert listed(store, world) == []


def test_parallelism_bounds_the_elements_in_flight():
    world = mapped(20, parallelism=3)
    assert world.finish().execution.phase == _Execution.SUCCEEDED
    assert world.peak == 3
    world = mapped(50, limits=state.Limits(array_window=8))
    world.finish()
    assert world.peak == 8


def test_one_failed_element_fails_the_array():
    world = mapped(10, parallelism=2)
    world.outcome = lambda command: failure("odd") if command.index == 3 else g.literal_map(o0=1)
    store = world.finish()
    assert store.execution.phase == _Execution.FAILED
    assert store.execution.error.message == "[3]: odd\n"
    assert len(world.launches) < 10


@pytest.mark.parametrize("criteria", [{"min_successes": 8}, {"min_success_ratio": 0.8}])
def test_some_elements_may_fail(criteria):
    world = mapped(10, **criteria)
    world.outcome = lambda command: failure() if command.index < 2 else g.literal_map(o0=1)
    store = world.finish()
    assert store.execution.phase == _Execution.SUCCEEDED
    assert listed(store, world) == [None, None] + [1] * 8


def test_elements_have_retries_of_their_own():
    task = g.task("element", {"a": g.INTS}, {"o0": g.INTS}, retries=1)
    world = mapped(3, task=task)
    world.outcome = lambda c: failure(retryable=True) if c.index == 1 and c.number == 0 else g.literal_map(o0=c.number)
    store = world.finish()
    assert listed(store, world) == [0, 1, 0]
    assert world.launches[-1].output_dir.endswith("/n0/data/0/1/1")


def test_elements_are_cached_one_by_one():
    task = g.task("element", {"a": g.INTS}, {"o0": g.INTS}, discoverable=True, discovery_version="1")
    first = mapped(4, task=task)
    first.finish()
    assert len(first.launches) == 4
    second = mapped(6, task=task)
    second.cache = first.cache
    store = second.finish()
    assert sorted(launch.index for launch in second.launches) == [4, 5]
    assert listed(store, second) == [0, 10, 20, 30, 40, 50]
    assert store.elements["n0", 0].cache_status == catalog_pb2.CACHE_HIT


def test_lists_of_unequal_length_are_refused():
    element = g.task("element", {"a": g.INTS, "b": g.INTS}, {"o0": g.INTS})
    node = workflow_pb2.Node(id="n0", inputs=g.bindings(a="a", b="b"))
    node.array_node.node.CopyFrom(g.node("e", element))
    template = g.workflow("mapped", [node], {"a": g.INTS, "b": g.INTS})
    inputs = literals_pb2.LiteralMap(literals={"a": g.integers(1, 2), "b": g.integers(1)})
    error = World(g.closure(template, element), inputs).finish().execution.error
    assert (error.code, error.message) == (
        "InvalidArrayLength",
        "input arrays have different lengths: expecting '2' found '1'",
    )


def test_an_aborted_array_stops_its_elements():
    world = mapped(5)
    world.seconds = lambda _: 100.0
    world.finish(until=1050)
    world.feed(events.AbortWanted(world.now, "enough"))
    store = world.finish()
    assert store.execution.phase == _Execution.ABORTED
    assert len(world.stopped) == 5
    assert store.tasks["n0", 0].phase == _Task.ABORTED

"""Map tasks of the old form (flytekit before 1.12): decided as arrays, in virtual time."""

import engine_graphs as g
import engine_kinds as kinds
from engine_kinds import failure, values
from engine_world import World

from volantidl.core import execution_pb2, literals_pb2


def mapped(size: int, **custom) -> World:
    task = g.task("mapped", {"a": g.INTS, "b": g.INT}, {"o0": g.INTS}, type_="container_array")
    task.task_type_version = 1
    task.custom.update(custom)
    node = g.node("n0", task, a="a", b="b")
    template = g.workflow("mapped", [node], {"a": g.INTS, "b": g.INT}, {"o0": g.INTS}, {"o0": "n0.o0"})
    inputs = kinds.listed_inputs(size)
    inputs.literals["b"].CopyFrom(g.integer(7))
    world = World(g.closure(template, task), inputs)
    world.outcome = lambda command: g.literal_map(o0=command.index * 10)
    return world


def listed(world: World, store) -> list:
    items = values(store, "n0", world).literals["o0"].collection.literals
    return [item.scalar.primitive.integer if item.scalar.WhichOneof("value") == "primitive" else None for item in items]


def test_a_map_task_runs_once_for_each_element():
    world = mapped(5, parallelism="2", minSuccessRatio=1.0)
    store = world.finish()
    assert store.execution.phase == execution_pb2.WorkflowExecution.SUCCEEDED, store.execution.error
    assert listed(world, store) == [0, 10, 20, 30, 40]
    assert world.peak == 2
    assert not store.nodes["n0"].is_array, "clients take it for the task node that they registered"
    assert store.tasks["n0", 0].task_type == "container_array"
    assert world.launches[3].output_dir.endswith("/n0/data/0/3/0/3")
    assert world.launches[3].appends_index, "its program writes to a folder of the element's own below what it is told"


def test_so_many_of_its_elements_may_fail_as_it_says():
    world = mapped(4, minSuccessRatio=0.5)
    world.outcome = lambda command: failure() if command.index < 2 else g.literal_map(o0=1)
    assert listed(world, world.finish()) == [None, None, 1, 1]
    world = mapped(4, minSuccessRatio=0.75)
    world.outcome = lambda command: failure() if command.index < 2 else g.literal_map(o0=1)
    assert world.finish().execution.phase == execution_pb2.WorkflowExecution.FAILED


def test_custom_settings_that_are_not_such_are_no_bounds():
    world = mapped(3, parallelism="many")
    assert listed(world, world.finish()) == [0, 10, 20]
    assert world.peak == 3


def test_lists_of_different_lengths_fail_it():
    task = g.task("mapped", {"a": g.INTS, "b": g.INTS}, {"o0": g.INTS}, type_="container_array")
    template = g.workflow(
        "mapped", [g.node("n0", task, a="a", b="b")], {"a": g.INTS, "b": g.INTS}, {"o0": g.INTS}, {"o0": "n0.o0"}
    )
    inputs = literals_pb2.LiteralMap(literals={"a": g.integers(1, 2), "b": g.integers(1)})
    store = World(g.closure(template, task), inputs).finish()
    assert store.execution.phase == execution_pb2.WorkflowExecution.FAILED
    assert "different lengths" in store.execution.error.message

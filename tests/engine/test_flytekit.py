"""What stock flytekit writes, compiled by our compiler, decided to its end."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import engine_graphs as g
import pytest
from engine_kinds import output
from engine_world import World

from volant_core import compiler
from volantidl.admin import task_pb2, workflow_pb2
from volantidl.core import compiler_pb2, execution_pb2, literals_pb2

HERE = Path(__file__).parent
_Execution = execution_pb2.WorkflowExecution


def number(literal: literals_pb2.Literal) -> int:
    return literal.scalar.primitive.integer


def add(a, b):
    return g.literal_map(o0=number(a) + number(b))


FUNCTIONS = {
    "add": add,
    "double": lambda a: g.literal_map(o0=2 * number(a)),
    "total": lambda xs: g.literal_map(o0=sum(map(number, xs.collection.literals))),
    "pair": lambda a: g.literal_map(o0=a, o1=g.integers(number(a), number(a) + 1)),
    "clean": lambda a, err=None: g.literal_map(),
}


@pytest.fixture(scope="module")
def serialized():
    made = subprocess.run(
        [sys.executable, str(HERE / "flytekit_shapes.py")], check=True, stdout=subprocess.PIPE, timeout=60
    )
    return json.loads(made.stdout)


@pytest.fixture
def world_of(serialized):
    def make(name: str, value: int) -> World:
        spec = workflow_pb2.WorkflowSpec.FromString(base64.b64decode(serialized[name]["workflow"]))
        tasks = [task_pb2.TaskSpec.FromString(base64.b64decode(data)) for data in serialized[name]["tasks"]]
        closure = compiler.compile_workflow(
            spec.template,
            spec.sub_workflows,
            [compiler_pb2.CompiledTask(template=task.template) for task in tasks],
            {},
        )
        world = World(closure, g.literal_map(a=value))
        world.outcome = lambda command: run(world, command)
        return world

    return make


def run(world: World, command):
    """What the task would do, by its name."""
    inputs = dict(literals_pb2.LiteralMap.FromString(world.blobs[command.input_uri]).literals)
    name = command.task.id.name.rpartition(".")[2]
    if name == "boom":
        error = execution_pb2.ExecutionError(
            code="USER:ValueError", message="boom", kind=execution_pb2.ExecutionError.USER
        )
        return (error, False)
    if command.index >= 0:
        name = name.removeprefix("map_").partition("_")[0]
        inputs["a"] = inputs["a"].collection.literals[command.index]
    return FUNCTIONS[name](**inputs)


@pytest.mark.parametrize(("value", "result"), [(200, 400), (50, 102), (11, 24), (7, 14), (-5, 995)])
def test_a_conditional_in_a_conditional(world_of, value, result):
    store = world_of("branching", value).finish()
    assert store.execution.phase == _Execution.SUCCEEDED, store.execution.error
    assert output(store) == result


def test_a_map_over_a_part_of_an_output_with_a_bound_input(world_of):
    world = world_of("mapping", 5)
    store = world.finish()
    assert store.execution.phase == _Execution.SUCCEEDED, store.execution.error
    assert output(store) == (5 + 5) + (6 + 5) + 6
    assert sum(launch.index >= 0 for launch in world.launches) == 2


def test_the_same_sub_workflow_twice(world_of):
    store = world_of("nested", 1).finish()
    assert output(store) == 10
    assert {"n0-0-n0", "n0-0-n1", "n1-0-n0", "n1-0-n1"} <= set(store.nodes)


def test_gates(world_of):
    world = world_of("gated", 1)
    world.finish(until=1010)
    assert world.waiting_signals == {"number", "fine"}
    world.set_signal("number", g.integer(4))
    yes = literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(boolean=True)))
    world.set_signal("fine", yes)
    store = world.finish()
    assert store.execution.phase == _Execution.SUCCEEDED, store.execution.error
    assert output(store) == 5
    assert store.nodes["end-node"].updated_at.seconds >= 1020


def test_the_failure_node_gets_what_it_declares(world_of):
    world = world_of("handled", 1)
    store = world.finish()
    assert store.execution.phase == _Execution.FAILED
    assert store.execution.error.message == "boom"
    assert store.phase("fn0") == "SUCCEEDED"
    (handler,) = [launch for launch in world.launches if launch.node_id == "fn0"]
    given = literals_pb2.LiteralMap.FromString(world.blobs[handler.input_uri]).literals
    assert number(given["a"]) == 1
    assert given["err"].scalar.union.value.scalar.error.message == "boom"

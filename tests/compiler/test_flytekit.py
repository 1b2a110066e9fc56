"""What flytekit serializes is compiled as Flyte compiles it.

`flyte_connections.json` is what the compiler of Flyte 1.16.8 answered for the workflows of `flytekit_workflows.py`:
node ids and connections.
"""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from volant_core import compiler
from volantidl.admin import launch_plan_pb2
from volantidl.core import compiler_pb2, interface_pb2, tasks_pb2, workflow_pb2

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "flyte_connections.json").read_text())


def decoded(kind, text: str):
    return kind.FromString(base64.b64decode(text))


@pytest.fixture(scope="module")
def serialized() -> dict:
    made = subprocess.run(
        [sys.executable, str(HERE / "flytekit_workflows.py")], check=True, stdout=subprocess.PIPE, timeout=60
    )
    return json.loads(made.stdout)


@pytest.fixture(scope="module")
def plans(serialized) -> dict[str, compiler.LaunchPlanInterface]:
    found = {}
    for one in serialized["plans"]:
        plan = decoded(launch_plan_pb2.LaunchPlan, one["plan"])
        interface = decoded(interface_pb2.TypedInterface, one["interface"])
        expected = interface_pb2.ParameterMap()
        for name, variable in interface.inputs.variables.items():
            if name in plan.spec.default_inputs.parameters:
                expected.parameters[name].CopyFrom(plan.spec.default_inputs.parameters[name])
            elif name not in plan.spec.fixed_inputs.literals:
                expected.parameters[name].var.CopyFrom(variable)
                expected.parameters[name].required = True
        found[compiler.identifier_key(plan.id)] = compiler.LaunchPlanInterface(expected, interface.outputs)
    return found


def compiled(serialized: dict, plans, name: str) -> compiler_pb2.CompiledWorkflowClosure:
    (one,) = (one for one in serialized["workflows"] if one["name"] == name)
    tasks = [compiler.compile_task(decoded(tasks_pb2.TaskTemplate, task)) for task in one["tasks"]]
    template = decoded(workflow_pb2.WorkflowTemplate, one["template"])
    before = template.SerializeToString(deterministic=True)
    subs = [decoded(workflow_pb2.WorkflowTemplate, sub) for sub in one["sub"]]
    closure = compiler.compile_workflow(template, subs, tasks, plans)
    assert template.SerializeToString(deterministic=True) == before
    needed, launched = compiler.required_entities(template, subs)
    assert {compiler.identifier_key(id_) for id_ in needed} <= {compiler.identifier_key(t.template.id) for t in tasks}
    assert {compiler.identifier_key(id_) for id_ in launched} <= plans.keys()
    return closure


def shape(workflow: compiler_pb2.CompiledWorkflow) -> dict:
    connections = workflow.connections
    return {
        "nodes": [node.id for node in workflow.template.nodes],
        "upstream": {key: list(ids.ids) for key, ids in connections.upstream.items()},
        "downstream": {key: list(ids.ids) for key, ids in connections.downstream.items()},
    }


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_connections_are_flytes(serialized, plans, name):
    closure = compiled(serialized, plans, name)
    assert shape(closure.primary) == EXPECTED[name]["primary"]
    subs = {one.template.id.name.rpartition(".")[2]: shape(one) for one in closure.sub_workflows}
    assert subs == EXPECTED[name].get("sub_workflows", {})


def test_every_workflow_is_compared(serialized):
    names = {one["name"] for one in serialized["workflows"]}
    # Flyte's own compiler refuses flytekit's array nodes over launch plans: it forgets that they map.
    assert names - set(EXPECTED) == {"mapped_launches"}


def test_launch_plans_can_be_mapped(serialized, plans):
    closure = compiled(serialized, plans, "mapped_launches")
    assert shape(closure.primary)["downstream"] == {"start-node": ["n0"], "n0": ["end-node"]}


def test_the_same_input_gives_the_same_bytes(serialized, plans):
    for name in ("sub_sub", "nested_branches"):
        first, second = (compiled(serialized, plans, name).SerializeToString(deterministic=True) for _ in range(2))
        assert first == second

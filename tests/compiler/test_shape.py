"""What compiling makes of right graphs, beyond what flytekit can write."""

import sys

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from volant_core import compiler
from volantidl.core import compiler_pb2, identifier_pb2, interface_pb2, tasks_pb2, types_pb2, workflow_pb2

INTEGER = types_pb2.LiteralType(simple=types_pb2.INTEGER)
TASK = identifier_pb2.Identifier(resource_type=identifier_pb2.TASK, project="p", domain="d", name="t", version="v")


def task() -> compiler_pb2.CompiledTask:
    template = tasks_pb2.TaskTemplate(id=TASK)
    for name in ("x", "y"):
        template.interface.inputs.variables[name].type.CopyFrom(INTEGER)
    template.interface.outputs.variables["o"].type.CopyFrom(INTEGER)
    return compiler_pb2.CompiledTask(template=template)


def chain(length: int) -> workflow_pb2.WorkflowTemplate:
    template = workflow_pb2.WorkflowTemplate()
    template.id.name = "w"
    template.interface.inputs.variables["x"].type.CopyFrom(INTEGER)
    template.interface.outputs.variables["o"].type.CopyFrom(INTEGER)
    for number in range(length):
        node = template.nodes.add(id=f"n{number}")
        node.task_node.reference_id.CopyFrom(TASK)
        for name in ("x", "y"):
            promise = node.inputs.add(var=name).binding.promise
            promise.node_id, promise.var = (f"n{number - 1}", "o") if number else ("", "x")
    promise = template.outputs.add(var="o").binding.promise
    promise.node_id, promise.var = f"n{length - 1}", "o"
    return template


def compiled(template: workflow_pb2.WorkflowTemplate, **plans) -> compiler_pb2.CompiledWorkflow:
    return compiler.compile_workflow(template, [], [task()], plans).primary


def work(length: int) -> int:
    """How many functions are called to compile a chain: a measure that a busy machine does not change."""
    template = chain(length)
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        compiled(template)
    finally:
        sys.setprofile(None)
    return calls


def test_work_grows_with_the_graph_and_no_faster():
    work(10)
    assert work(3000) < 10 * 1.05 * work(300)


def test_promises_without_a_node_are_of_the_start_node_everywhere():
    template = chain(1)
    template.outputs[0].binding.promise.node_id = ""
    template.outputs[0].binding.promise.var = "x"
    made = compiled(template).template
    promises = [made.nodes[2].inputs[0], made.nodes[1].inputs[0], made.outputs[0]]
    assert [one.binding.promise.node_id for one in promises] == ["start-node"] * 3


def test_the_order_of_nodes_does_not_change_the_edges():
    first = chain(5)
    second = chain(5)
    nodes = list(reversed(second.nodes))
    del second.nodes[:]
    second.nodes.extend(nodes)
    assert compiled(first).connections == compiled(second).connections


def test_approvals_in_any_order_give_what_they_are_given():
    text = """
      nodes { id: "a2" gate_node { approve { signal_id: "s" } }
              inputs { var: "x" binding { promise { node_id: "a1" var: "x" } } } }
      nodes { id: "a1" gate_node { approve { signal_id: "s" } }
              inputs { var: "x" binding { promise { node_id: "n0" var: "o" } } } }
    """
    template = chain(1)
    text_format.Merge(text, template)
    template.outputs[0].binding.promise.node_id = "a2"
    template.outputs[0].binding.promise.var = "x"
    connections = compiled(template).connections
    assert list(connections.upstream["a2"].ids) == ["a1"]
    template.interface.outputs.variables["o"].type.simple = types_pb2.STRING
    with pytest.raises(compiler.CompileErrors, match=r"'a2\.x' has type \[INTEGER\]"):
        compiled(template)


def test_indexed_and_aliased_outputs():
    template = chain(2)
    template.nodes[0].output_aliases.add(var="o", alias="renamed")
    for binding in template.nodes[1].inputs:
        binding.binding.promise.var = "renamed"
    assert list(compiled(template).connections.upstream["n1"].ids) == ["n0"]


def test_defaults_of_launch_plans_may_stay_unbound_and_fixed_inputs_may_not_be_bound():
    template = chain(1)
    reference = identifier_pb2.Identifier(resource_type=identifier_pb2.LAUNCH_PLAN, project="p", name="lp")
    template.nodes[0].workflow_node.launchplan_ref.CopyFrom(reference)
    expected = interface_pb2.ParameterMap()
    expected.parameters["x"].var.type.CopyFrom(INTEGER)
    expected.parameters["x"].default.scalar.primitive.integer = 1
    outputs = interface_pb2.VariableMap()
    outputs.variables["o"].type.CopyFrom(INTEGER)
    plans = {compiler.identifier_key(reference): compiler.LaunchPlanInterface(expected, outputs)}
    with pytest.raises(compiler.CompileErrors, match=r"Variable \[y\] not found on node \[n0\]"):
        compiled(template, **plans)
    del template.nodes[0].inputs[1]
    compiled(template, **plans)
    del template.nodes[0].inputs[0]
    compiled(template, **plans)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 200))
def test_whatever_the_message_it_is_compiled_or_refused(noise, place):
    data = bytearray(chain(3).SerializeToString())
    place = min(place, len(data))
    data[place : place + len(noise)] = noise
    template = workflow_pb2.WorkflowTemplate()
    try:
        template.ParseFromString(bytes(data))
    except Exception:  # noqa: BLE001 - not a message at all
        return
    try:
        compiler.compile_workflow(template, [template], [task()], {})
    except compiler.CompileErrors as error:
        assert error.errors  # noqa: PT017

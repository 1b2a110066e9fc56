"""Compiled workflows with one node of a kind, and how to read what came out."""

import engine_graphs as g

from volant_core import compiler
from volantidl.core import execution_pb2, identifier_pb2, interface_pb2, literals_pb2, workflow_pb2


def output(store, var="o0") -> int:
    return literals_pb2.LiteralMap.FromString(store.execution.outputs).literals[var].scalar.primitive.integer


def gate(kind: str) -> workflow_pb2.Node:
    node = workflow_pb2.Node(id="gate")
    getattr(node.gate_node, kind).SetInParent()
    if kind == "sleep":
        node.gate_node.sleep.duration.seconds = 30
    elif kind == "signal":
        node.gate_node.signal.signal_id = "sig"
        node.gate_node.signal.type.CopyFrom(g.INT)
        node.gate_node.signal.output_variable_name = "o0"
    else:
        node.gate_node.approve.signal_id = "ok"
        node.inputs.extend(g.bindings(a="n0.o0"))
    return node


def gated_closure(kind: str):
    nodes = [g.node("n0", g.PLAIN, a="a"), gate(kind)]
    if kind == "sleep":
        nodes.append(g.node("n2", g.PLAIN, ["gate"], a="a"))
    else:
        nodes.append(g.node("n2", g.PLAIN, a="gate.o0" if kind == "signal" else "gate.a"))
    return g.closure(g.workflow("gated", nodes, {"a": g.INT}, {"o0": g.INT}, {"o0": "n2.o0"}), g.PLAIN)


def launching_closure():
    node = workflow_pb2.Node(id="n0", inputs=g.bindings(a="a"))
    plan = g.identifier("plan", identifier_pb2.LAUNCH_PLAN)
    node.workflow_node.launchplan_ref.CopyFrom(plan)
    interface = compiler.LaunchPlanInterface(interface_pb2.ParameterMap(), interface_pb2.VariableMap())
    interface.expected_inputs.parameters["a"].var.type.CopyFrom(g.INT)
    interface.expected_inputs.parameters["a"].required = True
    interface.expected_outputs.variables["o0"].type.CopyFrom(g.INT)
    template = g.workflow("launching", [node], {"a": g.INT}, {"o0": g.INT}, {"o0": "n0.o0"})
    return g.closure(template, plans={compiler.identifier_key(plan): interface})


def mapped_closure(task=None, **fields):
    element = task or g.task("element", {"a": g.INTS}, {"o0": g.INTS})
    node = workflow_pb2.Node(id="n0", inputs=g.bindings(a="a"))
    node.array_node.node.CopyFrom(g.node("e", element))
    for name, value in fields.items():
        setattr(node.array_node, name, value)
    template = g.workflow("mapped", [node], {"a": g.INTS}, {"o0": g.INTS}, {"o0": "n0.o0"})
    return g.closure(template, element)


def listed_inputs(size: int) -> literals_pb2.LiteralMap:
    return literals_pb2.LiteralMap(literals={"a": g.integers(*range(size))})


USER = execution_pb2.ExecutionError.USER


def failure(message="no", *, code="Bad", kind=USER, retryable=False):
    return (execution_pb2.ExecutionError(code=code, message=message, kind=kind), retryable)


def values(store, node_id: str, world) -> literals_pb2.LiteralMap:
    record = store.nodes[node_id]
    data = world.blobs[record.output_uri] if record.output_uri else record.outputs
    return literals_pb2.LiteralMap.FromString(data)

"""Graphs that no compiler would let pass: an execution of them fails with a reason, never with a fault of ours."""

import random

import engine_graphs as g
import engine_kinds as kinds
import pytest
from engine_world import World
from hypothesis import given, settings
from hypothesis import strategies as st
from test_decide_faults import TASKS, Builder

from volant_core.model import phases
from volant_engine.decide import graphs
from volantidl.core import compiler_pb2, execution_pb2, literals_pb2, workflow_pb2

_Execution = execution_pb2.WorkflowExecution


def nodes_of(closure: compiler_pb2.CompiledWorkflowClosure) -> list[workflow_pb2.Node]:
    found = []
    for workflow in (closure.primary, *closure.sub_workflows):
        for node in workflow.template.nodes:
            found.append(node)
            if node.WhichOneof("target") == "branch_node":
                found.extend(graphs.cases_of(node.branch_node.if_else))
    return found


def renamed(node: workflow_pb2.Node) -> workflow_pb2.Node:
    copy = workflow_pb2.Node()
    copy.CopyFrom(node)
    copy.id = "fn9"
    return copy


def spoil(closure: compiler_pb2.CompiledWorkflowClosure, chance: random.Random) -> None:
    node = chance.choice(nodes_of(closure))
    other = chance.choice(nodes_of(closure))
    ways = [
        lambda: node.ClearField("inputs"),
        lambda: node.ClearField("upstream_node_ids"),
        lambda: node.upstream_node_ids.append(other.id),
        lambda: node.upstream_node_ids.append("nowhere"),
        lambda: node.ClearField(node.WhichOneof("target") or "id"),
        lambda: node.workflow_node.sub_workflow_ref.CopyFrom(g.identifier("missing")),
        node.gate_node.SetInParent,
        node.gate_node.sleep.SetInParent,
        lambda: node.array_node.node.MergeFrom(renamed(other)),
        node.array_node.SetInParent,
        node.branch_node.SetInParent,
        lambda: node.output_aliases.add(alias="o0", var="gone"),
        lambda: node.inputs.add(var="z", binding=g.binding("nowhere.o0")),
        lambda: node.inputs.add(var="z", binding=g.binding(f"{other.id}.[5].o0")),
        lambda: node.inputs.add(var="z", binding=literals_pb2.BindingData()),
        lambda: closure.primary.template.outputs.add(var="z", binding=g.binding(f"{other.id}.gone")),
        lambda: closure.primary.template.failure_node.MergeFrom(renamed(other)),
        lambda: setattr(node.metadata.timeout, "seconds", -5),
        lambda: setattr(node.metadata.retries, "retries", 4_000_000_000),
        lambda: setattr(node.array_node, "parallelism", 4_000_000_000),
        lambda: setattr(node.array_node, "min_success_ratio", float("nan")),
        lambda: setattr(node, "id", "x" * 300),
    ]
    chance.choice(ways)()


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 8), count=st.integers(1, 3))
def test_no_graph_makes_deciding_fail(seed, size, count):
    chance = random.Random(seed)
    builder = Builder(chance)
    closure = g.closure(builder.template("root", size, 1), *TASKS, subs=builder.subs)
    for _ in range(count):
        spoil(closure, chance)
    try:
        graph = graphs.Library(closure).primary
    except graphs.GraphError:
        return
    world = World(graph, g.literal_map(a=3))
    world.outcome = lambda command: g.literal_map(o0=1)
    store = world.finish(steps=20_000)
    assert store.execution.phase in phases.TERMINAL_EXECUTION or world.run.root is not None


@pytest.mark.parametrize("inputs", [{}, {"a": 3}, {"a": literals_pb2.Literal()}, {"a": literals_pb2.Literal(hash="h")}])
def test_an_array_over_what_is_no_list(inputs):
    world = World(kinds.mapped_closure(), g.literal_map(**inputs))
    store = world.finish()
    assert store.execution.phase == _Execution.FAILED
    assert store.execution.error.code in {"InvalidArrayLength", "BindingResolutionFailure"}

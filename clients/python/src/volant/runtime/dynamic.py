"""Dynamic tasks on the platform: the traced graph is handed to the engine, which runs it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from volant.authoring import binding as bindings
from volant.authoring import dynamic, node, task, tracing
from volant.authoring import promise as promises
from volant.runtime import children
from volant.serialization import bindings as binding_messages
from volant.serialization import settings as serialization_settings
from volant.serialization import specs
from volant.types import engine
from volantidl.core import dynamic_job_pb2, literals_pb2, workflow_pb2


def execute(
    found: dynamic.DynamicTask[..., Any], inputs: Mapping[str, Any], distribution: str, destination: str
) -> Any:
    """Trace a dynamic task's body; gives its graph, or its outputs where there's nothing left to run.

    Args:
        found: The task.
        inputs: Its complete inputs.
        distribution: URI of the code's archive, for the tasks of the graph; empty if the image has it.
        destination: Where they unpack it.
    """
    try:
        graph = found.trace(inputs)
    except promises.NeedsValueError:
        if not children.available():
            return found.execute(inputs)
        # A node of its own: while this process holds a slot, its children might never get one.
        graph = _driven(found, inputs)
    if not graph.nodes:
        return found.interface.wrap_outputs(_constants(graph, found))
    settings = serialization_settings.SerializationSettings.from_environment()
    if distribution:
        settings = dataclasses.replace(
            settings, distribution=distribution, destination=destination or settings.destination
        )
    return task.Futures(job_spec(graph, settings))


def _driven(found: dynamic.DynamicTask[..., Any], inputs: Mapping[str, Any]) -> node.Graph:
    tracer = tracing.Tracer("d")
    made = tracer.call(found.driver_task, inputs)
    return node.Graph(tracer.nodes, tracing.bind_outputs(made, found.interface, found.source))


def _constants(graph: node.Graph, found: dynamic.DynamicTask[..., Any]) -> dict[str, Any]:
    """The outputs of a graph without nodes: all are constants."""
    values = {}
    for name, bound in graph.outputs.items():
        literal = _literal(bound)
        values[name] = engine.to_python(literal, found.interface.outputs[name])
    return values


def _literal(bound: bindings.Binding) -> literals_pb2.Literal:
    if isinstance(bound, bindings.BindingList):
        items = [_literal(item) for item in bound.items]
        return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))
    if isinstance(bound, bindings.BindingMap):
        mapped = {key: _literal(item) for key, item in bound.items.items()}
        return literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=mapped))
    assert isinstance(bound, literals_pb2.Literal)
    return bound


def job_spec(
    graph: node.Graph, settings: serialization_settings.SerializationSettings
) -> dynamic_job_pb2.DynamicJobSpec:
    """The graph, with the templates of all that it uses."""
    translator = specs.Translator(settings)
    below: dict[str, workflow_pb2.WorkflowTemplate] = {}
    made = [translator.node(one, below) for one in graph.nodes]
    own = {name: spec.template for name, spec in translator.specs.tasks.items()}
    return dynamic_job_pb2.DynamicJobSpec(
        nodes=made,
        min_successes=len(made),
        outputs=[binding_messages.binding(name, bound) for name, bound in graph.outputs.items()],
        tasks=list(own.values()),
        subworkflows=list(below.values()),
    )

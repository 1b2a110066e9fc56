"""Requests for entities, small and right; tests change what they are about."""

import contextlib
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from grpc_status import rpc_status

from volantidl.admin import launch_plan_pb2, task_pb2, workflow_pb2
from volantidl.core import identifier_pb2, interface_pb2, literals_pb2, types_pb2

INTEGER = types_pb2.LiteralType(simple=types_pb2.INTEGER)
STRING = types_pb2.LiteralType(simple=types_pb2.STRING)
DATETIME = types_pb2.LiteralType(simple=types_pb2.DATETIME)


def identifier(kind: int, name: str, version: str = "v1", project: str = "flytesnacks") -> identifier_pb2.Identifier:
    return identifier_pb2.Identifier(
        resource_type=kind, project=project, domain="development", name=name, version=version
    )


def task_id(name: str, version: str = "v1") -> identifier_pb2.Identifier:
    return identifier(identifier_pb2.TASK, name, version)


def workflow_id(name: str, version: str = "v1") -> identifier_pb2.Identifier:
    return identifier(identifier_pb2.WORKFLOW, name, version)


def plan_id(name: str, version: str = "v1") -> identifier_pb2.Identifier:
    return identifier(identifier_pb2.LAUNCH_PLAN, name, version)


def task(name: str = "t", version: str = "v1", **inputs: types_pb2.LiteralType) -> task_pb2.TaskCreateRequest:
    request = task_pb2.TaskCreateRequest(id=task_id(name, version))
    template = request.spec.template
    template.type = "python-task"
    template.metadata.runtime.version = "1"
    template.container.image = "image"
    template.container.args.append("run")
    for key, type_ in (inputs or {"x": INTEGER}).items():
        template.interface.inputs.variables[key].type.CopyFrom(type_)
    template.interface.outputs.variables["o0"].type.CopyFrom(INTEGER)
    return request


def workflow(
    name: str = "w", version: str = "v1", task_name: str = "t", nodes: int = 2
) -> workflow_pb2.WorkflowCreateRequest:
    """A chain of one task; the input x goes through it to the output o0."""
    request = workflow_pb2.WorkflowCreateRequest(id=workflow_id(name, version))
    template = request.spec.template
    template.id.CopyFrom(request.id)
    template.interface.inputs.variables["x"].type.CopyFrom(INTEGER)
    template.interface.outputs.variables["o0"].type.CopyFrom(INTEGER)
    for number in range(nodes):
        node = template.nodes.add(id=f"n{number}")
        node.task_node.reference_id.CopyFrom(task_id(task_name))
        node.inputs.append(binding("x", f"n{number - 1}" if number else "", "o0" if number else "x"))
    template.outputs.append(binding("o0", f"n{nodes - 1}", "o0"))
    return request


def binding(var: str, node_id: str, output: str) -> literals_pb2.Binding:
    made = literals_pb2.Binding(var=var)
    made.binding.promise.node_id = node_id
    made.binding.promise.var = output
    return made


def plan(
    name: str = "w", version: str = "v1", workflow_name: str = "w", x: int | None = None
) -> launch_plan_pb2.LaunchPlanCreateRequest:
    request = launch_plan_pb2.LaunchPlanCreateRequest(id=plan_id(name, version))
    request.spec.workflow_id.CopyFrom(workflow_id(workflow_name))
    if x is not None:
        parameter = request.spec.default_inputs.parameters["x"]
        parameter.var.type.CopyFrom(INTEGER)
        parameter.default.CopyFrom(integer(x))
    return request


def integer(value: int) -> literals_pb2.Literal:
    made = literals_pb2.Literal()
    made.scalar.primitive.integer = value
    return made


def variables(**types: types_pb2.LiteralType) -> interface_pb2.VariableMap:
    made = interface_pb2.VariableMap()
    for name, type_ in types.items():
        made.variables[name].type.CopyFrom(type_)
    return made


class Refusal:
    """What a refused call said."""

    code: grpc.StatusCode
    text: str
    details: list[any_pb2.Any]


@contextlib.contextmanager
def refused(code: str) -> Iterator[Refusal]:
    """The call within must end with this status."""
    refusal = Refusal()
    with pytest.raises(grpc.RpcError) as caught:
        yield refusal
    error: Any = caught.value
    refusal.code, refusal.text = error.code(), error.details()
    status = rpc_status.from_call(_Call(error))
    refusal.details = list(status.details) if status else []
    assert refusal.code.name == code, refusal.text


class _Call:
    """rpc_status wants the synchronous form."""

    def __init__(self, error: Any) -> None:
        self._error = error

    def code(self) -> Any:
        return self._error.code()

    def details(self) -> Any:
        return self._error.details()

    def trailing_metadata(self) -> Any:
        return self._error.trailing_metadata()

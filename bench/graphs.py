"""Tasks and workflows for the benchmarks, as plain protobuf: the same graph for each kind of task."""

import dataclasses
from collections.abc import Iterable

from volantidl.admin import task_pb2, workflow_pb2
from volantidl.core import (
    identifier_pb2,
    interface_pb2,
    literals_pb2,
    tasks_pb2,
    types_pb2,
)
from volantidl.core import workflow_pb2 as core_workflow_pb2

PROJECT, DOMAIN = "flytesnacks", "development"
_TASK, _WORKFLOW = identifier_pb2.ResourceType.TASK, identifier_pb2.ResourceType.WORKFLOW

FLYTEKIT = (
    "pyflyte-execute",
    "flytekit.core.python_auto_container.default_task_resolver",
    "bench_flytekit_tasks",
)
VOLANT = ("volant-execute", "volant.runtime.resolver.default_task_resolver", "bench_volant_tasks")


@dataclasses.dataclass(frozen=True)
class Graph:
    """A workflow to register, and the tasks that it needs."""

    tasks: list[task_pb2.TaskCreateRequest]
    workflow: workflow_pb2.WorkflowCreateRequest


def _id(kind: "identifier_pb2.ResourceType.ValueType", name: str, version: str) -> identifier_pb2.Identifier:
    return identifier_pb2.Identifier(resource_type=kind, project=PROJECT, domain=DOMAIN, name=name, version=version)


def _variables(*names: str) -> interface_pb2.VariableMap:
    integer = types_pb2.LiteralType(simple=types_pb2.SimpleType.INTEGER)
    return interface_pb2.VariableMap(variables={name: interface_pb2.Variable(type=integer) for name in names})


def python_task(entry: tuple[str, str, str], version: str, *, cached: bool = False) -> task_pb2.TaskCreateRequest:
    """The no-op task of one of the entry points FLYTEKIT and VOLANT."""
    command, resolver, module = entry
    arguments = [
        command,
        *("--inputs", "{{.input}}"),
        *("--output-prefix", "{{.outputPrefix}}"),
        *("--raw-output-data-prefix", "{{.rawOutputDataPrefix}}"),
        *("--checkpoint-path", "{{.checkpointOutputPrefix}}"),
        *("--prev-checkpoint", "{{.prevCheckpointPrefix}}"),
        *("--resolver", resolver, "--", "task-module", module, "task-name", "noop"),
    ]
    identifier = _id(_TASK, f"{module}.noop{'.cached' if cached else ''}", version)
    template = tasks_pb2.TaskTemplate(
        id=identifier,
        type="python-task",
        metadata=tasks_pb2.TaskMetadata(
            runtime=tasks_pb2.RuntimeMetadata(
                type=tasks_pb2.RuntimeMetadata.FLYTE_SDK, version="1.16.0", flavor="python"
            ),
            discoverable=cached,
            discovery_version="1" if cached else "",
        ),
        interface=interface_pb2.TypedInterface(inputs=_variables("x"), outputs=_variables("o0")),
        container=tasks_pb2.Container(image="bench", args=arguments),
    )
    return task_pb2.TaskCreateRequest(id=identifier, spec=task_pb2.TaskSpec(template=template))


def echo_task(version: str) -> task_pb2.TaskCreateRequest:
    """A task that the engine itself does."""
    identifier = _id(_TASK, "bench.echo", version)
    template = tasks_pb2.TaskTemplate(
        id=identifier,
        type="echo",
        metadata=tasks_pb2.TaskMetadata(),
        interface=interface_pb2.TypedInterface(inputs=_variables("x"), outputs=_variables("o0")),
    )
    return task_pb2.TaskCreateRequest(id=identifier, spec=task_pb2.TaskSpec(template=template))


def _binding(node: str, variable: str) -> literals_pb2.Binding:
    promise = types_pb2.OutputReference(node_id=node, var=variable)
    return literals_pb2.Binding(var="x", binding=literals_pb2.BindingData(promise=promise))


def _constant(value: int) -> literals_pb2.Binding:
    scalar = literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=value))
    return literals_pb2.Binding(var="x", binding=literals_pb2.BindingData(scalar=scalar))


def _workflow(
    name: str, task: task_pb2.TaskCreateRequest, version: str, nodes: Iterable[literals_pb2.Binding]
) -> Graph:
    identifier = _id(_WORKFLOW, name, version)
    template = core_workflow_pb2.WorkflowTemplate(
        id=identifier,
        metadata=core_workflow_pb2.WorkflowMetadata(),
        metadata_defaults=core_workflow_pb2.WorkflowMetadataDefaults(),
        interface=interface_pb2.TypedInterface(inputs=_variables("x"), outputs=_variables()),
        nodes=[
            core_workflow_pb2.Node(
                id=f"n{index}",
                metadata=core_workflow_pb2.NodeMetadata(name="noop"),
                inputs=[binding],
                task_node=core_workflow_pb2.TaskNode(reference_id=task.id),
            )
            for index, binding in enumerate(nodes)
        ],
    )
    request = workflow_pb2.WorkflowCreateRequest(id=identifier, spec=workflow_pb2.WorkflowSpec(template=template))
    return Graph([task], request)


def chain(task: task_pb2.TaskCreateRequest, length: int, version: str) -> Graph:
    """Each node takes the output of the one before; the first takes the workflow's input."""
    bindings = (_binding(f"n{index - 1}", "o0") if index else _binding("", "x") for index in range(length))
    return _workflow(f"bench.chain{length}.{task.id.name}", task, version, bindings)


def side_by_side(task: task_pb2.TaskCreateRequest, width: int, version: str) -> Graph:
    """Independent nodes, each with an input of its own."""
    name = f"bench.fan{width}.{task.id.name}"
    return _workflow(name, task, version, (_constant(index) for index in range(width)))

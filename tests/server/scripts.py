"""Shell scripts as tasks: the least that a process can be."""

from volantidl.admin import execution_pb2, task_pb2
from volantidl.core import identifier_pb2, interface_pb2, tasks_pb2, types_pb2

PROJECT, DOMAIN = "flytesnacks", "development"
_OUTPUTS = "/var/outputs"


def requests(
    script: str, *, cached: bool = False
) -> tuple[task_pb2.TaskCreateRequest, execution_pb2.ExecutionCreateRequest]:
    """What registers a task without retries, and what runs it alone. Only what has an output is `cached`."""
    identifier = identifier_pb2.Identifier(
        resource_type=identifier_pb2.TASK, project=PROJECT, domain=DOMAIN, name="script", version="1"
    )
    template = tasks_pb2.TaskTemplate(
        id=identifier,
        type="raw-container",
        metadata=tasks_pb2.TaskMetadata(discoverable=cached, discovery_version="1" if cached else ""),
        interface=interface_pb2.TypedInterface(),
        container=tasks_pb2.Container(image="any", command=["/bin/sh", "-c", script]),
    )
    if cached:
        template.interface.outputs.variables["o0"].type.simple = types_pb2.INTEGER
        template.container.data_config.enabled = True
        template.container.data_config.output_path = _OUTPUTS
        template.container.command[-1] = f"{script}; echo 1 > {_OUTPUTS}/o0"
    return (
        task_pb2.TaskCreateRequest(id=identifier, spec=task_pb2.TaskSpec(template=template)),
        execution_pb2.ExecutionCreateRequest(
            project=PROJECT, domain=DOMAIN, spec=execution_pb2.ExecutionSpec(launch_plan=identifier)
        ),
    )

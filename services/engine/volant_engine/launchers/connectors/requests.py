"""What a connector is told of an attempt. Pure."""

from volant_engine.launchers import port
from volantidl.admin import agent_pb2
from volantidl.core import identifier_pb2, tasks_pb2


def template(attempt: port.Attempt) -> tasks_pb2.TaskTemplate:
    """The task, its container's command and arguments with their templates replaced."""
    task = tasks_pb2.TaskTemplate()
    task.CopyFrom(attempt.task)
    if task.HasField("container"):
        words = len(task.container.command)
        task.container.command[:] = attempt.arguments[:words]
        task.container.args[:] = attempt.arguments[words:]
    return task


def metadata(attempt: port.Attempt) -> agent_pb2.TaskExecutionMetadata:
    """Whose attempt it is."""
    context = attempt.security_context
    run_as = context.run_as if context is not None else None
    return agent_pb2.TaskExecutionMetadata(
        task_execution_id=identifier_pb2.TaskExecutionIdentifier(
            task_id=attempt.task.id,
            node_execution_id=identifier_pb2.NodeExecutionIdentifier(
                node_id=attempt.node_id, execution_id=attempt.execution
            ),
            retry_attempt=attempt.number,
        ),
        namespace=f"{attempt.execution.project}-{attempt.execution.domain}",
        labels=attempt.labels,
        annotations=attempt.annotations,
        k8s_service_account=run_as.k8s_service_account if run_as is not None else "",
        environment_variables=attempt.environment,
        max_attempts=attempt.task.metadata.retries.retries + 1,
        interruptible=attempt.interruptible,
        identity=run_as,
    )

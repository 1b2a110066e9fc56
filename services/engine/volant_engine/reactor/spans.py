"""Traces of what a report says has ended: nodes, and the attempts of their tasks."""

from volant_core import telemetry
from volantidl.core import execution_pb2
from volantidl.dispatch import dispatch_pb2

_NODE = execution_pb2.NodeExecution.Phase
_TASK = execution_pb2.TaskExecution.Phase
_NODE_ENDED = {
    _NODE.SUCCEEDED,
    _NODE.FAILED,
    _NODE.ABORTED,
    _NODE.SKIPPED,
    _NODE.TIMED_OUT,
    _NODE.RECOVERED,
}
_TASK_ENDED = {_TASK.SUCCEEDED, _TASK.ABORTED, _TASK.FAILED}


def record(execution: tuple[str, str, str], part: dispatch_pb2.ExecutionReport) -> None:
    """Record a span for each, in the execution's trace."""
    for node in part.nodes:
        if node.phase in _NODE_ENDED:
            telemetry.record_span(
                f"node {node.node_id}",
                execution,
                node.created_at.ToNanoseconds(),
                node.updated_at.ToNanoseconds(),
                error=node.error.message,
                phase=_NODE.Name(node.phase),
                node=node.node_id,
            )
    for task in part.tasks:
        if task.phase in _TASK_ENDED:
            telemetry.record_span(
                f"attempt {task.node_id}/{task.attempt}",
                execution,
                task.created_at.ToNanoseconds(),
                task.updated_at.ToNanoseconds(),
                error=task.error.message,
                phase=_TASK.Name(task.phase),
                node=task.node_id,
                task=task.task_id.name,
            )

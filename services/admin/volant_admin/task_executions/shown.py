"""From rows to what clients are shown of an attempt of a task."""

from collections.abc import Iterable

from volant_admin.dispatch import loading
from volant_admin.executions import times
from volant_core import postgres
from volant_core.model import phases
from volantidl.admin import task_execution_pb2
from volantidl.core import execution_pb2, identifier_pb2, literals_pb2
from volantidl.dispatch import dispatch_pb2
from volantidl.event import event_pb2

_Task = execution_pb2.TaskExecution
_PENDING = frozenset({_Task.QUEUED, _Task.INITIALIZING, _Task.WAITING_FOR_RESOURCES})
_EVENT_VERSION = 1


def task_execution_of(
    id_: identifier_pb2.NodeExecutionIdentifier, row: postgres.Record
) -> task_execution_pb2.TaskExecution:
    """One attempt, without the elements of a map task."""
    record = loading.task_of(row["record"], row["added"])
    phase = shown_phase(record.phase)
    closure = task_execution_pb2.TaskExecutionClosure(
        phase=phase,
        updated_at=record.updated_at,
        task_type=record.task_type,
        logs=_logs(record.logs, phase),
        metadata=record.metadata if record.HasField("metadata") else None,
        event_version=_EVENT_VERSION,
        reasons=_reasons(record.reasons),
    )
    if record.HasField("created_at"):
        closure.created_at.CopyFrom(record.created_at)
    else:
        closure.created_at.CopyFrom(times.stamp(row["task_execution_created_at"]))
    if closure.reasons:
        closure.reason = closure.reasons[-1].message
    if record.HasField("started_at"):
        closure.started_at.CopyFrom(record.started_at)
    if row["duration"] is not None:
        closure.duration.CopyFrom(times.span(row["duration"]))
    if record.HasField("custom_info"):
        closure.custom_info.CopyFrom(record.custom_info)
    if record.HasField("error"):
        closure.error.CopyFrom(record.error)
    elif record.output_uri:
        closure.output_uri = record.output_uri
    elif row["outputs"] is not None:
        closure.output_data.CopyFrom(literals_pb2.LiteralMap.FromString(row["outputs"]))
    task_id = identifier_pb2.Identifier()
    task_id.CopyFrom(record.task_id)
    task_id.resource_type = identifier_pb2.TASK
    return task_execution_pb2.TaskExecution(
        id=identifier_pb2.TaskExecutionIdentifier(
            task_id=task_id, node_execution_id=id_, retry_attempt=row["retry_attempt"]
        ),
        input_uri=record.input_uri,
        closure=closure,
    )


def shown_phase(phase: phases.TaskPhase) -> phases.TaskPhase:
    """A retryable failure is shown as the failure of its attempt."""
    return _Task.FAILED if phase == _Task.RETRYABLE_FAILED else phase


def external_resources(records: Iterable[bytes], limit: int) -> list[event_pb2.ExternalResourceInfo]:
    """Elements of a map task, by index, as many as fit into `limit` bytes."""
    resources: list[event_pb2.ExternalResourceInfo] = []
    size = 0
    for record in records:
        element = dispatch_pb2.ArrayElement.FromString(record)
        resource = event_pb2.ExternalResourceInfo(
            external_id=element.external_id,
            index=element.index,
            retry_attempt=element.attempt,
            phase=shown_phase(element.phase),
            cache_status=element.cache_status,
            logs=_logs(element.logs, element.phase),
        )
        size += resource.ByteSize() + 4
        if size > limit:
            break
        resources.append(resource)
    resources.sort(key=lambda resource: (resource.index, resource.retry_attempt))
    return resources


def _logs(logs: Iterable[execution_pb2.TaskLog], phase: phases.TaskPhase) -> list[execution_pb2.TaskLog]:
    """The last said of each log, without those that are not for this phase."""
    last: dict[str, execution_pb2.TaskLog] = {}
    for log in logs:
        last[log.uri or log.name] = log
    if phase in _PENDING:
        return [log for log in last.values() if log.ShowWhilePending or phase == _Task.WAITING_FOR_RESOURCES]
    if phase in phases.TERMINAL_TASK or phase == _Task.RETRYABLE_FAILED:
        return [log for log in last.values() if not log.HideOnceFinished]
    return list(last.values())


def _reasons(reasons: Iterable[event_pb2.EventReason]) -> list[task_execution_pb2.Reason]:
    once = {(reason.occurred_at.seconds, reason.occurred_at.nanos, reason.reason): reason for reason in reasons}
    return [
        task_execution_pb2.Reason(
            occurred_at=reason.occurred_at if reason.HasField("occurred_at") else None, message=reason.reason
        )
        for reason in once.values()
    ]

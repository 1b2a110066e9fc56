"""From a row to what clients are shown of an execution."""

from volant_admin.executions import times
from volant_core import postgres
from volantidl.admin import execution_pb2
from volantidl.core import execution_pb2 as core_execution_pb2
from volantidl.core import literals_pb2

_PHASES = dict(core_execution_pb2.WorkflowExecution.Phase.items())
_ABORTED = frozenset({"ABORTED", "ABORTING"})
_TRIMMED_BYTES = 100


def execution_of(row: postgres.Record) -> execution_pb2.Execution:
    """The whole execution."""
    execution = execution_pb2.Execution.FromString(row["head"])
    closure = execution.closure
    phase = row["phase"]
    closure.phase = _PHASES[phase]
    closure.updated_at.CopyFrom(times.stamp(row["execution_updated_at"]))
    if (started := row["started_at"]) is not None:
        closure.started_at.CopyFrom(times.stamp(started))
    if (duration := row["duration"]) is not None:
        closure.duration.CopyFrom(times.span(duration))
    if row["state_changed_at"] is not None:
        change = closure.state_change_details
        change.state = row["state"]
        change.principal = row["state_changed_by"]
        change.occurred_at.CopyFrom(times.stamp(row["state_changed_at"]))
    if row["cluster"]:
        execution.spec.metadata.system_metadata.execution_cluster = row["cluster"]
    _set_result(closure, row, phase)
    return execution


def _set_result(closure: execution_pb2.ExecutionClosure, row: postgres.Record, phase: str) -> None:
    if phase in _ABORTED and row["abort_cause"] is not None:
        closure.abort_metadata.cause = row["abort_cause"]
        closure.abort_metadata.principal = row["abort_principal"] or ""
    elif (error := row["error"]) is not None:
        closure.error.MergeFromString(error)
    elif row["output_uri"]:
        closure.outputs.uri = row["output_uri"]
    elif row["outputs"] is not None:
        closure.output_data.CopyFrom(literals_pb2.LiteralMap.FromString(row["outputs"]))


def listed(row: postgres.Record) -> execution_pb2.Execution:
    """An execution as lists show it: with the beginning of its error's message, without inputs."""
    execution = execution_of(row)
    execution.spec.ClearField("inputs")
    if execution.closure.HasField("error"):
        trim_error(execution.closure.error)
    return execution


def trim_error(error: core_execution_pb2.ExecutionError) -> None:
    """Keep about 100 bytes of the message."""
    message = error.message.encode()
    if len(message) > _TRIMMED_BYTES:
        error.message = message[:_TRIMMED_BYTES].decode(errors="ignore")

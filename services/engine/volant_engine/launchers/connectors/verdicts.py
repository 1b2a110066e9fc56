"""What a connector's words about a job mean for its attempt (contract row 3.034). Pure."""

import dataclasses

from volant_engine.launchers import port
from volantidl.admin import agent_pb2
from volantidl.core import execution_pb2

_Phase = execution_pb2.TaskExecution
_PHASES = {
    _Phase.QUEUED: port.AttemptPhase.QUEUED,
    _Phase.WAITING_FOR_RESOURCES: port.AttemptPhase.QUEUED,
    _Phase.INITIALIZING: port.AttemptPhase.INITIALIZING,
    _Phase.RUNNING: port.AttemptPhase.RUNNING,
    _Phase.SUCCEEDED: port.AttemptPhase.SUCCEEDED,
    _Phase.ABORTED: port.AttemptPhase.FAILED,
    _Phase.FAILED: port.AttemptPhase.FAILED,
    _Phase.RETRYABLE_FAILED: port.AttemptPhase.FAILED,
}
# Connectors from before there were phases.
_STATES = {
    agent_pb2.PENDING: _Phase.INITIALIZING,
    agent_pb2.RUNNING: _Phase.RUNNING,
    agent_pb2.SUCCEEDED: _Phase.SUCCEEDED,
    agent_pb2.PERMANENT_FAILURE: _Phase.FAILED,
    agent_pb2.RETRYABLE_FAILURE: _Phase.RETRYABLE_FAILED,
}
TERMINAL = frozenset({port.AttemptPhase.SUCCEEDED, port.AttemptPhase.FAILED})


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Where an attempt is, by its job."""

    phase: port.AttemptPhase
    error: execution_pb2.ExecutionError | None = None
    retryable: bool = False


def of_resource(resource: agent_pb2.Resource) -> Verdict:
    """What the state of a job says."""
    theirs = resource.phase or _STATES[resource.state]
    phase = _PHASES[theirs]
    if phase is not port.AttemptPhase.FAILED:
        return Verdict(phase)
    told = resource.agent_error
    default = "the job was aborted" if theirs == _Phase.ABORTED else "the job failed; its connector says no more"
    error = execution_pb2.ExecutionError(
        code=told.code or "TaskFailedWithError",
        message=resource.message or default,
        kind=told.origin or execution_pb2.ExecutionError.USER,
    )
    retryable = theirs == _Phase.RETRYABLE_FAILED or told.kind == agent_pb2.AgentError.RECOVERABLE
    return Verdict(phase, error, retryable)


def broken(code: str, message: str) -> Verdict:
    """The connector itself failed: nobody knows of the job's own fault, and another try may help."""
    error = execution_pb2.ExecutionError(code=code, message=message, kind=execution_pb2.ExecutionError.SYSTEM)
    return Verdict(port.AttemptPhase.FAILED, error, retryable=True)

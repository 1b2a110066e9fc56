"""What the status of a custom resource says of its attempt. Pure."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from volant_engine.launchers import port
from volantidl.core import execution_pb2

Status = Mapping[str, Any]
_Phase = port.AttemptPhase
FAILED = "DownstreamSystemError"
"""The code of most failures, as Flyte's."""
UNSEEN = "no operator has taken it up yet"


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """Where an attempt is, by its operator's words."""

    phase: port.AttemptPhase
    reason: str = ""
    error: execution_pb2.ExecutionError | None = None
    retryable: bool = True
    """Whether, of a failure, another try may help."""
    goes_on: bool = False
    """The operator tries on, though the attempt has ended."""
    links: tuple[execution_pb2.TaskLog, ...] = ()

    @property
    def is_end(self) -> bool:
        """Whether the attempt has ended."""
        return self.phase in {_Phase.SUCCEEDED, _Phase.FAILED}


def failed(
    message: str,
    code: str = FAILED,
    *,
    is_system: bool = False,
    retryable: bool = True,
    goes_on: bool = False,
) -> Said:
    """The job failed."""
    kind = execution_pb2.ExecutionError.SYSTEM if is_system else execution_pb2.ExecutionError.USER
    error = execution_pb2.ExecutionError(code=code, message=message, kind=kind)
    return Said(_Phase.FAILED, error=error, retryable=retryable, goes_on=goes_on)


def link(name: str, uri: str) -> execution_pb2.TaskLog:
    """A page about the job."""
    return execution_pb2.TaskLog(name=name, uri=uri, message_format=execution_pb2.TaskLog.JSON)

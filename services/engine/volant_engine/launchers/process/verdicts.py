"""What the end of a process means for its attempt. Pure."""

import dataclasses

from volant_engine.launchers import port
from volantidl.core import execution_pb2

_USER = execution_pb2.ExecutionError.ErrorKind.USER
_SYSTEM = execution_pb2.ExecutionError.ErrorKind.SYSTEM
# 128 + SIGKILL, as a shell says it, and an unsigned byte's -9, as a Python program that waits for another gives it.
_KILLED = (137, 247)


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt's process ended."""

    at: float
    """Seconds since 1970."""
    code: int | None
    """Its exit code, 128 + the signal that killed it, or None when nobody knows."""
    out_of_memory: bool = False
    """It, or a process that it started, was killed for using more memory than its limit."""
    stopped: bool = False
    """The platform ended it to shut down."""
    has_outputs: bool = False
    """It left outputs, futures or an error (only looked for when the code is not known)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """An attempt's outcome, as far as its process goes."""

    error: execution_pb2.ExecutionError | None
    """None: it succeeded."""
    retryable: bool = False


def judge(name: str, ending: Ending, log: str) -> Verdict:
    """As Flyte judges a pod: out of memory is the user's, SIGKILL the system's, any other code the user's."""
    if ending.stopped:
        message = f"[{name}] was ended because the platform was shut down."
        error = execution_pb2.ExecutionError(code=port.PLATFORM_STOPPED, message=message, kind=_SYSTEM)
        return Verdict(error, retryable=True)
    if ending.out_of_memory:
        return _failed(name, ending, log, "OOMKilled", _USER)
    if ending.code is None:
        if ending.has_outputs:
            return Verdict(None)
        message = (
            f"[{name}] is gone without an exit code and without outputs: it was killed while the platform was not "
            f"looking, or the machine was restarted.{_said(log)}"
        )
        return Verdict(execution_pb2.ExecutionError(code="Interrupted", message=message, kind=_SYSTEM), retryable=True)
    if ending.code == 0:
        return Verdict(None)
    if ending.code in _KILLED:
        return _failed(name, ending, log, "Error", _SYSTEM)
    return _failed(name, ending, log, "Error", _USER)


def _failed(
    name: str, ending: Ending, log: str, code: str, kind: execution_pb2.ExecutionError.ErrorKind.ValueType
) -> Verdict:
    number = 137 if ending.code is None or ending.out_of_memory else ending.code
    reason = "OOMKilled" if code == "OOMKilled" else "Error"
    message = f"[{name}] terminated with exit code ({number}). Reason [{reason}]. Message: \n{log}."
    return Verdict(execution_pb2.ExecutionError(code=code, message=message, kind=kind), retryable=True)


def _said(log: str) -> str:
    return f" The last that it said:\n{log}" if log else ""

"""The error document: what went wrong in a task, with the user's own frames first."""

from __future__ import annotations

import builtins
import os
import re
import time
import traceback
import types
import uuid

from google.protobuf import timestamp_pb2

from volant import errors
from volantidl.core import errors_pb2, execution_pb2

_KIND = errors_pb2.ContainerError.Kind
_ORIGIN = execution_pb2.ExecutionError.ErrorKind
_OWN_PACKAGES = {"volant", "volantidl"}
_RAISED = re.compile(r"^Message:\n\n    (\w+): ", re.MULTILINE)


class UserError(Exception):
    """Carries an exception that the user's code raised through our own frames."""


class NotConvertibleError(Exception):
    """Carries a value's or type's failure to be read or written: no other attempt can help."""


def document_for(error: BaseException) -> errors_pb2.ErrorDocument:
    """The document of an exception that ended a task."""
    code, kind, origin = "SYSTEM", _KIND.RECOVERABLE, _ORIGIN.SYSTEM
    root = error
    if isinstance(error, UserError) and error.__cause__ is not None:
        root = error.__cause__
        recoverable = is_recoverable(root)
        code = "USER:Recoverable" if recoverable else "USER:RuntimeError"
        kind = _KIND.RECOVERABLE if recoverable else _KIND.NON_RECOVERABLE
        origin = _ORIGIN.USER
    elif isinstance(error, NotConvertibleError) and error.__cause__ is not None:
        root = error.__cause__
        kind = _KIND.NON_RECOVERABLE
    stamp = timestamp_pb2.Timestamp()
    stamp.FromNanoseconds(time.time_ns())
    return errors_pb2.ErrorDocument(
        error=errors_pb2.ContainerError(
            code=code, message=message_of(root), kind=kind, origin=origin, timestamp=stamp, worker=worker_name()
        )
    )


def exception_of(label: str, error: execution_pb2.ExecutionError) -> errors.TaskFailedError:
    """The way back: what to raise where a task's outputs are wanted.

    It is a TaskFailedError, and also of the built-in kind that the task raised, as it would be if the task ran here.
    """
    code = f" ({error.code})" if error.code else ""
    text = f"{label} failed{code}: {error.message}"
    raised = _RAISED.findall(error.message)
    kind = getattr(builtins, raised[-1], None) if raised else None
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return _also(kind)(text)
        except TypeError:  # made of more than a text
            pass
    return errors.TaskFailedError(text)


def _also(kind: type[Exception]) -> type[errors.TaskFailedError]:
    made: type[errors.TaskFailedError] = type(kind.__name__, (errors.TaskFailedError, kind), {"__str__": _first})
    return made


def _first(self: Exception) -> str:
    return str(self.args[0])


def is_recoverable(error: BaseException) -> bool:
    """Whether an exception says that another attempt may help; flytekit's own class counts too."""
    names = {cls.__name__ for cls in type(error).__mro__}
    return isinstance(error, errors.RecoverableError) or "FlyteRecoverableException" in names


def message_of(error: BaseException) -> str:
    """The traceback from the user's first frame on, then the message."""
    frames = _user_frames(error.__traceback__)
    if frames is None and isinstance(error, errors.VolantError):  # it says itself where and what
        return f"Message:\n\n    {type(error).__name__}: {error}"
    trace = traceback.TracebackException(type(error), error, frames or error.__traceback__, compact=True)
    lines = "".join(trace.format()).rstrip().splitlines()
    indented = "\n".join(f"    {line}" for line in lines)
    return f"Trace:\n\n{indented}\n\nMessage:\n\n    {type(error).__name__}: {error}"


def _user_frames(trace: types.TracebackType | None) -> types.TracebackType | None:
    """The traceback without our frames at its beginning; None where all are ours."""
    start = trace
    while start is not None:
        package = start.tb_frame.f_globals.get("__name__", "").partition(".")[0]
        if package not in _OWN_PACKAGES and not _is_runtime_frame(start.tb_frame):
            return start
        start = start.tb_next
    return None


def _is_runtime_frame(frame: types.FrameType) -> bool:
    return frame.f_code.co_filename.startswith("<frozen") or frame.f_globals.get("__name__") in {
        "asyncio.runners",
        "asyncio.base_events",
        "importlib",
        "contextlib",
        "concurrent.futures.thread",
    }


def file_name() -> str:
    """`error.pb`; of its own for each worker of a distributed task."""
    if os.environ.get("FLYTE_INTERNAL_DIST_ERROR_STRATEGY") or os.environ.get("_F_DES"):
        return f"error-{uuid.uuid4().hex}.pb"
    return "error.pb"


def worker_name() -> str:
    """The worker's name in a distributed task."""
    if os.environ.get("FLYTE_INTERNAL_DIST_ERROR_STRATEGY") or os.environ.get("_F_DES"):
        return os.environ.get("FLYTE_INTERNAL_WORKER_NAME") or os.environ.get("_F_WN", "")
    return ""

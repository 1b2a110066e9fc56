"""What can be refused, and as which gRPC status.

One class a status. A handler raises one of these (with a message that names the cause and the way out); the servicer
interceptor in `volant_core.rpc` is the only place that turns it into a status, and clients turn it back with `of_code`.
"""

from typing import ClassVar

from google.protobuf.message import Message


class VolantError(Exception):
    """The root of the family. Never raised itself."""

    code: ClassVar[str] = "UNKNOWN"

    def __init__(self, message: str, *details: Message) -> None:
        """Keep `message` for people and `details`, typed messages that clients parse (google.rpc.Status.details)."""
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidArgumentError(VolantError):
    """The request can never succeed as it is."""

    code = "INVALID_ARGUMENT"


class NotFoundError(VolantError):
    """What the request names does not exist."""

    code = "NOT_FOUND"


class AlreadyExistsError(VolantError):
    """What the request creates exists already."""

    code = "ALREADY_EXISTS"


class FailedPreconditionError(VolantError):
    """The request is fine, but not in the present state."""

    code = "FAILED_PRECONDITION"


class ResourceExhaustedError(VolantError):
    """A limit was met; the message names it."""

    code = "RESOURCE_EXHAUSTED"


class UnauthenticatedError(VolantError):
    """Who asks is not known."""

    code = "UNAUTHENTICATED"


class UnimplementedError(VolantError):
    """The method, or this use of it, is not offered."""

    code = "UNIMPLEMENTED"


class UnavailableError(VolantError):
    """Something that this needs is away for now; trying again is right."""

    code = "UNAVAILABLE"


class DeadlineExceededError(VolantError):
    """It took longer than the caller allowed."""

    code = "DEADLINE_EXCEEDED"


class InternalError(VolantError):
    """A fault of ours."""

    code = "INTERNAL"


_BY_CODE: dict[str, type[VolantError]] = {
    cls.code: cls
    for cls in (
        InvalidArgumentError,
        NotFoundError,
        AlreadyExistsError,
        FailedPreconditionError,
        ResourceExhaustedError,
        UnauthenticatedError,
        UnimplementedError,
        UnavailableError,
        DeadlineExceededError,
        InternalError,
    )
}


def of_code(code: str, message: str) -> VolantError:
    """The error for a gRPC status name such as "NOT_FOUND"; an unknown name is an `InternalError` that says so."""
    cls = _BY_CODE.get(code)
    return cls(message) if cls else InternalError(f"{code}: {message}")

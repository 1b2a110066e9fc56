"""Every exception that the SDK raises of its own accord. Nothing else lives here."""

from __future__ import annotations


class VolantError(Exception):
    """Base of all of the SDK's exceptions."""


class TypeMismatchError(VolantError, TypeError):
    """A value or a type is not what its declaration says."""


class DefinitionError(VolantError, ValueError):
    """A task, workflow or launch plan is defined in a way that cannot work.

    The message begins with the user's own file and line.
    """


class RecoverableError(VolantError):
    """Raise it in a task to say that another attempt may succeed: it is what `retries=` retries."""


class IgnoreOutputs(VolantError):  # noqa: N818 - flytekit's name for it
    """Raise it in a task to end it successfully without outputs being written (a worker that is not the leader)."""


class MissingDependencyError(VolantError, ImportError):
    """An optional package is needed for what was asked, and isn't installed."""

    def __init__(self, package: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package!r}, which is not installed: pip install {package}")
        self.package = package


class ImageBuildError(VolantError):
    """An image could not be built."""


class StorageError(VolantError):
    """Reading or writing a stored object failed."""


class NotFoundError(StorageError):
    """The object or entity does not exist."""


class TaskFailedError(VolantError):
    """A task failed on the platform, or locally after all its retries."""


class TimedOutError(VolantError, TimeoutError):
    """Something took longer than its limit."""


class RemoteError(VolantError):
    """The platform refused or could not serve a request."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code
        """The gRPC status code's name, such as `NOT_FOUND`."""

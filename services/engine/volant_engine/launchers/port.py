"""The launcher port: start, watch and stop task attempts. Every adapter passes one conformance suite.

An attempt's name is deterministic, so launching it again after a crash *adopts* what runs (or has ended) instead of
running it twice. A launcher judges only the process or pod; what the task wrote (outputs.pb, error.pb, futures.pb) is
read by the reactor.
"""

import dataclasses
import datetime
import enum
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from volantidl.core import execution_pb2, identifier_pb2, security_pb2, tasks_pb2

PLATFORM_STOPPED = "PlatformStopped"
"""The code of the error of an attempt that the platform itself ended, to shut down: trying again costs no budget."""


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a task (or of one element of a map task), ready to run."""

    name: str
    """Unique and deterministic: Flyte's generated name, at most 50 characters, fit for a DNS label."""
    execution: identifier_pb2.WorkflowExecutionIdentifier
    node_id: str
    """The unique id of the node."""
    number: int
    """The attempt's number, from 0."""
    task: tasks_pb2.TaskTemplate
    """With the node's overrides applied."""
    arguments: Sequence[str]
    """The container's command and arguments, its templates replaced."""
    environment: Mapping[str, str]
    """What Flyte gives a task (identity, index, the task's own), without what only the launcher knows."""
    input_uri: str
    output_prefix: str
    raw_output_prefix: str
    interruptible: bool = False
    is_eager: bool = False
    """It waits for other executions, so it holds no slot."""
    security_context: security_pb2.SecurityContext | None = None
    workflow_name: str = ""
    """Of the workflow that the execution runs."""
    was_running: bool = False
    """An engine before this one recorded that it ran: where nothing is left of it, it is lost, not new."""
    resource_defaults: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What its project gives where the task asks for nothing, as Kubernetes names and writes it (cpu, memory…)."""
    resource_limits: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The most that its project allows."""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)


class AttemptPhase(enum.Enum):
    """Where an attempt is, as far as its process or pod goes."""

    QUEUED = "queued"
    INITIALIZING = "initializing"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    """It ended by itself, with code 0."""
    FAILED = "failed"
    """It ended otherwise; `error` says how and `retryable` whether another try may help."""


@dataclasses.dataclass(frozen=True, slots=True)
class AttemptUpdate:
    """News of an attempt. Terminal news comes exactly once for each launch call, however often that is repeated."""

    name: str
    phase: AttemptPhase
    at: datetime.datetime
    """When it came into the phase, by the machine that ran it."""
    reason: str = ""
    started_at: datetime.datetime | None = None
    """When user code was started, where known."""
    error: execution_pb2.ExecutionError | None = None
    retryable: bool = False
    logs: Sequence[execution_pb2.TaskLog] = ()
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What the attempt ran with: interpreter, platform, a hash of the installed distributions."""


class Launcher(Protocol):
    """A place where attempts run."""

    @property
    def running(self) -> int:
        """How many of the attempts launched here run now."""
        ...

    async def start(self, heard: Callable[[AttemptUpdate], None]) -> None:
        """Get ready. News is given to `heard`, on the event loop, in order for each attempt."""
        ...

    async def launch(self, attempt: Attempt) -> None:
        """Run the attempt, or adopt it. Returns when it is accepted; it may wait for a slot afterwards."""
        ...

    async def stop(self, name: str, reason: str) -> None:
        """End an attempt and everything that it started; no news of it comes afterwards. Unknown names are fine."""
        ...

    def release(self, name: str) -> None:
        """Let go of an attempt, which may be another engine's by now; it can be launched here again.

        What runs, runs on, unheard; what waits here to be started never is.
        """
        ...

    async def forget(self, name: str) -> None:
        """The attempt is recorded as ended: its folder or pod may be cleaned up by policy."""
        ...

    def leftovers(self) -> Collection[str]:
        """Names of attempts that are here (running, or ended and not forgotten) and that nobody has launched here.

        Where several engines share a place, that includes what the others have launched.
        """
        ...

    async def close(self, *, end_attempts: bool) -> None:
        """Shut down. With `end_attempts`, end what runs; else leave it running, to be adopted at the next start."""
        ...

"""What a run wants done. Data only; the reactor makes them true and answers with events."""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

from volantidl.core import identifier_pb2, literals_pb2, tasks_pb2


@dataclasses.dataclass(frozen=True, slots=True)
class Launch:
    """Write the inputs, then start (or adopt) an attempt. Answered by `AttemptNews`, or `LaunchRefused`."""

    node_id: str
    attempt: int
    """The node's attempt."""
    index: int
    """The element of an array node; -1 for a plain task."""
    number: int
    """The attempt's number for the task: the element's own, or the node's."""
    name: str
    """What the launcher knows it by."""
    generated: str
    """Flyte's name for it, as it appears in raw output URIs."""
    task: tasks_pb2.TaskTemplate
    inputs: literals_pb2.LiteralMap | None
    """What to write to `input_uri` first; None when it is there."""
    input_uri: str
    output_dir: str
    raw_output_prefix: str
    prev_checkpoint: str
    interruptible: bool
    appends_index: bool = False
    """Whether the last part of `output_dir`, the index, is added by the program itself."""
    was_running: bool = False
    """An engine before this one recorded that it ran."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """End an attempt. Answered by `Stopped`."""

    node_id: str
    attempt: int
    index: int
    name: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Forget:
    """What an attempt left behind may be cleaned up, once its end is recorded."""

    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Fetch:
    """Read literals from the store. Answered by `Fetched`."""

    node_id: str
    uris: Sequence[str]
    maps: bool = True
    """Whether there are literal maps at the URIs (outputs.pb), or single literals (offloaded ones)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Write:
    """Store bytes; the node's record waits for it. Answered by `Written`."""

    node_id: str
    uri: str
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class WakeAt:
    """Send `Woken` at a time."""

    at: float
    node_id: str
    attempt: int
    what: str


@dataclasses.dataclass(frozen=True, slots=True)
class CacheKey:
    """Where the outputs of a cacheable task are found."""

    project: str
    domain: str
    name: str
    version: str
    tag: str


@dataclasses.dataclass(frozen=True, slots=True)
class LookUp:
    """Ask the cache. Answered by `CacheAnswered`."""

    node_id: str
    attempt: int
    index: int
    key: CacheKey


@dataclasses.dataclass(frozen=True, slots=True)
class CachePut:
    """Put outputs into the cache. Answered by `CacheStored`."""

    node_id: str
    attempt: int
    index: int
    spec_node_id: str
    """What the cache is told of the node: its id in its own graph, as Flyte has it."""
    key: CacheKey
    task: tasks_pb2.TaskTemplate
    outputs: literals_pb2.LiteralMap | None
    """None when they are too large to be held; then they are only at `uri`."""
    uri: str
    overwrite: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Reserve:
    """Ask for the right to compute what is not in the cache. Answered by `Reserved`; then extend it until `Release`."""

    node_id: str
    attempt: int
    index: int
    key: CacheKey
    owner: str


@dataclasses.dataclass(frozen=True, slots=True)
class Release:
    """Give the right back."""

    key: CacheKey
    owner: str


@dataclasses.dataclass(frozen=True, slots=True)
class CreateChild:
    """Start a child execution. Answered by `ChildStarted`, later `ChildEnded`."""

    node_id: str
    attempt: int
    index: int
    name: str
    launch_plan: identifier_pb2.Identifier
    inputs: literals_pb2.LiteralMap
    recover: identifier_pb2.WorkflowExecutionIdentifier | None


@dataclasses.dataclass(frozen=True, slots=True)
class EndChild:
    """End a child execution. Answered by `Stopped`."""

    node_id: str
    attempt: int
    index: int
    child: identifier_pb2.WorkflowExecutionIdentifier
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class OpenSignal:
    """Create a signal, or find its value. Answered by `SignalCame` when there is one."""

    node_id: str
    signal_id: str
    type: bytes
    """A serialized core.LiteralType."""


@dataclasses.dataclass(frozen=True, slots=True)
class CompileDynamic:
    """Compile what a dynamic task wrote, or load what was compiled before. Answered by `GraphCame`."""

    node_id: str
    spec_node_id: str
    """The node's id in its workflow, after which the graph is named."""
    attempt: int
    task: tasks_pb2.TaskTemplate
    job_spec_uri: str
    closure_uri: str
    """Where the compiled form is, when that was recorded; else empty."""


@dataclasses.dataclass(frozen=True, slots=True)
class Continue:
    """Call again with `Continued`, after letting others have the processor."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ended:
    """The execution is over; nothing follows."""


Command: TypeAlias = (
    Launch
    | Stop
    | Forget
    | Fetch
    | Write
    | WakeAt
    | LookUp
    | CachePut
    | Reserve
    | Release
    | CreateChild
    | EndChild
    | OpenSignal
    | CompileDynamic
    | Continue
    | Ended
)

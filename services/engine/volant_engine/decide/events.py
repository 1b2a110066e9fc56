"""What a run is told. Data only. `at` is seconds since 1970."""

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from volant_engine.decide import graphs
from volantidl.core import catalog_pb2, execution_pb2, identifier_pb2, literals_pb2
from volantidl.dispatch import dispatch_pb2


@dataclasses.dataclass(frozen=True, slots=True)
class Began:
    """Drive the execution: from its beginning, or from what is recorded of it."""

    at: float
    recorded: Sequence[dispatch_pb2.LoadExecutionResponse] = ()
    source: Sequence[dispatch_pb2.NodeRecord] = ()
    """What is recorded of the execution that this one recovers from."""
    former_facts: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    """By node: what its task ran with in the execution that this one repeats or recovers from."""
    driven: Sequence[graphs.Driven] = ()
    """What drivers had added and that had not ended."""


class AttemptState(enum.Enum):
    """Where an attempt is."""

    QUEUED = 1
    INITIALIZING = 2
    RUNNING = 3
    SUCCEEDED = 4
    DYNAMIC = 5
    """It succeeded and left a graph to run (futures.pb) instead of outputs."""
    FAILED = 6


@dataclasses.dataclass(frozen=True, slots=True)
class AttemptNews:
    """An attempt came into a state; for the last three, what it wrote has been read."""

    at: float
    node_id: str
    attempt: int
    index: int
    number: int
    state: AttemptState
    occurred_at: float
    started_at: float = 0.0
    """When user code was started; 0 where unknown."""
    reason: str = ""
    outputs: literals_pb2.LiteralMap | None = None
    """None also when they are too large to be held; then they are at the attempt's output folder."""
    has_outputs: bool = False
    """Whether outputs.pb is there."""
    error: execution_pb2.ExecutionError | None = None
    retryable: bool = False
    deck: bool = False
    """Whether deck.html is there."""
    logs: Sequence[execution_pb2.TaskLog] = ()
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Stopped:
    """What was to be stopped no longer runs."""

    at: float
    node_id: str
    attempt: int
    index: int


@dataclasses.dataclass(frozen=True, slots=True)
class Fetched:
    """Literals read from the store, by URI; missing ones are left out."""

    at: float
    node_id: str
    maps: Mapping[str, literals_pb2.LiteralMap] = dataclasses.field(default_factory=dict)
    literals: Mapping[str, literals_pb2.Literal] = dataclasses.field(default_factory=dict)
    missing: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Why, by URI."""


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """Bytes are stored."""

    at: float
    node_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Woken:
    """A time has come."""

    at: float
    node_id: str
    attempt: int
    what: str


@dataclasses.dataclass(frozen=True, slots=True)
class CacheAnswered:
    """What the cache has. `metadata` says which artifact it is (or would be)."""

    at: float
    node_id: str
    attempt: int
    index: int
    outputs: literals_pb2.LiteralMap | None
    metadata: catalog_pb2.CatalogMetadata
    failure: str = ""
    """Why it could not be asked."""


@dataclasses.dataclass(frozen=True, slots=True)
class CacheStored:
    """The outputs are in the cache, or (with a failure) not."""

    at: float
    node_id: str
    attempt: int
    index: int
    metadata: catalog_pb2.CatalogMetadata
    failure: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Reserved:
    """Whether the right to compute is ours."""

    at: float
    node_id: str
    attempt: int
    index: int
    acquired: bool


@dataclasses.dataclass(frozen=True, slots=True)
class ChildStarted:
    """A child execution was created (or existed), or was refused."""

    at: float
    node_id: str
    attempt: int
    index: int
    child: identifier_pb2.WorkflowExecutionIdentifier | None
    error: execution_pb2.ExecutionError | None = None
    retryable: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ChildEnded:
    """A child execution came into a terminal phase."""

    at: float
    node_id: str
    child: str
    """Its name."""
    phase: execution_pb2.WorkflowExecution.Phase.ValueType
    error: execution_pb2.ExecutionError | None = None
    outputs: literals_pb2.LiteralMap | None = None
    output_uri: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class SignalCame:
    """A signal has a value."""

    at: float
    signal_id: str
    value: literals_pb2.Literal


@dataclasses.dataclass(frozen=True, slots=True)
class GraphCame:
    """The graph of a dynamic node, or why there is none."""

    at: float
    node_id: str
    attempt: int
    graph: graphs.Graph | None
    workflow_id: identifier_pb2.Identifier | None = None
    closure_uri: str = ""
    error: execution_pb2.ExecutionError | None = None
    retryable: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ChildrenAdded:
    """Drivers have added nodes; some may be known already."""

    at: float
    children: Sequence[graphs.Driven]


@dataclasses.dataclass(frozen=True, slots=True)
class AbortWanted:
    """A user wants the execution ended."""

    at: float
    cause: str


@dataclasses.dataclass(frozen=True, slots=True)
class Continued:
    """The answer to `Continue`."""

    at: float


@dataclasses.dataclass(frozen=True, slots=True)
class Broke:
    """The execution cannot be driven: what it needs is missing or broken."""

    at: float
    error: execution_pb2.ExecutionError


Event: TypeAlias = (
    Began
    | AttemptNews
    | Stopped
    | Fetched
    | Written
    | Woken
    | CacheAnswered
    | CacheStored
    | Reserved
    | ChildStarted
    | ChildEnded
    | SignalCame
    | GraphCame
    | ChildrenAdded
    | AbortWanted
    | Continued
    | Broke
)

"""The moving side of a run: scopes, nodes, attempts. Plain records; what changes them is in the modules above."""

import collections
import enum
from collections.abc import Callable, Mapping
from typing import Any

from volant_core.model import layout, naming, phases
from volant_engine.decide import commands, graphs
from volantidl.admin import execution_pb2 as admin_execution_pb2
from volantidl.core import catalog_pb2, execution_pb2, identifier_pb2, literals_pb2
from volantidl.dispatch import dispatch_pb2
from volantidl.event import event_pb2

NodePhase = execution_pb2.NodeExecution
TaskPhase = execution_pb2.TaskExecution
ExecutionPhase = execution_pb2.WorkflowExecution


class Limits:
    """Bounds of the engine that shape decisions."""

    __slots__ = (
        "__weakref__",
        "array_window",
        "element",
        "held",
        "inline",
        "interruptible_threshold",
        "slice",
        "system_retries",
    )

    def __init__(
        self,
        *,
        system_retries: int = 3,
        inline: int = 16 * 1024,
        held: int = 64 * 1024,
        element: int = 2 * 1024,
        array_window: int = 512,
        steps: int = 512,
        interruptible_threshold: int = -1,
    ) -> None:
        """Set the bounds.

        Args:
            system_retries: tries again after SYSTEM failures, for each node.
            inline: bytes up to which values made by the engine travel in its records.
            held: bytes up to which outputs are kept in memory until they are needed.
            element: bytes up to which an array element's outputs are kept in memory.
            array_window: elements of one array in flight where the user sets no bound.
            steps: transitions made in one go, before others get the processor.
            interruptible_threshold: system failures after which a node is no longer interruptible; 0 or less counts
                back from the last try.
        """
        self.system_retries = system_retries
        self.inline = inline
        self.held = held
        self.element = element
        self.array_window = array_window
        self.slice = steps
        self.interruptible_threshold = interruptible_threshold


class Step(enum.IntEnum):
    """What is next for a node or a scope; see `flow`."""

    READY = 1
    """A node by scope and index: everything before it has ended."""
    START = 2
    """A node: begin an attempt."""
    HALT = 3
    """A node: stop what runs for it."""
    ENDED = 4
    """A node: tell those who wait for it."""
    SETTLE = 5
    """A scope: has it come to its end?"""
    CLOSED = 6
    """A scope: tell what it belongs to."""
    FAIL = 7
    """A scope: it has failed; stop what runs in it."""
    ABORT = 8
    """The root scope: a user wants it ended; a driven one: its driver has ended."""


class ScopePhase(enum.IntEnum):
    """Where a scope is."""

    RUNNING = 1
    HALTING = 2
    """Everything in it is being stopped, because it failed or what it belongs to ends."""
    HANDLING = 3
    """Its failure node runs."""
    ENDED = 4


class Then(enum.IntEnum):
    """What follows when a node has been halted."""

    ABORT = 1
    RETRY = 2
    FAIL = 3
    TIME_OUT = 4


class Try:
    """One attempt of a task node."""

    __slots__ = (
        "created_at",
        "error",
        "facts",
        "interruptible",
        "logs",
        "name",
        "node",
        "number",
        "outputs",
        "phase",
        "reasons",
        "started_at",
        "updated_at",
        "version",
    )

    def __init__(self, node: "Node", number: int, name: str, now: float) -> None:
        """A new attempt of `node`, called `name` by the launcher ("" where none runs it)."""
        self.node = node
        self.number = number
        self.name = name
        self.phase: phases.TaskPhase = TaskPhase.QUEUED
        self.version = 0
        self.created_at = now
        self.started_at = 0.0
        self.updated_at = now
        self.error: execution_pb2.ExecutionError | None = None
        self.logs: list[execution_pb2.TaskLog] = []
        self.reasons: list[event_pb2.EventReason] = []
        self.facts: dict[str, str] = {}
        self.outputs = False
        """Whether it left outputs.pb."""
        self.interruptible = False


class Node:
    """A node of a scope that has come to life."""

    __slots__ = (
        "attempt",
        "attempt_started_at",
        "awaited",
        "cache_status",
        "catalog_key",
        "checkpoint_uri",
        "child_execution",
        "child_scope",
        "created_at",
        "data_dir",
        "deck_uri",
        "detail",
        "dynamic_closure_uri",
        "dynamic_id",
        "dynamic_spec_uri",
        "error",
        "free_tries",
        "halting",
        "holds_slot",
        "id",
        "input_uri",
        "inputs",
        "is_done",
        "is_parent",
        "output_uri",
        "outputs",
        "phase",
        "prev_checkpoint",
        "queued_at",
        "record",
        "reservation",
        "scope",
        "source",
        "spec",
        "started_at",
        "system_failures",
        "tasks",
        "updated_at",
        "writes",
    )

    def __init__(self, scope: "Scope", spec: graphs.Spec) -> None:  # noqa: PLR0915 -- one line for each field
        """A node that nothing has happened to yet."""
        run = scope.run
        now = run.now
        self.scope = scope
        self.spec = spec
        self.phase: phases.NodePhase = NodePhase.UNDEFINED
        self.attempt = 0
        self.system_failures = 0
        self.free_tries = 0
        """Attempts that the platform itself ended: they count against no budget."""
        branch = scope.nodes[spec.branch] if spec.branch >= 0 else None
        parent = branch or scope.parent
        if branch is not None:
            self.data_dir = layout.child_data_dir(branch.output_dir, spec.id)
        elif parent is not None:
            self.data_dir = layout.child_data_dir(scope.base_dir, spec.id)
        else:
            self.data_dir = layout.node_data_dir(scope.base_dir, spec.id)
        self.id = spec.driven.node_id if spec.driven is not None else run.new_id(parent, spec.id)
        self.inputs: literals_pb2.LiteralMap | None = None
        self.input_uri = ""
        self.outputs: literals_pb2.LiteralMap | None = None
        self.output_uri = ""
        self.error: execution_pb2.ExecutionError | None = None
        self.created_at = now
        self.queued_at = 0.0
        self.started_at = 0.0
        self.attempt_started_at = 0.0
        self.updated_at = now
        self.deck_uri = ""
        self.cache_status: catalog_pb2.CatalogCacheStatus.ValueType = catalog_pb2.CACHE_DISABLED
        self.catalog_key: catalog_pb2.CatalogMetadata | None = None
        self.reservation: catalog_pb2.CatalogReservation.Status.ValueType = (
            catalog_pb2.CatalogReservation.RESERVATION_DISABLED
        )
        self.child_execution: identifier_pb2.WorkflowExecutionIdentifier | None = None
        self.child_scope: Scope | None = None
        self.checkpoint_uri = ""
        """Where the present attempt keeps its checkpoint."""
        self.prev_checkpoint = ""
        """Where the attempt before it did; "" where none was."""
        self.dynamic_id: identifier_pb2.Identifier | None = None
        self.dynamic_closure_uri = ""
        self.dynamic_spec_uri = ""
        self.is_parent = False
        self.tasks: Try | None = None
        self.detail: Any = None
        """What only its kind knows."""
        self.awaited = 0
        """Literals to be fetched before its inputs can be resolved: which round of it."""
        self.halting: Then | None = None
        self.holds_slot = False
        self.writes = 0
        """Bytes on their way to the store; the record of its end waits for them."""
        self.is_done = False
        """Only its bytes have to be stored yet."""
        self.record: dispatch_pb2.NodeRecord | None = None
        """What was recorded of it by the engine before."""
        self.source: dispatch_pb2.NodeRecord | None = None
        """What is recorded of it in the execution that is being recovered."""

    @property
    def output_dir(self) -> str:
        """Where the present attempt's outputs are."""
        return layout.output_dir(self.data_dir, self.attempt)

    @property
    def is_terminal(self) -> bool:
        """Whether nothing follows."""
        return self.phase in phases.TERMINAL_NODE


class Scope:
    """One instance of a graph: the execution's, or that of a sub-workflow or dynamic node's attempt.

    A branch has none of its own: its cases are nodes of the scope that the branch is in.
    """

    __slots__ = (
        "attempt",
        "base_dir",
        "decided",
        "end_record",
        "error",
        "failure",
        "failure_record",
        "graph",
        "inputs",
        "is_driven",
        "keys",
        "live",
        "nodes",
        "others",
        "outputs",
        "parent",
        "phase",
        "reason",
        "remaining",
        "run",
        "skip",
        "unmet",
    )

    def __init__(
        self,
        run: "Run",
        graph: graphs.Graph,
        parent: Node | None,
        inputs: literals_pb2.LiteralMap,
        folder: str = "",
        *,
        is_driven: bool = False,
    ) -> None:
        """An instance of `graph` under `parent` (None for the execution's own), in a folder of the parent's outputs."""
        self.run = run
        self.graph = graph
        self.parent = parent
        self.is_driven = is_driven
        """Whether a driver adds its nodes: it outlives the parent's attempts, and ends with the parent."""
        self.keys: set[str] = set()
        """Of a driven scope: the unique ids of all nodes that it ever had."""
        self.attempt = parent.attempt if parent and not is_driven else 0
        base = run.root_uri if parent is None else parent.data_dir if is_driven else parent.output_dir
        self.base_dir = f"{base}/{folder}" if folder else base
        self.inputs = inputs
        self.nodes: list[Node | None] = [None] * len(graph.specs)
        self.unmet = [spec.upstream for spec in graph.specs]
        self.skip = bytearray(len(graph.specs))
        self.remaining = graph.top
        self.live: dict[Node, None] = {}
        self.phase = ScopePhase.RUNNING
        self.error: execution_pb2.ExecutionError | None = None
        self.reason = ""
        self.decided: dict[int, int] = {}
        """The case that each branch has taken, by index."""
        self.end_record: dispatch_pb2.NodeRecord | None = None
        self.failure_record: dispatch_pb2.NodeRecord | None = None
        self.failure: Node | None = None
        """The failure node, once it was started."""
        self.outputs: Node | None = None
        """The end node, once it was reached."""
        self.others: dict[Node, None] = {}
        """Nodes that are not in the list: start, end, failure, and those that a driver has added and that live."""


class Identity:
    """What an execution is, as its assignment says."""

    __slots__ = ("bucket", "execution", "interruptible", "max_parallelism", "overwrite_cache", "raw_prefix", "spec")

    def __init__(
        self,
        execution: identifier_pb2.WorkflowExecutionIdentifier,
        spec: admin_execution_pb2.ExecutionSpec,
        bucket: str,
    ) -> None:
        """Take the settings that decisions need out of `spec`; `bucket` is the URI of the platform's bucket."""
        self.execution = execution
        self.spec = spec
        self.bucket = bucket
        self.max_parallelism = spec.max_parallelism
        self.overwrite_cache = spec.overwrite_cache
        self.interruptible = spec.interruptible.value if spec.HasField("interruptible") else None
        self.raw_prefix = spec.raw_output_data_config.output_location_prefix or f"{bucket}/data"


class Run:
    """One execution: all that is known about it."""

    __slots__ = (
        "abort_cause",
        "agenda",
        "commands",
        "dirty",
        "dirty_elements",
        "dirty_self",
        "dirty_tasks",
        "driven",
        "ended",
        "error",
        "former_facts",
        "graph",
        "identity",
        "input_uri",
        "inputs",
        "is_urgent",
        "later",
        "limits",
        "nodes",
        "now",
        "output_uri",
        "outputs",
        "phase",
        "recorded",
        "recorded_elements",
        "recorded_tasks",
        "restoring",
        "root",
        "root_uri",
        "signals",
        "slots",
        "source",
        "started_at",
        "waiting",
        "writing",
    )

    def __init__(
        self,
        identity: Identity,
        graph: graphs.Graph,
        inputs: literals_pb2.LiteralMap,
        input_uri: str = "",
        limits: Limits | None = None,
    ) -> None:
        """A run that has not begun."""
        self.identity = identity
        self.graph = graph
        self.inputs = inputs
        self.limits = limits or Limits()
        execution = identity.execution
        self.root_uri = layout.execution_root(identity.bucket, execution.project, execution.domain, execution.name)
        self.now = 0.0
        self.phase: phases.ExecutionPhase = ExecutionPhase.UNDEFINED
        self.started_at = 0.0
        self.error: execution_pb2.ExecutionError | None = None
        self.outputs: literals_pb2.LiteralMap | None = None
        self.output_uri = ""
        self.abort_cause: str | None = None
        self.ended = False
        self.root: Scope | None = None
        self.nodes: dict[str, Node] = {}
        """By unique id: every node that lives, and the ended ones of scopes that live."""
        self.slots = 0
        """Nodes that count against max_parallelism and run."""
        self.waiting: collections.deque[Node] = collections.deque()
        self.agenda: collections.deque[tuple[Step, Any]] = collections.deque()
        self.later: list[tuple[Step, Any]] = []
        """For when the agenda has come to its end: after all that was recorded is back in place."""
        self.commands: list[commands.Command] = []
        self.dirty: dict[Node, None] = {}
        self.dirty_tasks: dict[Node, dict[Try, None]] = {}
        self.dirty_elements: dict[Node, dict[tuple[int, int], Callable[[], dispatch_pb2.ArrayElement]]] = {}
        """What makes the records of an array's elements, by index and attempt."""
        self.dirty_self = False
        self.is_urgent = False
        """Whether somebody waits for what is due."""
        self.driven: dict[str, list[graphs.Driven]] = {}
        """What drivers added to nodes that have not begun here, by the node's id."""
        self.writing: dict[str, Node] = {}
        """Nodes with bytes on their way to the store, by id."""
        self.signals: dict[str, list[Node]] = {}
        self.recorded: dict[tuple[str, str], dict[str, dispatch_pb2.NodeRecord]] = {}
        self.recorded_tasks: dict[str, list[dispatch_pb2.TaskRecord]] = {}
        self.recorded_elements: dict[str, list[dispatch_pb2.ArrayElement]] = {}
        self.restoring = False
        """Until everything recorded is back in place; only then may it be stopped, or something would be missed."""
        self.source: dict[str, dispatch_pb2.NodeRecord] = {}
        self.former_facts: Mapping[str, Mapping[str, str]] = {}
        self.input_uri = input_uri

    def dismantle(self) -> None:
        """Let go of everything: scopes and nodes know one another, and would wait for the garbage collector."""
        for node in self.nodes.values():
            node.tasks = node.child_scope = node.detail = None
            scope = node.scope
            if scope.nodes or scope.others:
                scope.nodes, scope.others, scope.outputs, scope.failure = [], {}, None, None
                scope.live.clear()
        self.root = None
        self.nodes.clear()
        self.agenda.clear()
        self.waiting.clear()
        self.dirty.clear()
        self.dirty_tasks.clear()
        self.dirty_elements.clear()
        self.writing.clear()
        self.signals.clear()

    def new_id(self, parent: Node | None, spec_id: str) -> str:
        """A unique id for a node; where 32 bits of hash collide within the execution, 64 are taken."""
        if parent is None and len(spec_id) <= naming.NODE_ID_LENGTH:
            return spec_id
        parent_id, attempt = (parent.id, parent.attempt) if parent else ("", 0)
        node_id = naming.unique_node_id(parent_id, attempt, spec_id)
        return naming.unique_node_id(parent_id, attempt, spec_id, bits=64) if node_id in self.nodes else node_id


def parent_of(node: Node) -> Node | None:
    """The node that this one runs under: the branch that it is a case of, or its scope's."""
    if node.spec.branch >= 0:
        return node.scope.nodes[node.spec.branch]
    return node.scope.parent


def error(
    code: str, message: str, kind: "execution_pb2.ExecutionError.ErrorKind.ValueType"
) -> execution_pb2.ExecutionError:
    """An execution error, its message cut as Flyte cuts it."""
    limit = 102400
    if len(message) > limit:
        half = limit // 2
        message = message[:half] + "\n... <Message Truncated> ...\n" + message[-half:]
    return execution_pb2.ExecutionError(code=code[:500].replace("\x00", " "), message=message, kind=kind)


USER = execution_pb2.ExecutionError.USER
SYSTEM = execution_pb2.ExecutionError.SYSTEM
UNKNOWN = execution_pb2.ExecutionError.UNKNOWN

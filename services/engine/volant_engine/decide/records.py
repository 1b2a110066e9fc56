"""What is reported of a run: whole states, made when they are sent, so that many changes cost one record."""

import msgpack
from google.protobuf.message import Message

from volant_core.model import layout, literals, phases
from volant_engine.decide import graphs, state
from volantidl.core import catalog_pb2
from volantidl.dispatch import dispatch_pb2
from volantidl.event import event_pb2

_Phase = state.NodePhase
_ENGINE_MADE = frozenset(
    {
        graphs.Kind.ECHO,
        graphs.Kind.SUBWORKFLOW,
        graphs.Kind.LAUNCH_PLAN,
        graphs.Kind.BRANCH,
        graphs.Kind.GATE,
        graphs.Kind.END,
        graphs.Kind.START,
    }
)
_BAD = frozenset({_Phase.FAILED, _Phase.FAILING, _Phase.TIMED_OUT, _Phase.ABORTED})


class _Room:
    """What still fits into a report."""

    __slots__ = ("bytes", "records")

    def __init__(self, most: int, size: int) -> None:
        self.records = most
        self.bytes = size

    def took(self, message: Message) -> None:
        self.records -= 1
        self.bytes -= message.ByteSize()

    @property
    def is_full(self) -> bool:
        return self.records <= 0 or self.bytes <= 0


def take(run: state.Run, limit: int = 1 << 30, size: int = 1 << 30) -> dispatch_pb2.ExecutionReport | None:
    """What changed since the last call, up to about `limit` records of `size` bytes; None when nothing did.

    The order is such that an engine which dies between two reports leaves nothing behind that nobody looks after: the
    end of a node comes with the ends of its attempts, and after those of its elements and of everything under it; the
    end of the execution comes last. Good ends of nodes whose bytes are still being stored are held back; bad ones are
    not, because the end of what the node runs under would be recorded before. Lease and number are the caller's to fill
    in.
    """
    report = dispatch_pb2.ExecutionReport()
    room = _Room(limit, size)
    run.is_urgent = False
    _take_nodes(report, run, room)
    for node in list(run.dirty_tasks):
        if room.is_full:
            break
        if node not in run.dirty:
            _take_tasks(report, run, node, room)
    for node in list(run.dirty_elements):
        if room.is_full:
            break
        if node.is_terminal or node not in run.dirty:
            _take_elements(report, run, node, room)
    terminal = run.phase in phases.TERMINAL_EXECUTION
    more = run.dirty or run.dirty_tasks or run.dirty_elements or run.writing
    if run.dirty_self and not (terminal and more):
        run.dirty_self = False
        fill_execution(report.record, run)
        room.took(report.record)
    return report if room.records < limit else None


def _take_nodes(report: dispatch_pb2.ExecutionReport, run: state.Run, room: _Room) -> None:
    for node in list(run.dirty):
        if room.is_full:
            return
        if node.is_terminal:
            if node.writes and node.phase in phases.GOOD_NODE:
                continue
            if node in run.dirty_elements and not _take_elements(report, run, node, room):
                return
        del run.dirty[node]
        record = report.nodes.add()
        fill_node(record, run, node)
        room.took(record)
        _take_tasks(report, run, node, room)
        if node.is_terminal:
            lighten(run, node)


def _take_tasks(report: dispatch_pb2.ExecutionReport, run: state.Run, node: state.Node, room: _Room) -> None:
    for attempt in run.dirty_tasks.pop(node, ()):
        record = report.tasks.add()
        fill_task(record, attempt)
        room.took(record)


def _take_elements(report: dispatch_pb2.ExecutionReport, run: state.Run, node: state.Node, room: _Room) -> bool:
    """Take as many of an array's elements as fit; true when none is left."""
    due = run.dirty_elements[node]
    for key in list(due):
        if room.is_full:
            return False
        record = due.pop(key)()
        report.elements.append(record)
        room.took(record)
    del run.dirty_elements[node]
    return True


def lighten(run: state.Run, node: state.Node) -> None:
    """Let go of values that are recorded and that nobody will ask this node for, or that are too large to be held."""
    node.inputs = None
    if node.output_uri and node.outputs is not None and node.outputs.ByteSize() > run.limits.held:
        node.outputs = None


def is_due(run: state.Run) -> bool:
    """Whether anything is to be reported."""
    return bool(run.dirty or run.dirty_tasks or run.dirty_elements or run.dirty_self)


def fill_execution(record: dispatch_pb2.ExecutionRecord, run: state.Run) -> None:
    """The execution's own state."""
    record.phase = run.phase
    if run.started_at:
        record.started_at.CopyFrom(literals.timestamp(run.started_at))
    record.occurred_at.CopyFrom(literals.timestamp(run.now))
    if run.error is not None:
        record.error.CopyFrom(run.error)
    if run.phase == state.ExecutionPhase.SUCCEEDED:
        record.output_uri = run.output_uri
        if not run.output_uri and run.outputs is not None:
            record.outputs = run.outputs.SerializeToString()


def fill_node(record: dispatch_pb2.NodeRecord, run: state.Run, node: state.Node) -> None:
    """A node's state."""
    spec = node.spec
    record.node_id = node.id
    record.phase = node.phase
    record.spec_node_id = spec.id
    record.node_name = spec.name
    parent = state.parent_of(node)
    if parent is not None:
        record.parent_node_id = parent.id
        record.retry_group = str(node.scope.attempt if spec.branch < 0 else parent.attempt)
    record.is_parent = node.is_parent
    record.is_array = spec.kind == graphs.Kind.ARRAY and not spec.is_map_task
    record.created_at.CopyFrom(literals.timestamp(node.created_at))
    if node.started_at:
        record.started_at.CopyFrom(literals.timestamp(node.started_at))
    record.updated_at.CopyFrom(literals.timestamp(node.updated_at))
    _fill_values(record, run, node)
    if node.error is not None and node.phase in _BAD:
        record.error.CopyFrom(node.error)
    if spec.kind == graphs.Kind.TASK:
        _fill_task_node(record, node)
    record.is_awaited = spec.driven is not None
    if node.child_execution is not None:
        record.child_execution.CopyFrom(node.child_execution)
    if not node.is_terminal:
        record.resume = pack_resume(node)


def _fill_values(record: dispatch_pb2.NodeRecord, run: state.Run, node: state.Node) -> None:
    record.input_uri = node.input_uri
    record.output_uri = node.output_uri
    if not node.input_uri and node.inputs is not None and node.inputs.ByteSize() <= run.limits.inline:
        record.inputs = node.inputs.SerializeToString()
    if not node.output_uri and node.outputs is not None and node.phase in phases.GOOD_NODE:
        record.outputs = node.outputs.SerializeToString()


def _fill_task_node(record: dispatch_pb2.NodeRecord, node: state.Node) -> None:
    task = node.spec.task
    record.deck_uri = node.deck_uri
    record.is_eager = task is not None and task.metadata.is_eager
    record.cache_status = node.cache_status
    if node.catalog_key is not None:
        record.catalog_key.CopyFrom(node.catalog_key)
    record.reservation_status = node.reservation
    record.checkpoint_uri = node.checkpoint_uri
    if node.dynamic_spec_uri:
        record.is_dynamic = True
        record.dynamic_job_spec_uri = node.dynamic_spec_uri
        record.dynamic_closure_uri = node.dynamic_closure_uri
        if node.dynamic_id is not None:
            record.dynamic_workflow_id.CopyFrom(node.dynamic_id)


def pack_resume(node: state.Node) -> bytes:
    """What the record's own fields do not say, and resuming needs."""
    extra = node.detail.pack() if hasattr(node.detail, "pack") else None
    packed: bytes = msgpack.packb(
        [
            1,
            node.attempt,
            node.system_failures,
            node.free_tries,
            node.queued_at,
            node.attempt_started_at,
            node.prev_checkpoint,
            extra,
        ]
    )
    return packed


def restore_node(node: state.Node, record: dispatch_pb2.NodeRecord) -> None:
    """Put a node into the state that was recorded of it (but for what its kind restores itself)."""
    node.record = record
    node.phase = record.phase
    node.created_at = literals.seconds_of(record.created_at)
    node.started_at = literals.seconds_of(record.started_at) if record.HasField("started_at") else 0.0
    node.updated_at = literals.seconds_of(record.updated_at)
    node.is_parent = record.is_parent
    node.deck_uri = record.deck_uri
    node.cache_status = record.cache_status or catalog_pb2.CACHE_DISABLED
    node.reservation = record.reservation_status
    node.dynamic_closure_uri = record.dynamic_closure_uri
    node.dynamic_spec_uri = record.dynamic_job_spec_uri
    if record.HasField("dynamic_workflow_id"):
        node.dynamic_id = record.dynamic_workflow_id
    if record.HasField("catalog_key"):
        node.catalog_key = record.catalog_key
    if record.HasField("child_execution"):
        node.child_execution = record.child_execution
    node.checkpoint_uri = record.checkpoint_uri
    if node.is_terminal:
        node.input_uri = record.input_uri
        node.output_uri = record.output_uri
        if record.outputs:
            node.outputs = literals.parse_map(record.outputs)
        if record.HasField("error"):
            node.error = record.error
    elif record.resume:
        fields = msgpack.unpackb(record.resume, strict_map_key=False)
        node.attempt, node.system_failures, node.free_tries, node.queued_at = fields[1:5]
        node.attempt_started_at, node.prev_checkpoint = fields[5:7]
        node.detail = Recalled(fields[7]) if fields[7] is not None else None


class Recalled:
    """What a kind packed into the record, for it to take up."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        """Keep `value`, as it came out of the record."""
        self.value = value

    def pack(self) -> object:
        """The same again, if it was not taken up yet."""
        return self.value


def fill_task(record: dispatch_pb2.TaskRecord, attempt: state.Try) -> None:
    """The state of a task's attempt."""
    node = attempt.node
    task = node.spec.task
    record.node_id = node.id
    record.attempt = attempt.number
    element = node.spec.element
    if task is not None:
        record.task_id.CopyFrom(task.id)
        record.task_type = task.type
    elif element is not None:
        # The elements of this array are executions of a launch plan.
        record.task_id.CopyFrom(element.message.workflow_node.launchplan_ref)
    record.phase = attempt.phase
    record.phase_version = attempt.version
    is_array = node.spec.kind == graphs.Kind.ARRAY
    if is_array:
        record.task_type = "container_array"
    record.created_at.CopyFrom(literals.timestamp(attempt.created_at))
    if attempt.started_at:
        record.started_at.CopyFrom(literals.timestamp(attempt.started_at))
    record.updated_at.CopyFrom(literals.timestamp(attempt.updated_at))
    if attempt.started_at or not is_array:  # an array none of whose elements was begun has read nothing
        record.input_uri = node.input_uri
    if attempt.outputs:
        record.output_uri = f"{layout.output_dir(node.data_dir, attempt.number)}/{layout.OUTPUTS}"
    elif attempt.phase == state.TaskPhase.SUCCEEDED and not node.output_uri and node.outputs is not None:
        record.outputs = node.outputs.SerializeToString()
    if attempt.error is not None:
        record.error.CopyFrom(attempt.error)
    record.logs.extend(attempt.logs)
    record.reasons.extend(attempt.reasons)
    attempt.reasons = []
    for key, value in attempt.facts.items():
        record.custom_info[key] = value
    record.metadata.generated_name = attempt.name
    record.metadata.plugin_identifier = "k8s-array" if is_array else "container"
    if node.spec.kind == graphs.Kind.ECHO:
        record.metadata.plugin_identifier = "echo"
    record.metadata.instance_class = (
        event_pb2.TaskExecutionMetadata.INTERRUPTIBLE
        if attempt.interruptible
        else event_pb2.TaskExecutionMetadata.DEFAULT
    )

"""What is reported of a run: whole states, made when they are sent, so that many changes cost one record."""

import msgpack

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


def take(run: state.Run, limit: int = 1 << 30, size: int = 1 << 30) -> dispatch_pb2.ExecutionReport | None:
    """What changed since the last call, up to `limit` records of about `size` bytes; None when nothing did.

    Nodes whose bytes are still being stored are held back, and with them the end of the execution. Lease and number are
    the caller's to fill in.
    """
    report = dispatch_pb2.ExecutionReport()
    held: dict[state.Node, None] = {}
    count = 0
    for node in list(run.dirty):
        if count >= limit or size <= 0:
            break
        del run.dirty[node]
        if node.writes and node.is_terminal:
            held[node] = None
            continue
        record = report.nodes.add()
        fill_node(record, run, node)
        size -= record.ByteSize()
        count += 1
        if node.is_terminal:
            lighten(run, node)
    run.dirty.update(held)
    for attempt in list(run.dirty_tasks):
        if count >= limit or size <= 0:
            break
        if attempt.node.writes or attempt.node in run.dirty:
            continue
        del run.dirty_tasks[attempt]
        task_record = report.tasks.add()
        fill_task(task_record, attempt)
        size -= task_record.ByteSize()
        count += 1
    while run.dirty_elements and count < limit and size > 0:
        key = next(iter(run.dirty_elements))
        if state_of_array(run, key[0]) in run.dirty:
            break
        element = run.dirty_elements.pop(key)()
        size -= element.ByteSize()
        report.elements.append(element)
        count += 1
    terminal = run.phase in phases.TERMINAL_EXECUTION
    more = run.dirty or run.dirty_tasks or run.dirty_elements or run.writing
    if run.dirty_self and not (terminal and more):
        run.dirty_self = False
        fill_execution(report.record, run)
        count += 1
    return report if count else None


def state_of_array(run: state.Run, node_id: str) -> state.Node | None:
    """The array node that elements belong to; its own record goes first."""
    node = run.nodes.get(node_id)
    return None if node is not None and node.writes else node


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
    record.is_array = spec.kind == graphs.Kind.ARRAY
    record.created_at.CopyFrom(literals.timestamp(node.created_at))
    if node.started_at:
        record.started_at.CopyFrom(literals.timestamp(node.started_at))
    record.updated_at.CopyFrom(literals.timestamp(node.updated_at))
    _fill_values(record, run, node)
    if node.error is not None and node.phase in _BAD:
        record.error.CopyFrom(node.error)
    if spec.kind == graphs.Kind.TASK:
        _fill_task_node(record, node)
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
        [1, node.attempt, node.system_failures, node.queued_at, node.attempt_started_at, node.prev_checkpoint, extra]
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
        node.attempt, node.system_failures, node.queued_at, node.attempt_started_at = fields[1:5]
        node.prev_checkpoint = fields[5]
        node.detail = Recalled(fields[6]) if fields[6] is not None else None


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
    assert task is not None, "only tasks have attempts"
    record.node_id = node.id
    record.attempt = attempt.number
    record.task_id.CopyFrom(task.id)
    record.phase = attempt.phase
    record.phase_version = attempt.version
    is_array = node.spec.kind == graphs.Kind.ARRAY
    record.task_type = "container_array" if is_array else task.type
    record.created_at.CopyFrom(literals.timestamp(attempt.created_at))
    if attempt.started_at:
        record.started_at.CopyFrom(literals.timestamp(attempt.started_at))
    record.updated_at.CopyFrom(literals.timestamp(attempt.updated_at))
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

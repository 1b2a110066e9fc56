"""A report as columns: from the message straight to the arrays of one statement.

This is the hot path of the whole platform: every record of every node passes here. What lists filter and sort by is
taken out, everything else stays the bytes that it is.
"""

import dataclasses
from typing import Any

from google.protobuf import timestamp_pb2

from volant_core.model import phases
from volantidl.core import catalog_pb2, execution_pb2
from volantidl.dispatch import dispatch_pb2

LONGEST_NODE_ID = 255
"""Characters: it must fit into a row of an index."""
_LONGEST_TEXT = 1000
_FIRST_SECOND = -62_135_596_800  # year 1
_LAST_SECOND = 253_402_300_799  # year 9999
_LARGEST_INT64 = 2**63 - 1

EXECUTION_PHASES = tuple(execution_pb2.WorkflowExecution.Phase.keys())
NODE_PHASES = tuple(execution_pb2.NodeExecution.Phase.keys())
TASK_PHASES = tuple(execution_pb2.TaskExecution.Phase.keys())
# A retryable failure is a failure of its attempt: the next one has a row of its own.
TASK_SHOWN = tuple("FAILED" if name == "RETRYABLE_FAILED" else name for name in TASK_PHASES)
ERROR_KINDS = tuple(execution_pb2.ExecutionError.ErrorKind.keys())
CACHE_STATUSES = tuple(catalog_pb2.CatalogCacheStatus.keys())
_NODE_ENDED = tuple(number in phases.TERMINAL_NODE for number in range(len(NODE_PHASES)))
_TASK_ENDED = tuple(
    number in phases.TERMINAL_TASK or TASK_SHOWN[number] == "FAILED" for number in range(len(TASK_PHASES))
)
_EXECUTION_ENDED = tuple(number in phases.TERMINAL_EXECUTION for number in range(len(EXECUTION_PHASES)))


class UnfitError(ValueError):
    """A part of a report that can't be recorded. The text names the field."""


Column = list[Any]
Table = tuple[Column, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Columns:
    """What a report writes: a column for each parameter of the statement, in its order."""

    leases: Table
    """Execution, epoch."""
    executions: Table
    nodes: Table
    tasks: Table
    elements: Table
    awaited: list[tuple[int, str, str]] = dataclasses.field(default_factory=list)
    """Nodes whose end a driver waits for: execution, node, the driver's node."""

    def arguments(self) -> tuple[Column, ...]:
        """The statement's parameters after the session."""
        return (*self.leases, *self.executions, *self.nodes, *self.tasks, *self.elements)


def columns_of(request: dispatch_pb2.ReportRequest) -> tuple[Columns, list[dispatch_pb2.Refusal]]:
    """The columns of a report, and a refusal for each execution's part that can't be recorded.

    The messages of the request are taken apart: don't use it afterwards.
    """
    columns = Columns(_table(2), _table(11), _table(16), _table(17), _table(7))
    tables = (columns.leases, columns.executions, columns.nodes, columns.tasks, columns.elements)
    refused: list[dispatch_pb2.Refusal] = []
    for part in request.executions:
        marks = [len(table[0]) for table in tables]
        try:
            _add_part(columns, part)
        except UnfitError as error:
            for table, mark in zip(tables, marks, strict=True):
                for column in table:
                    del column[mark:]
            refused.append(
                dispatch_pb2.Refusal(
                    execution=part.execution,
                    epoch=part.epoch,
                    reason=f"execution {part.execution}: {error}",
                    unfit=True,
                )
            )
    _keep_last(columns.leases, 1)
    _keep_last(columns.executions, 1)
    _keep_last(columns.nodes, 2)
    _keep_last(columns.tasks, 3, joined=_TASK_ADDED)
    _keep_last(columns.elements, 4)
    return columns, refused


def set_parent_task_attempt(columns: Columns, attempt: int) -> None:
    """Say which task execution of its parent launched the node: only Flyte's events know that."""
    columns.nodes[15][:] = [attempt] * len(columns.nodes[15])


def _table(width: int) -> Table:
    return tuple([] for _ in range(width))


def _add_part(columns: Columns, part: dispatch_pb2.ExecutionReport) -> None:
    execution = part.execution
    columns.leases[0].append(execution)
    columns.leases[1].append(part.epoch)
    if part.HasField("record"):
        _add_execution(columns.executions, execution, part.record)
    if part.nodes:
        _add_nodes(columns.nodes, execution, part.nodes)
        columns.awaited.extend(
            (execution, node.node_id, node.parent_node_id)
            for node in part.nodes
            if node.is_awaited and _NODE_ENDED[node.phase]
        )
    if part.tasks:
        _add_tasks(columns.tasks, execution, part.tasks)
    if part.elements:
        _add_elements(columns.elements, execution, part.elements)


def micros(moment: timestamp_pb2.Timestamp, field: str) -> int:
    """A timestamp as microseconds since 1970. UnfitError when it is out of range."""
    seconds, nanos = moment.seconds, moment.nanos
    if not (_FIRST_SECOND <= seconds <= _LAST_SECOND and 0 <= nanos < 1_000_000_000):
        raise UnfitError(f"{field} is not a valid timestamp: {seconds} s, {nanos} ns")
    return seconds * 1_000_000 + nanos // 1000


def _text(value: str, field: str, limit: int = _LONGEST_TEXT) -> str:
    if "\x00" in value:
        raise UnfitError(f"{field} must not contain NUL characters")
    if len(value) > limit:
        raise UnfitError(f"{field} is longer than {limit} characters")
    return value


def _name_of(names: tuple[str, ...], number: int, field: str) -> str:
    if not 0 <= number < len(names):
        raise UnfitError(f"{field} has no value {number}")
    return names[number]


def _error(error: execution_pb2.ExecutionError, field: str) -> tuple[str, str]:
    if error.HasField("timestamp"):
        micros(error.timestamp, f"{field}.timestamp")
    return _name_of(ERROR_KINDS, error.kind, f"{field}.kind"), _text(error.code, f"{field}.code")


def _add_execution(table: Table, execution: int, record: dispatch_pb2.ExecutionRecord) -> None:
    phase = _name_of(EXECUTION_PHASES, record.phase, "record.phase")
    started = micros(record.started_at, "record.started_at") if record.HasField("started_at") else None
    occurred = micros(record.occurred_at, "record.occurred_at") if record.HasField("occurred_at") else None
    kind = code = error = None
    if record.HasField("error"):
        kind, code = _error(record.error, "record.error")
        error = record.error.SerializeToString()
    row = (
        execution,
        phase,
        _EXECUTION_ENDED[record.phase],
        started,
        occurred,
        kind,
        code,
        error,
        _text(record.output_uri, "record.output_uri", 4000) or None,
        record.outputs or None,
        error is not None,
    )
    for column, value in zip(table, row, strict=True):
        column.append(value)


def _add_nodes(table: Table, execution: int, nodes: Any) -> None:
    (
        executions,
        node_ids,
        names,
        ended,
        parents,
        created_ats,
        updated_ats,
        started_ats,
        kinds,
        codes,
        caches,
        input_uris,
        records,
        inputs,
        outputs,
        parent_attempts,
    ) = table
    for index, node in enumerate(nodes):
        node_id, phase, parent = node.node_id, node.phase, node.parent_node_id
        if not node_id or len(node_id) > LONGEST_NODE_ID or "\x00" in node_id:
            raise UnfitError(f"nodes[{index}].node_id must have 1 to {LONGEST_NODE_ID} characters, none of them NUL")
        if not 0 <= phase < len(NODE_PHASES):
            raise UnfitError(f"nodes[{index}].phase has no value {phase}")
        cache, input_uri = node.cache_status, node.input_uri
        if not 0 <= cache < len(CACHE_STATUSES):
            raise UnfitError(f"nodes[{index}].cache_status has no value {cache}")
        if "\x00" in input_uri or "\x00" in parent or len(parent) > LONGEST_NODE_ID:
            raise UnfitError(
                f"nodes[{index}].input_uri and parent_node_id must not contain NUL characters, nor be long"
            )
        updated = micros(node.updated_at, f"nodes[{index}].updated_at")
        created = micros(node.created_at, f"nodes[{index}].created_at") if node.HasField("created_at") else updated
        started = micros(node.started_at, f"nodes[{index}].started_at") if node.HasField("started_at") else None
        kind = code = None
        if node.HasField("error"):
            kind, code = _error(node.error, f"nodes[{index}].error")
        values, results = node.inputs, node.outputs
        if values:
            node.ClearField("inputs")
        if results:
            node.ClearField("outputs")
        executions.append(execution)
        node_ids.append(node_id)
        names.append(NODE_PHASES[phase])
        ended.append(_NODE_ENDED[phase])
        parents.append(parent or None)
        created_ats.append(created)
        updated_ats.append(updated)
        started_ats.append(started)
        kinds.append(kind)
        codes.append(code)
        caches.append(CACHE_STATUSES[cache] if cache or node.HasField("catalog_key") else None)
        input_uris.append(input_uri)
        records.append(node.SerializeToString())
        inputs.append(values or None)
        outputs.append(results or None)
        parent_attempts.append(None)


_TASK_ADDED = 15


def _add_tasks(table: Table, execution: int, tasks: Any) -> None:
    for index, task in enumerate(tasks):
        field = f"tasks[{index}]"
        node_id, phase = task.node_id, task.phase
        if not node_id or len(node_id) > LONGEST_NODE_ID or "\x00" in node_id:
            raise UnfitError(f"{field}.node_id must have 1 to {LONGEST_NODE_ID} characters, none of them NUL")
        if not 0 <= phase < len(TASK_PHASES):
            raise UnfitError(f"{field}.phase has no value {phase}")
        updated = micros(task.updated_at, f"{field}.updated_at")
        created = micros(task.created_at, f"{field}.created_at") if task.HasField("created_at") else updated
        started = micros(task.started_at, f"{field}.started_at") if task.HasField("started_at") else None
        _check_details(task, field)
        added = b""
        if task.logs or task.reasons:
            added = dispatch_pb2.TaskRecord(logs=task.logs, reasons=task.reasons).SerializeToString()
            task.ClearField("logs")
            task.ClearField("reasons")
        results = task.outputs
        if results:
            task.ClearField("outputs")
        id_ = task.task_id
        row = (
            execution,
            node_id,
            task.attempt,
            _text(id_.project, f"{field}.task_id.project"),
            _text(id_.domain, f"{field}.task_id.domain"),
            _text(id_.name, f"{field}.task_id.name"),
            _text(id_.version, f"{field}.task_id.version"),
            TASK_SHOWN[phase],
            task.phase_version,
            _TASK_ENDED[phase],
            created,
            updated,
            started,
            _text(task.input_uri, f"{field}.input_uri", 4000),
            task.SerializeToString(),
            added,
            results or None,
        )
        for column, value in zip(table, row, strict=True):
            column.append(value)


def _check_details(task: dispatch_pb2.TaskRecord, field: str) -> None:
    """Refuse an error that has no kind, and times that no reader could show."""
    if task.HasField("error"):
        _error(task.error, f"{field}.error")
    for index, reason in enumerate(task.reasons):
        if reason.HasField("occurred_at"):
            micros(reason.occurred_at, f"{field}.reasons[{index}].occurred_at")


def _add_elements(table: Table, execution: int, elements: Any) -> None:
    executions, node_ids, indexes, attempts, numbers, ended, records = table
    for index, element in enumerate(elements):
        node_id, phase = element.node_id, element.phase
        if not node_id or len(node_id) > LONGEST_NODE_ID or "\x00" in node_id:
            raise UnfitError(f"elements[{index}].node_id must have 1 to {LONGEST_NODE_ID} characters, none of them NUL")
        if not 0 <= phase < len(TASK_PHASES):
            raise UnfitError(f"elements[{index}].phase has no value {phase}")
        if element.HasField("updated_at"):
            micros(element.updated_at, f"elements[{index}].updated_at")
        if element.HasField("error"):
            _error(element.error, f"elements[{index}].error")
        executions.append(execution)
        node_ids.append(node_id)
        indexes.append(element.index)
        attempts.append(element.attempt)
        numbers.append(phase)
        ended.append(_TASK_ENDED[phase])
        element.ClearField("node_id")
        records.append(element.SerializeToString())


def _keep_last(table: Table, key: int, *, joined: int | None = None) -> None:
    """Leave the last row of each key: an upsert can't touch a row twice. Column `joined` is put together of all."""
    if len(set(zip(*table[:key], strict=True))) == len(table[0]):
        return
    rows: dict[tuple[Any, ...], list[Any]] = {}
    for values in zip(*table, strict=True):
        row = list(values)
        before = rows.pop(tuple(row[:key]), None)
        if before is not None and joined is not None:
            row[joined] = before[joined] + row[joined]
        rows[tuple(row[:key])] = row
    for place, column in enumerate(table):
        column[:] = [row[place] for row in rows.values()]

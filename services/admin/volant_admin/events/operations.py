"""Recording Flyte's events."""

import contextlib
import datetime
from collections.abc import AsyncIterator

from google.protobuf import struct_pb2, text_format, timestamp_pb2

from volant_admin import validation
from volant_admin.dispatch import dispatcher, reports
from volant_admin.dispatch import store as dispatch_store
from volant_admin.events import checks
from volant_admin.executions import operations as executions_operations
from volant_admin.executions import store as executions_store
from volant_admin.node_executions import store as node_store
from volant_admin.task_executions import store as task_store
from volant_core import blobstore, clock, errors, postgres
from volant_core.model import phases
from volantidl.core import execution_pb2, identifier_pb2
from volantidl.dispatch import dispatch_pb2
from volantidl.event import event_pb2

QUERIES = postgres.load_queries(__package__)
_LONGEST_SHOWN = 200  # characters
_Execution = execution_pb2.WorkflowExecution
_Node = execution_pb2.NodeExecution
_Task = execution_pb2.TaskExecution


class Events:
    """Takes events."""

    def __init__(
        self,
        database: postgres.Database,
        blobs: blobstore.BlobStore,
        dispatcher: dispatcher.Dispatcher,
        clock: clock.Clock,
    ) -> None:
        """Keep the dependencies."""
        self._database = database
        self._blobs = blobs
        self._dispatcher = dispatcher
        self._clock = clock

    # Executions

    async def workflow_event(self, event: event_pb2.WorkflowExecutionEvent) -> None:
        """Record a phase of an execution."""
        if not event.HasField("execution_id"):
            raise errors.InvalidArgumentError(
                f"Workflow event handler request event doesn't have an execution id - {_shown(event)}"
            )
        executions_operations.check_id(event.execution_id)
        checks.output_size(event.output_data)
        new = _phase_name(reports.EXECUTION_PHASES, event.phase)
        async with self._locked(event.execution_id) as (connection, row):
            old = row["phase"]
            self._check_change(event, row, old, new)
            record = dispatch_pb2.ExecutionRecord(
                phase=event.phase, occurred_at=_moment(event.occurred_at, self._clock.now())
            )
            if event.phase == _Execution.RUNNING:
                record.started_at.CopyFrom(record.occurred_at)
            match event.WhichOneof("output_result"):
                case "output_uri":
                    record.output_uri = event.output_uri
                case "error":
                    record.error.CopyFrom(event.error)
                case "output_data":
                    record.outputs = event.output_data.SerializeToString()
                case _:
                    pass
            await _write(connection, dispatch_pb2.ExecutionReport(execution=row["id"], record=record))
            if event.phase in {_Execution.UNDEFINED, _Execution.QUEUED} and event.producer_id:
                await connection.execute(QUERIES["set_cluster"], row["id"], event.producer_id)
        if event.phase in phases.TERMINAL_EXECUTION:
            if row["lease_session"] is not None:
                self._dispatcher.ended(row["lease_session"], [row["id"]])
            if row["parent_execution_id"] is not None:
                self._dispatcher.news.child_ended(row["id"])

    @staticmethod
    def _check_change(event: event_pb2.WorkflowExecutionEvent, row: postgres.Record, old: str, new: str) -> None:
        id_ = event.execution_id
        if event.phase != _Execution.QUEUED:
            if old == new:
                raise errors.AlreadyExistsError(
                    f"This phase {new} was already recorded for workflow execution {executions_store.named(id_)}"
                )
            checks.cluster(row["cluster"], event.producer_id, id_)
        if _Execution.Phase.Value(old) in phases.TERMINAL_EXECUTION:
            raise errors.FailedPreconditionError(
                f"Invalid phase change from {old} to {new} for workflow execution {executions_store.named(id_)}",
                executions_operations.already_terminal(old),
            )
        if old == "RUNNING" and new == "QUEUED":
            raise errors.FailedPreconditionError(
                f"Cannot go from {old} to {new} for workflow execution {executions_store.named(id_)}"
            )
        if old == "ABORTING" and event.phase not in phases.TERMINAL_EXECUTION:
            raise errors.FailedPreconditionError(
                f"Invalid phase change from aborting to {new} for workflow execution {executions_store.named(id_)}"
            )

    # Nodes

    async def node_event(self, event: event_pb2.NodeExecutionEvent) -> None:
        """Record a phase of a node."""
        checks.node_id(event.id)
        checks.output_size(event.output_data)
        _phase_name(reports.NODE_PHASES, event.phase)
        dynamic_uri = await self._keep_dynamic(event)
        async with self._locked(event.id.execution_id) as (connection, row):
            checks.cluster(row["cluster"], event.producer_id, event.id.execution_id)
            recorded = await connection.fetch_row(QUERIES["node"], row["id"], event.id.node_id)
            if recorded is not None:
                self._check_node_change(event, recorded)
            record = await self._node_record(connection, event, row["id"], recorded)
            if dynamic_uri:
                record.dynamic_closure_uri = dynamic_uri
            report = dispatch_pb2.ExecutionReport(execution=row["id"], nodes=[record])
            attempt = None
            if event.HasField("parent_task_metadata"):
                attempt = event.parent_task_metadata.id.retry_attempt
            await _write(connection, report, parent_task_attempt=attempt)

    @staticmethod
    def _check_node_change(event: event_pb2.NodeExecutionEvent, recorded: postgres.Record) -> None:
        new = _Node.Phase.Name(event.phase)
        if recorded["phase"] == new:
            raise errors.AlreadyExistsError(f"This phase was already recorded {new} for {node_store.named(event.id)}")
        if recorded["ended"]:
            raise checks.ended(f"node execution {node_store.named(event.id)}", recorded["phase"], new)

    async def _node_record(
        self,
        connection: postgres.Connection,
        event: event_pb2.NodeExecutionEvent,
        execution: int,
        recorded: postgres.Record | None,
    ) -> dispatch_pb2.NodeRecord:
        """What was recorded of the node, with what the event says."""
        record = dispatch_pb2.NodeRecord()
        at = _moment(event.reported_at if event.HasField("reported_at") else event.occurred_at, self._clock.now())
        if recorded is None:
            await self._check_parents(connection, event, execution)
            record.created_at.CopyFrom(_moment(event.occurred_at, self._clock.now()))
            record.parent_node_id = (
                event.parent_node_metadata.node_id or event.parent_task_metadata.id.node_execution_id.node_id
            )
        else:
            record.MergeFromString(recorded["record"])
            record.inputs = recorded["inputs"] or b""
            record.outputs = recorded["outputs"] or b""
        record.node_id = event.id.node_id
        record.phase = event.phase
        record.updated_at.CopyFrom(at)
        record.spec_node_id = event.spec_node_id or record.spec_node_id
        record.node_name = event.node_name or record.node_name
        record.retry_group = event.retry_group or record.retry_group
        for flag in ("is_parent", "is_dynamic", "is_array", "is_eager"):
            if getattr(event, flag):  # never taken back
                setattr(record, flag, True)
        if event.phase == _Node.RUNNING:
            record.started_at.CopyFrom(_moment(event.occurred_at, self._clock.now()))
        if event.deck_uri and (event.phase == _Node.RUNNING or event.phase in phases.TERMINAL_NODE):
            record.deck_uri = event.deck_uri
        _take_values(event, record)
        await self._take_target(connection, event, record)
        return record

    async def _take_target(
        self, connection: postgres.Connection, event: event_pb2.NodeExecutionEvent, record: dispatch_pb2.NodeRecord
    ) -> None:
        if event.HasField("workflow_node_metadata"):
            child = event.workflow_node_metadata.execution_id
            executions_operations.check_id(child)
            query = executions_store.QUERIES["find_execution"]
            if await connection.fetch_row(query, *executions_store.key(child)) is None:
                raise executions_store.missing(child)
            record.child_execution.CopyFrom(child)
        if event.HasField("task_node_metadata"):
            metadata = event.task_node_metadata
            record.checkpoint_uri = metadata.checkpoint_uri or record.checkpoint_uri
            if metadata.HasField("catalog_key"):
                record.cache_status = metadata.cache_status
                record.catalog_key.CopyFrom(metadata.catalog_key)
                record.reservation_status = metadata.reservation_status
            if metadata.HasField("dynamic_workflow"):
                record.dynamic_workflow_id.CopyFrom(metadata.dynamic_workflow.id)
                record.dynamic_job_spec_uri = metadata.dynamic_workflow.dynamic_job_spec_uri

    @staticmethod
    async def _check_parents(
        connection: postgres.Connection, event: event_pb2.NodeExecutionEvent, execution: int
    ) -> None:
        if event.HasField("parent_node_metadata"):
            parent = event.parent_node_metadata.node_id
            if await connection.fetch_row(QUERIES["node"], execution, parent) is None:
                raise node_store.missing(
                    identifier_pb2.NodeExecutionIdentifier(node_id=parent, execution_id=event.id.execution_id)
                )
        if event.HasField("parent_task_metadata"):
            task = event.parent_task_metadata.id
            node = task.node_execution_id.node_id
            if await connection.fetch_row(QUERIES["task"], execution, node, task.retry_attempt) is None:
                raise errors.NotFoundError(f"missing entity of type task execution: node {node} has no such attempt")

    async def _keep_dynamic(self, event: event_pb2.NodeExecutionEvent) -> str:
        """Store the graph that a dynamic node made; where."""
        if not event.task_node_metadata.HasField("dynamic_workflow"):
            return ""
        dynamic = event.task_node_metadata.dynamic_workflow
        if not dynamic.compiled_workflow.primary.HasField("template"):
            raise validation.missing("primary dynamic workflow template")
        id_, execution = dynamic.id, event.id.execution_id
        validation.identifier(id_, identifier_pb2.WORKFLOW)
        name = f"{id_.project}_{id_.domain}_{id_.name}_{id_.version}"
        await executions_store.number_of(self._database, execution)
        uri = self._blobs.join(
            "metadata", "admin", execution.project, execution.domain, execution.name, event.id.node_id, name
        )
        await self._blobs.put(uri, dynamic.compiled_workflow.SerializeToString())
        return uri

    # Tasks

    async def task_event(self, event: event_pb2.TaskExecutionEvent) -> None:
        """Record a phase of an attempt of a task."""
        if not event.HasField("occurred_at"):
            raise validation.missing("occurred_at")
        checks.output_size(event.output_data)
        if not event.HasField("task_id"):
            raise validation.missing("task_id")
        if not event.HasField("parent_node_execution_id"):
            raise validation.missing("node_execution_id")
        node = event.parent_node_execution_id
        task_store.check_id(
            identifier_pb2.TaskExecutionIdentifier(
                task_id=event.task_id, node_execution_id=node, retry_attempt=event.retry_attempt
            )
        )
        validation.called_as(event.task_id, identifier_pb2.TASK)
        _phase_name(reports.TASK_PHASES, event.phase)
        async with self._locked(node.execution_id) as (connection, row):
            checks.cluster(row["cluster"], event.producer_id, node.execution_id)
            if await connection.fetch_row(QUERIES["node"], row["id"], node.node_id) is None:
                raise node_store.missing(node)
            recorded = await connection.fetch_row(QUERIES["task"], row["id"], node.node_id, event.retry_attempt)
            if recorded is not None:
                self._check_task_change(event, recorded)
            await _write(
                connection,
                dispatch_pb2.ExecutionReport(execution=row["id"], tasks=[_task_record(event, recorded)]),
            )

    @staticmethod
    def _check_task_change(event: event_pb2.TaskExecutionEvent, recorded: postgres.Record) -> None:
        new = reports.TASK_SHOWN[event.phase]
        attempt = task_store.named(
            identifier_pb2.TaskExecutionIdentifier(
                task_id=event.task_id,
                node_execution_id=event.parent_node_execution_id,
                retry_attempt=event.retry_attempt,
            )
        )
        if recorded["phase"] == new and recorded["phase_version"] >= event.phase_version:
            raise errors.AlreadyExistsError(
                f"have already recorded task execution phase {new} (version: {event.phase_version}) for {attempt}"
            )
        if recorded["ended"]:
            raise checks.ended(f"task execution {attempt}", recorded["phase"], new)

    @contextlib.asynccontextmanager
    async def _locked(
        self, id_: identifier_pb2.WorkflowExecutionIdentifier
    ) -> AsyncIterator[tuple[postgres.Connection, postgres.Record]]:
        async with self._database.transaction() as connection:
            row = await connection.fetch_row(QUERIES["lock_execution"], *executions_store.key(id_))
            if row is None:
                raise executions_store.missing(id_)
            yield connection, row


async def _write(
    connection: postgres.Connection, report: dispatch_pb2.ExecutionReport, *, parent_task_attempt: int | None = None
) -> None:
    """Write a report on an execution that the caller has locked, whoever leases it."""
    columns, refused = reports.columns_of(dispatch_pb2.ReportRequest(executions=[report]))
    if refused:
        raise errors.InvalidArgumentError(refused[0].reason)
    if parent_task_attempt is not None:
        reports.set_parent_task_attempt(columns, parent_task_attempt)
    await dispatch_store.record(connection, None, columns)


def _shown(event: event_pb2.WorkflowExecutionEvent) -> str:
    return text_format.MessageToString(event, as_one_line=True)[:_LONGEST_SHOWN]


def _phase_name(names: tuple[str, ...], number: int) -> str:
    if not 0 <= number < len(names):
        raise errors.InvalidArgumentError(f"invalid value for phase: {number}")
    return names[number]


def _moment(given: timestamp_pb2.Timestamp, now: datetime.datetime) -> timestamp_pb2.Timestamp:
    """The event's time, or the present where it has none."""
    if given.seconds or given.nanos:
        return given
    moment = timestamp_pb2.Timestamp()
    moment.FromDatetime(now)
    return moment


def _take_values(event: event_pb2.NodeExecutionEvent, record: dispatch_pb2.NodeRecord) -> None:
    if event.HasField("input_data"):
        record.inputs = event.input_data.SerializeToString()
    record.input_uri = event.input_uri or record.input_uri
    match event.WhichOneof("output_result"):
        case "output_uri":
            record.output_uri = event.output_uri
        case "error":
            record.error.CopyFrom(event.error)
        case "output_data":
            record.outputs = event.output_data.SerializeToString()
        case _:
            pass


def _task_record(event: event_pb2.TaskExecutionEvent, recorded: postgres.Record | None) -> dispatch_pb2.TaskRecord:
    """What was recorded of the attempt, with what the event says."""
    record = dispatch_pb2.TaskRecord.FromString(recorded["record"] if recorded else b"")
    if recorded is None:
        record.created_at.CopyFrom(event.occurred_at)
    record.node_id = event.parent_node_execution_id.node_id
    record.attempt = event.retry_attempt
    record.task_id.CopyFrom(event.task_id)
    record.phase = event.phase
    record.phase_version = event.phase_version
    record.task_type = event.task_type or record.task_type
    record.updated_at.CopyFrom(event.reported_at if event.HasField("reported_at") else event.occurred_at)
    if event.phase == _Task.RUNNING and not record.HasField("started_at"):
        record.started_at.CopyFrom(event.occurred_at)
    record.input_uri = event.input_uri or record.input_uri
    match event.WhichOneof("output_result"):
        case "output_uri":
            record.output_uri = event.output_uri
        case "error":
            record.error.CopyFrom(event.error)
        case "output_data":
            record.outputs = event.output_data.SerializeToString()
        case _:
            pass
    record.logs.extend(event.logs)
    record.reasons.extend(event.reasons)
    if event.reason and not event.reasons:
        record.reasons.add(reason=event.reason, occurred_at=event.occurred_at)
    _merge_custom_info(event, record)
    if event.HasField("metadata"):
        resources = {(one.index, one.retry_attempt): one for one in record.metadata.external_resources}
        resources |= {(one.index, one.retry_attempt): one for one in event.metadata.external_resources}
        merged = [resources[key] for key in sorted(resources)]
        record.metadata.CopyFrom(event.metadata)
        record.metadata.ClearField("external_resources")
        record.metadata.external_resources.extend(merged)
    return record


def _merge_custom_info(event: event_pb2.TaskExecutionEvent, record: dispatch_pb2.TaskRecord) -> None:
    if event.HasField("custom_info"):
        _patch(record.custom_info, event.custom_info)


def _patch(target: struct_pb2.Struct, patch: struct_pb2.Struct) -> None:
    """As a JSON merge patch: what is null is taken away, objects are merged, all else is replaced."""
    for key, value in patch.fields.items():
        kind = value.WhichOneof("kind")
        if kind == "null_value":
            target.fields.pop(key, None)
        elif kind == "struct_value":
            if target.fields[key].WhichOneof("kind") != "struct_value":
                target.fields[key].struct_value.Clear()
                target.fields[key].struct_value.SetInParent()
            _patch(target.fields[key].struct_value, value.struct_value)
        else:
            target.fields[key].CopyFrom(value)

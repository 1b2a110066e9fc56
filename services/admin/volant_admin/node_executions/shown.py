"""From a row to what clients are shown of a node."""

from volant_admin.executions import shown as executions_shown
from volant_admin.executions import times
from volant_core import postgres
from volantidl.admin import common_pb2, node_execution_pb2
from volantidl.core import identifier_pb2, literals_pb2
from volantidl.dispatch import dispatch_pb2


def node_of(id_: identifier_pb2.WorkflowExecutionIdentifier, row: postgres.Record) -> node_execution_pb2.NodeExecution:
    """One node execution."""
    record = dispatch_pb2.NodeRecord.FromString(row["record"])
    closure = node_execution_pb2.NodeExecutionClosure(
        phase=record.phase,
        updated_at=record.updated_at,
        deck_uri=record.deck_uri,
        dynamic_job_spec_uri=record.dynamic_job_spec_uri,
    )
    if record.HasField("created_at"):
        closure.created_at.CopyFrom(record.created_at)
    else:
        closure.created_at.CopyFrom(times.stamp(row["node_execution_created_at"]))
    if record.HasField("started_at"):
        closure.started_at.CopyFrom(record.started_at)
    if row["duration"] is not None:
        closure.duration.CopyFrom(times.span(row["duration"]))
    if record.HasField("error"):
        if not record.deck_uri:  # as Flyte has it, a node with a deck leaves it to its attempt to say why it failed
            closure.error.CopyFrom(record.error)
    elif record.output_uri:
        closure.output_uri = record.output_uri
    elif row["outputs"] is not None:
        closure.output_data.CopyFrom(literals_pb2.LiteralMap.FromString(row["outputs"]))
    _set_target(closure, record)
    return node_execution_pb2.NodeExecution(
        id=identifier_pb2.NodeExecutionIdentifier(node_id=row["node_id"], execution_id=id_),
        input_uri=record.input_uri,
        closure=closure,
        metadata=node_execution_pb2.NodeExecutionMetaData(
            retry_group=record.retry_group,
            is_parent_node=record.is_parent,
            spec_node_id=record.spec_node_id,
            is_dynamic=record.is_dynamic,
            is_array=record.is_array,
        ),
    )


def _set_target(closure: node_execution_pb2.NodeExecutionClosure, record: dispatch_pb2.NodeRecord) -> None:
    if record.HasField("child_execution"):
        closure.workflow_node_metadata.executionId.CopyFrom(record.child_execution)
    elif record.HasField("catalog_key") or record.checkpoint_uri or record.cache_status:
        closure.task_node_metadata.cache_status = record.cache_status
        closure.task_node_metadata.checkpoint_uri = record.checkpoint_uri
        if record.HasField("catalog_key"):
            closure.task_node_metadata.catalog_key.CopyFrom(record.catalog_key)


def listed(
    id_: identifier_pb2.WorkflowExecutionIdentifier, row: postgres.Record, *, is_parent: bool = False
) -> node_execution_pb2.NodeExecution:
    """A node as lists show it: with the beginning of its error's message, and as a parent when it has children."""
    node = node_of(id_, row)
    if is_parent:
        node.metadata.is_parent_node = True
    if node.closure.HasField("error"):
        executions_shown.trim_error(node.closure.error)
    return node


def urls(
    id_: identifier_pb2.NodeExecutionIdentifier, *, attempt: int | None = None, deck: bool
) -> common_pb2.FlyteURLs:
    """The flyte:// addresses of what a node (or one attempt of its task) read and wrote."""
    execution = id_.execution_id
    base = f"flyte://v1/{execution.project}/{execution.domain}/{execution.name}/{id_.node_id}"
    if attempt is not None:
        base = f"{base}/{attempt}"
    return common_pb2.FlyteURLs(inputs=f"{base}/i", outputs=f"{base}/o", deck=f"{base}/d" if deck else "")

"""The message that hands an execution to an engine."""

import datetime

from google.protobuf import timestamp_pb2

from volant_admin.dispatch import store
from volant_core import postgres
from volantidl.admin import execution_pb2
from volantidl.core import identifier_pb2
from volantidl.dispatch import dispatch_pb2


def assignment(
    *,
    id_: identifier_pb2.WorkflowExecutionIdentifier,
    execution: int,
    epoch: int,
    workflow_id: identifier_pb2.Identifier,
    closure_uri: str,
    spec: execution_pb2.ExecutionSpec,
    inputs: bytes | None,
    inputs_uri: str | None,
    created_at: datetime.datetime,
    resumed: bool,
) -> dispatch_pb2.Assignment:
    """An execution to drive. The inputs are given inline or by their URI."""
    created = timestamp_pb2.Timestamp()
    created.FromDatetime(created_at)
    metadata = spec.metadata
    recovers = metadata.mode == execution_pb2.ExecutionMetadata.RECOVERED and metadata.HasField("reference_execution")
    return dispatch_pb2.Assignment(
        id=id_,
        execution=execution,
        epoch=epoch,
        workflow_id=workflow_id,
        closure_uri=closure_uri,
        spec=spec,
        inputs=inputs or b"",
        inputs_uri=inputs_uri or "",
        created_at=created,
        resumed=resumed,
        recover_from=metadata.reference_execution if recovers else None,
    )


def of_row(row: postgres.Record, *, again: bool = False) -> dispatch_pb2.Assignment:
    """The assignment of a leased row; with `again`, of one that the session has been given before."""
    message = assignment(
        id_=store.execution_id(row),
        execution=row["id"],
        epoch=row["lease_epoch"],
        workflow_id=identifier_pb2.Identifier.FromString(row["workflow"]),
        closure_uri=row["closure_uri"],
        spec=execution_pb2.ExecutionSpec.FromString(row["effective_spec"]),
        inputs=row["inputs"],
        inputs_uri=row["inputs_uri"],
        created_at=row["execution_created_at"],
        resumed=again or row["lease_epoch"] > 1,
    )
    if row["phase"] == "ABORTING":
        message.abort.CopyFrom(store.abort_of(row))
    return message

"""Flyte's rules on events that all three kinds share."""

from volant_admin import validation
from volant_admin.executions import operations as executions_operations
from volant_admin.executions import store as executions_store
from volant_core import errors
from volantidl.admin import event_pb2
from volantidl.core import identifier_pb2, literals_pb2

LARGEST_OUTPUT = 2 * 2**20  # bytes
_DEFAULT_PRODUCER = "propeller"


def output_size(output: literals_pb2.LiteralMap) -> None:
    """Refuse outputs that are too large to be kept in a row."""
    size = output.ByteSize()
    if size > LARGEST_OUTPUT:
        raise errors.ResourceExhaustedError(
            f"Output data size exceeds platform configured threshold ({size} > {LARGEST_OUTPUT})"
        )


def cluster(recorded: str, producer: str, id_: identifier_pb2.WorkflowExecutionIdentifier) -> None:
    """Refuse events from another cluster than the one that runs the execution. As in Flyte, the detail names theirs."""
    if producer in {"", _DEFAULT_PRODUCER} or producer == recorded:
        return
    raise errors.FailedPreconditionError(
        f"Cluster/producer from event [{producer}] does not match existing workflow execution cluster: [{recorded}]"
        f" of {executions_store.named(id_)}",
        event_pb2.EventFailureReason(incompatible_cluster=event_pb2.EventErrorIncompatibleCluster(cluster=producer)),
    )


def node_id(id_: identifier_pb2.NodeExecutionIdentifier) -> None:
    """Refuse a node's identifier with an empty field."""
    if not id_.HasField("execution_id"):
        raise validation.missing("execution_id")
    validation.require(id_.node_id, "node_id")
    executions_operations.check_id(id_.execution_id)


def ended(what: str, old: str, new: str) -> errors.FailedPreconditionError:
    """The refusal of what comes after the end of a node or an attempt. As Flyte's, it names the event's phase."""
    return errors.FailedPreconditionError(
        f"Invalid phase change from {old} to {new} for {what}", executions_operations.already_terminal(new)
    )

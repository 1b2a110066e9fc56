"""Node executions in PostgreSQL."""

from volant_admin import listing
from volant_admin.executions import store as executions_store
from volant_admin.node_executions import shown
from volant_core import errors, postgres
from volantidl.admin import node_execution_pb2
from volantidl.core import identifier_pb2

QUERIES = postgres.load_queries(__package__)
_TIME = listing.Kind.TIMESTAMP


def execution_part(alias: str) -> dict[str, listing.Column]:
    """The names of the execution that a row belongs to."""
    return {
        name: listing.Column(
            f"(SELECT x.{name} FROM admin.executions x WHERE x.id = {alias}.execution_id)"  # noqa: S608 - constants
        )
        for name in ("execution_project", "execution_domain", "execution_name")
    }


def node_columns(alias: str) -> dict[str, listing.Column]:
    """What a node execution can be filtered and sorted by."""
    return {
        **execution_part(alias),
        "node_id": listing.Column(f"{alias}.node_id"),
        "phase": listing.Column(f"{alias}.phase"),
        "input_uri": listing.Column(f"{alias}.input_uri"),
        "parent_id": listing.Column(f"{alias}.parent_node_id"),
        "created_at": listing.Column(f"{alias}.node_execution_created_at", _TIME),
        "updated_at": listing.Column(f"{alias}.node_execution_updated_at", _TIME),
        "node_execution_created_at": listing.Column(f"{alias}.node_execution_created_at", _TIME),
        "node_execution_updated_at": listing.Column(f"{alias}.node_execution_updated_at", _TIME),
        "started_at": listing.Column(f"{alias}.started_at", _TIME),
        "duration": listing.Column(f"{alias}.duration", listing.Kind.DURATION),
        "error_kind": listing.Column(f"{alias}.error_kind"),
        "error_code": listing.Column(f"{alias}.error_code"),
        "cache_status": listing.Column(f"{alias}.cache_status"),
    }


LISTING = listing.Listing(
    entity="node_execution",
    order="n.node_id",
    # Nodes that came at the same instant: as they follow one another in a graph, n10 after n9.
    ties=("n.node_id <> 'start-node'", "n.node_id = 'end-node'", "length(n.node_id)"),
    columns=node_columns("n"),
    joins={
        "execution": listing.Join(
            executions_store.execution_columns("y"),
            "EXISTS (SELECT FROM admin.executions y WHERE y.id = n.execution_id AND {conditions})",
        )
    },
)


def missing(id_: identifier_pb2.NodeExecutionIdentifier) -> errors.NotFoundError:
    """The error for a node execution that does not exist."""
    return errors.NotFoundError(f"missing entity of type node execution with identifier {named(id_)}")


def named(id_: identifier_pb2.NodeExecutionIdentifier) -> str:
    """A node in texts."""
    return f'node_id:"{id_.node_id}" execution_id:{{{executions_store.named(id_.execution_id)}}}'


async def row_of(database: postgres.Database, id_: identifier_pb2.NodeExecutionIdentifier) -> postgres.Record:
    """One node. NotFoundError when it does not exist."""
    row = await database.fetch_row(QUERIES["get_node"], *executions_store.key(id_.execution_id), id_.node_id)
    if row is None:
        raise missing(id_)
    return row


async def list_page(
    database: postgres.Database, request: node_execution_pb2.NodeExecutionListRequest
) -> node_execution_pb2.NodeExecutionList:
    """A page of the nodes at the top, or of those under `unique_parent_id`."""
    id_ = request.workflow_execution_id
    parent = request.unique_parent_id
    statement = LISTING.statement(
        QUERIES["list_children" if parent else "list_top"],
        [*executions_store.key(id_), *([parent] if parent else [])],
        method="ListNodeExecutions",
        limit=request.limit,
        token=request.token,
        filters=request.filters,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
    )
    rows = await database.fetch(statement.sql, *statement.arguments)
    if parent and not rows:
        await row_of(database, identifier_pb2.NodeExecutionIdentifier(node_id=parent, execution_id=id_))
    return node_execution_pb2.NodeExecutionList(
        node_executions=[shown.listed(id_, row, is_parent=row["has_children"]) for row in rows],
        token=statement.next_token(len(rows)),
    )


async def list_of_task(
    database: postgres.Database, request: node_execution_pb2.NodeExecutionForTaskListRequest
) -> node_execution_pb2.NodeExecutionList:
    """A page of the nodes that a task execution launched."""
    node = request.task_execution_id.node_execution_id
    statement = LISTING.statement(
        QUERIES["list_of_task"],
        [*executions_store.key(node.execution_id), node.node_id, request.task_execution_id.retry_attempt],
        method="ListNodeExecutionsForTask",
        limit=request.limit,
        token=request.token,
        filters=request.filters,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
    )
    rows = await database.fetch(statement.sql, *statement.arguments)
    return node_execution_pb2.NodeExecutionList(
        node_executions=[shown.listed(node.execution_id, row) for row in rows],
        token=statement.next_token(len(rows)),
    )

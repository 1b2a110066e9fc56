"""Task executions in PostgreSQL."""

from volant_admin import listing, validation
from volant_admin.executions import store as executions_store
from volant_admin.executions.settings import ExecutionSettings
from volant_admin.node_executions import store as node_store
from volant_admin.task_executions import shown
from volant_core import errors, postgres
from volantidl.admin import task_execution_pb2
from volantidl.core import identifier_pb2
from volantidl.event import event_pb2

QUERIES = postgres.load_queries(__package__)
_INTEGER, _TIME = listing.Kind.INTEGER, listing.Kind.TIMESTAMP

LISTING = listing.Listing(
    entity="task_execution",
    order="t.retry_attempt",
    columns={
        **node_store.execution_part("t"),
        "node_id": listing.Column("t.node_id"),
        "retry_attempt": listing.Column("t.retry_attempt", _INTEGER),
        "project": listing.Column("t.project"),
        "domain": listing.Column("t.domain"),
        "name": listing.Column("t.name"),
        "version": listing.Column("t.version"),
        "phase": listing.Column("t.phase"),
        "phase_version": listing.Column("t.phase_version", _INTEGER),
        "input_uri": listing.Column("t.input_uri"),
        "created_at": listing.Column("t.task_execution_created_at", _TIME),
        "updated_at": listing.Column("t.task_execution_updated_at", _TIME),
        "task_execution_created_at": listing.Column("t.task_execution_created_at", _TIME),
        "task_execution_updated_at": listing.Column("t.task_execution_updated_at", _TIME),
        "started_at": listing.Column("t.started_at", _TIME),
        "duration": listing.Column("t.duration", listing.Kind.DURATION),
    },
    joins={
        "execution": listing.Join(
            node_store.LISTING.joins["execution"].columns,
            "EXISTS (SELECT FROM admin.executions y WHERE y.id = t.execution_id AND {conditions})",
        ),
        "node_execution": listing.Join(
            node_store.node_columns("m"),
            "EXISTS (SELECT FROM admin.node_executions m WHERE m.execution_id = t.execution_id"
            " AND m.node_id = t.node_id AND {conditions})",
        ),
        "task": listing.Join(
            {**executions_store.entity_columns("k"), "type": listing.Column("k.type")},
            "EXISTS (SELECT FROM admin.tasks k WHERE k.project = t.project AND k.domain = t.domain"
            " AND k.name = t.name AND k.version = t.version AND {conditions})",
        ),
    },
)


def check_id(id_: identifier_pb2.TaskExecutionIdentifier) -> None:
    """Refuse an identifier that is not there, or has an empty field."""
    if not id_.ByteSize():
        raise validation.missing("id")
    if not id_.HasField("node_execution_id"):
        raise validation.missing("node_execution_id")
    check_node(id_.node_execution_id)
    if not id_.HasField("task_id"):
        raise validation.missing("task_id")
    # What kind of entity it is goes without saying.
    validation.identifier_fields(id_.task_id)


def check_node(id_: identifier_pb2.NodeExecutionIdentifier) -> None:
    """Refuse a node's identifier with an empty field."""
    if not id_.HasField("execution_id"):
        raise validation.missing("execution_id")
    for name, value in (
        ("node_id", id_.node_id),
        ("project", id_.execution_id.project),
        ("domain", id_.execution_id.domain),
        ("name", id_.execution_id.name),
    ):
        validation.require(value, name)


async def row_of(database: postgres.Database, id_: identifier_pb2.TaskExecutionIdentifier) -> postgres.Record:
    """One attempt. NotFoundError when it does not exist."""
    node, task = id_.node_execution_id, id_.task_id
    row = await database.fetch_row(
        QUERIES["get_task_execution"],
        *executions_store.key(node.execution_id),
        node.node_id,
        id_.retry_attempt,
        task.project,
        task.domain,
        task.name,
        task.version,
    )
    if row is None:
        raise errors.NotFoundError(f"missing entity of type task execution with identifier {named(id_)}")
    return row


def named(id_: identifier_pb2.TaskExecutionIdentifier) -> str:
    """An attempt in texts."""
    task, node = validation.key_line(id_.task_id), node_store.named(id_.node_execution_id)
    return f"task_id:{{{task}}} node_execution_id:{{{node}}} retry_attempt:{id_.retry_attempt}"


async def list_page(
    database: postgres.Database,
    request: task_execution_pb2.TaskExecutionListRequest,
    settings: ExecutionSettings,
) -> task_execution_pb2.TaskExecutionList:
    """A page of the attempts of a node's task."""
    id_ = request.node_execution_id
    statement = LISTING.statement(
        QUERIES["list_task_executions"],
        [*executions_store.key(id_.execution_id), id_.node_id],
        method="ListTaskExecutions",
        limit=request.limit,
        token=request.token,
        filters=request.filters,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
    )
    rows = await database.fetch(statement.sql, *statement.arguments)
    found = [shown.task_execution_of(id_, row) for row in rows]
    if found:
        resources = await elements(database, rows[0], settings)
        for attempt in found if resources else ():
            attempt.closure.metadata.external_resources.extend(resources)
    return task_execution_pb2.TaskExecutionList(task_executions=found, token=statement.next_token(len(rows)))


async def elements(
    database: postgres.Database, row: postgres.Record, settings: ExecutionSettings
) -> list[event_pb2.ExternalResourceInfo]:
    """The elements of the map task that a row is of; none for other tasks."""
    rows = await database.fetch(QUERIES["shown_elements"], row["execution_id"], row["node_id"], settings.elements_shown)
    return shown.external_resources((row["record"] for row in rows), settings.elements_bytes)

"""Executions in PostgreSQL."""

import dataclasses
import datetime
from collections.abc import Sequence

from volant_admin import listing
from volant_admin.executions import shown
from volant_core import errors, postgres
from volantidl.admin import common_pb2, execution_pb2
from volantidl.core import identifier_pb2

QUERIES = postgres.load_queries(__package__)
_TEXT, _INTEGER, _TIME = listing.Kind.TEXT, listing.Kind.INTEGER, listing.Kind.TIMESTAMP


def entity_columns(alias: str) -> dict[str, listing.Column]:
    """What executions can be filtered by of a registered entity."""
    return {
        "id": listing.Column(f"{alias}.id", _INTEGER),
        "project": listing.Column(f"{alias}.project"),
        "domain": listing.Column(f"{alias}.domain"),
        "name": listing.Column(f"{alias}.name"),
        "version": listing.Column(f"{alias}.version"),
        "created_at": listing.Column(f"{alias}.created_at", _TIME),
    }


def execution_columns(alias: str) -> dict[str, listing.Column]:
    """What an execution can be filtered and sorted by."""
    return {
        "id": listing.Column(f"{alias}.id", _INTEGER),
        "execution_project": listing.Column(f"{alias}.execution_project"),
        "execution_domain": listing.Column(f"{alias}.execution_domain"),
        "execution_name": listing.Column(f"{alias}.execution_name"),
        "created_at": listing.Column(f"{alias}.execution_created_at", _TIME),
        "updated_at": listing.Column(f"{alias}.execution_updated_at", _TIME),
        "deleted_at": listing.Column("NULL::timestamptz", _TIME),
        "execution_created_at": listing.Column(f"{alias}.execution_created_at", _TIME),
        "execution_updated_at": listing.Column(f"{alias}.execution_updated_at", _TIME),
        "started_at": listing.Column(f"{alias}.started_at", _TIME),
        "duration": listing.Column(f"{alias}.duration", listing.Kind.DURATION),
        "phase": listing.Column(f"{alias}.phase"),
        "mode": listing.Column(f"{alias}.mode", _INTEGER, dict(execution_pb2.ExecutionMetadata.ExecutionMode.items())),
        "launch_plan_id": listing.Column(f"{alias}.launch_plan_id", _INTEGER),
        "workflow_id": listing.Column(f"{alias}.workflow_id", _INTEGER),
        "task_id": listing.Column(f"{alias}.task_id", _INTEGER),
        "source_execution_id": listing.Column(f"{alias}.source_execution_id", _INTEGER),
        # Nodes have no numbers here: the parent's execution has, and 0 still means none.
        "parent_node_execution_id": listing.Column(f"coalesce({alias}.parent_execution_id, 0)", _INTEGER),
        "cluster": listing.Column(f"{alias}.cluster"),
        "abort_cause": listing.Column(f"coalesce({alias}.abort_cause, '')"),
        "inputs_uri": listing.Column(f"coalesce({alias}.inputs_uri, '')"),
        "user_inputs_uri": listing.Column(f"coalesce({alias}.user_inputs_uri, '')"),
        "error_kind": listing.Column(f"{alias}.error_kind"),
        "error_code": listing.Column(f"{alias}.error_code"),
        "user": listing.Column(f'{alias}."user"'),
        "state": listing.Column(f"{alias}.state", _INTEGER, dict(execution_pb2.ExecutionState.items())),
        "launch_entity": listing.Column(f"{alias}.launch_entity"),
    }


_TAGGED = "EXISTS (SELECT FROM admin.execution_tags g WHERE g.execution_id = e.id AND {conditions})"

LISTING = listing.Listing(
    entity="execution",
    order="e.id",
    columns=execution_columns("e"),
    joins={
        "launch_plan": listing.Join(
            {
                **entity_columns("l"),
                "state": listing.Column("l.state", _INTEGER),
                "schedule_type": listing.Column("l.schedule_type"),
            },
            "EXISTS (SELECT FROM admin.launch_plans l WHERE l.id = e.launch_plan_id AND {conditions})",
        ),
        "workflow": listing.Join(
            entity_columns("w"), "EXISTS (SELECT FROM admin.workflows w WHERE w.id = e.workflow_id AND {conditions})"
        ),
        "task": listing.Join(
            {**entity_columns("k"), "type": listing.Column("k.type")},
            "EXISTS (SELECT FROM admin.tasks k WHERE k.id = e.task_id AND {conditions})",
        ),
        "admin_tag": listing.Join({"name": listing.Column("g.key")}, _TAGGED),
        "execution_tag": listing.Join({"key": listing.Column("g.key"), "value": listing.Column("g.value")}, _TAGGED),
    },
)


@dataclasses.dataclass(frozen=True, slots=True)
class NewExecution:
    """A row to insert: the parameters of the statement, in its order."""

    project: str
    domain: str
    name: str
    created_at: datetime.datetime
    mode: int
    launch_plan: int
    workflow: int
    task: int
    launch_entity: str
    source_execution: int
    parent_execution: int | None
    parent_node: str | None
    user: str
    inputs_uri: str | None
    inputs: bytes | None
    user_inputs_uri: str | None
    user_inputs: bytes | None
    head: bytes
    effective_spec: bytes
    closure_uri: str
    workflow_id: bytes
    session: str | None
    tag_keys: Sequence[str]
    tag_values: Sequence[str]


_FIELDS = tuple(field.name for field in dataclasses.fields(NewExecution))


async def insert(database: postgres.Database, new: NewExecution) -> tuple[int, bool]:
    """Insert an execution: its number, and whether it is leased. UniqueViolationError when the name is taken."""
    row = await database.fetch_row(QUERIES["insert_execution"], *(getattr(new, name) for name in _FIELDS))
    assert row is not None
    return row[0], row[1] is not None


def key(id_: identifier_pb2.WorkflowExecutionIdentifier) -> tuple[str, str, str]:
    """The identifier as parameters."""
    return id_.project, id_.domain, id_.name


def missing(id_: identifier_pb2.WorkflowExecutionIdentifier) -> errors.NotFoundError:
    """The error for an execution that does not exist."""
    return errors.NotFoundError(f"missing entity of type execution with identifier {named(id_)}")


def named(id_: identifier_pb2.WorkflowExecutionIdentifier) -> str:
    """An execution in texts."""
    return f'project:"{id_.project}" domain:"{id_.domain}" name:"{id_.name}"'


async def row_of(
    database: postgres.Database, query: str, id_: identifier_pb2.WorkflowExecutionIdentifier
) -> postgres.Record:
    """What a query says of one execution. NotFoundError when it does not exist."""
    row = await database.fetch_row(QUERIES[query], id_.project, id_.domain, id_.name)
    if row is None:
        raise missing(id_)
    return row


async def number_of(database: postgres.Database, id_: identifier_pb2.WorkflowExecutionIdentifier) -> int:
    """An execution's number. NotFoundError when it does not exist."""
    return int((await row_of(database, "find_execution", id_))[0])


async def list_page(
    database: postgres.Database, request: common_pb2.ResourceListRequest
) -> execution_pb2.ExecutionList:
    """A page of executions: those that are archived only when the state is asked for."""
    statement = LISTING.statement(
        QUERIES["list_executions"],
        [request.id.project, request.id.domain, request.id.name],
        method="ListExecutions",
        limit=request.limit,
        token=request.token,
        filters=request.filters,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
        unless_filtered={"state": "e.state = 0"},
    )
    rows = await database.fetch(statement.sql, *statement.arguments)
    return execution_pb2.ExecutionList(
        executions=[shown.listed(row) for row in rows], token=statement.next_token(len(rows))
    )


async def abort(
    database: postgres.Database,
    id_: identifier_pb2.WorkflowExecutionIdentifier,
    cause: str,
    principal: str,
    now: datetime.datetime,
) -> int | None:
    """Note that a user wants it ended: its number, None when it has ended already."""
    number: int | None = await database.fetch_value(QUERIES["abort_execution"], *key(id_), cause, principal, now)
    return number

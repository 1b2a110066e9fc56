"""Tasks in PostgreSQL."""

import datetime
from collections.abc import Sequence

from volant_admin import listing, validation
from volant_admin.description_entities import store as descriptions
from volant_admin.executions import times
from volant_core import postgres
from volantidl.admin import common_pb2, task_pb2
from volantidl.core import compiler_pb2, identifier_pb2

QUERIES = postgres.load_queries(__package__)

LISTING = listing.Listing(
    entity="task",
    order="t.id",
    columns=listing.registered("t")
    | {
        "type": listing.Column("t.type"),
        "short_description": listing.Column("t.short_description"),
        "digest": listing.Column("t.digest", listing.Kind.BYTES),
        "closure": listing.Column("t.closure", listing.Kind.BYTES),
    },
)


async def insert(
    database: postgres.Database,
    compiled: compiler_pb2.CompiledTask,
    digest: bytes,
    described: descriptions.Described,
    now: datetime.datetime,
) -> bool:
    """Add a task; False when that version is there already."""
    row = await database.fetch_row(
        QUERIES["insert_task"],
        *validation.key_of(compiled.template.id),
        compiled.SerializeToString(deterministic=True),
        digest,
        compiled.template.type,
        described.short,
        now,
        described.given,
        described.long,
        described.link,
    )
    return row is not None


async def get(database: postgres.Database, id_: identifier_pb2.Identifier) -> task_pb2.Task | None:
    """One task."""
    row = await database.fetch_row(QUERIES["get_task"], *validation.key_of(id_))
    return _task(row) if row else None


async def get_compiled(
    database: postgres.Database, ids: Sequence[identifier_pb2.Identifier]
) -> list[compiler_pb2.CompiledTask]:
    """Those of the tasks that exist."""
    if not ids:
        return []
    columns = [list(column) for column in zip(*map(validation.key_of, ids), strict=True)]
    rows = await database.fetch(QUERIES["get_tasks"], *columns)
    return [compiler_pb2.CompiledTask.FromString(row["closure"]) for row in rows]


async def list_page(
    database: postgres.Database, request: common_pb2.ResourceListRequest
) -> tuple[list[task_pb2.Task], str]:
    """A page of tasks and the next token."""
    statement = LISTING.statement(
        QUERIES["list_tasks"],
        [request.id.project, request.id.domain],
        equal={"name": request.id.name},
        method="ListTasks",
        limit=request.limit,
        token=request.token,
        filters=request.filters,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
    )
    rows = await database.fetch(statement.sql, *statement.arguments)
    return [_task(row) for row in rows], statement.next_token(len(rows))


def _task(row: postgres.Record) -> task_pb2.Task:
    return task_pb2.Task(
        id=identifier_pb2.Identifier(
            resource_type=identifier_pb2.TASK,
            project=row["project"],
            domain=row["domain"],
            name=row["name"],
            version=row["version"],
        ),
        closure=task_pb2.TaskClosure(
            compiled_task=compiler_pb2.CompiledTask.FromString(row["closure"]),
            created_at=times.stamp(row["created_at"]),
        ),
        short_description=row["short_description"],
    )

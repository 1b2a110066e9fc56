"""Workflows in PostgreSQL; their closures are in the blob store."""

import dataclasses
import datetime
import hashlib
from collections.abc import Awaitable, Callable

from volant_admin import listing, validation
from volant_admin.description_entities import store as descriptions
from volant_core import postgres
from volantidl.admin import common_pb2
from volantidl.core import identifier_pb2, interface_pb2

QUERIES = postgres.load_queries(__package__)
_LONGEST_SEGMENT = 150
"""Bytes of a name in a blob's key; what is longer is cut and hashed."""

LISTING = listing.Listing(
    entity="workflow",
    order="w.id",
    columns=listing.registered("w")
    | {
        "short_description": listing.Column("w.short_description"),
        "remote_closure_identifier": listing.Column("w.closure_uri"),
        "digest": listing.Column("w.digest", listing.Kind.BYTES),
        "typed_interface": listing.Column("w.typed_interface", listing.Kind.BYTES),
    },
)


@dataclasses.dataclass(frozen=True, slots=True)
class WorkflowRow:
    """A registered workflow without its closure."""

    key: int
    id: identifier_pb2.Identifier
    interface: interface_pb2.TypedInterface
    closure_uri: str
    digest: bytes
    short_description: str
    created_at: datetime.datetime


async def insert(
    database: postgres.Database,
    row: WorkflowRow,
    described: descriptions.Described,
    state: common_pb2.NamedEntityState.ValueType,
    write_closure: Callable[[], Awaitable[None]],
) -> bool:
    """Add a workflow; False when that version is there already.

    The closure is written while the new row is still uncommitted: whoever sees the row finds the closure, and of two
    who register one version at once, only one writes.
    """
    async with database.transaction() as connection:
        inserted = await connection.fetch_row(
            QUERIES["insert_workflow"],
            *validation.key_of(row.id),
            row.interface.SerializeToString(deterministic=True),
            row.closure_uri,
            row.digest,
            row.short_description,
            row.created_at,
            described.given,
            described.long,
            described.link,
            state,
        )
        if inserted is None:
            return False
        await write_closure()
    return True


async def get(database: postgres.Database, id_: identifier_pb2.Identifier) -> WorkflowRow | None:
    """One workflow."""
    row = await database.fetch_row(QUERIES["get_workflow"], *validation.key_of(id_))
    return _workflow(row) if row else None


async def list_page(
    database: postgres.Database, request: common_pb2.ResourceListRequest
) -> tuple[list[WorkflowRow], str]:
    """A page of workflows and the next token."""
    statement = LISTING.statement(
        QUERIES["list_workflows"],
        [request.id.project, request.id.domain],
        equal={"name": request.id.name},
        method="ListWorkflows",
        limit=request.limit,
        token=request.token,
        filters=request.filters,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
    )
    rows = await database.fetch(statement.sql, *statement.arguments)
    return [_workflow(row) for row in rows], statement.next_token(len(rows))


def _workflow(row: postgres.Record) -> WorkflowRow:
    return WorkflowRow(
        key=row["id"],
        id=identifier_pb2.Identifier(
            resource_type=identifier_pb2.WORKFLOW,
            project=row["project"],
            domain=row["domain"],
            name=row["name"],
            version=row["version"],
        ),
        interface=interface_pb2.TypedInterface.FromString(row["typed_interface"]),
        closure_uri=row["closure_uri"],
        digest=row["digest"],
        short_description=row["short_description"],
        created_at=row["created_at"],
    )


def key_segment(name: str) -> str:
    """A name as a part of a blob's key: itself, unless stores would find it too long."""
    raw = name.encode()
    if len(raw) <= _LONGEST_SEGMENT:
        return name
    return f"{raw[:80].decode(errors='ignore')}-{hashlib.sha256(raw).hexdigest()}"

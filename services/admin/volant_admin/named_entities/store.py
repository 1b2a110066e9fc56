"""Names in PostgreSQL."""

import datetime

from volant_admin import listing
from volant_core import postgres
from volantidl.admin import common_pb2

QUERIES = postgres.load_queries(__package__)

_METADATA = {
    "description": listing.Column("n.description"),
    "state": listing.Column("n.state", listing.Kind.INTEGER, dict(common_pb2.NamedEntityState.items())),
}
_COLUMNS = {
    "id": listing.Column("n.id", listing.Kind.INTEGER),
    "resource_type": listing.Column("n.resource_type", listing.Kind.INTEGER),
    "project": listing.Column("n.project"),
    "domain": listing.Column("n.domain"),
    "name": listing.Column("n.name"),
    "created_at": listing.Column("n.created_at", listing.Kind.TIMESTAMP),
    "updated_at": listing.Column("n.updated_at", listing.Kind.TIMESTAMP),
}
LISTING = listing.Listing(
    entity="entities",
    order="n.name",
    columns=_COLUMNS | _METADATA,
    joins={"named_entity_metadata": listing.Join(_COLUMNS | _METADATA, "{conditions}")},
)


async def get(
    database: postgres.Database, resource_type: int, id_: common_pb2.NamedEntityIdentifier
) -> common_pb2.NamedEntity | None:
    """One name."""
    row = await database.fetch_row(QUERIES["get_named_entity"], resource_type, id_.project, id_.domain, id_.name)
    return _named_entity(row) if row else None


async def update(
    database: postgres.Database, request: common_pb2.NamedEntityUpdateRequest, now: datetime.datetime
) -> bool:
    """Replace a name's metadata; False when there is no such name."""
    id_, metadata = request.id, request.metadata
    touched = await database.execute(
        QUERIES["update_named_entity"],
        request.resource_type,
        id_.project,
        id_.domain,
        id_.name,
        metadata.description,
        metadata.state,
        now,
    )
    return touched > 0


async def list_page(
    database: postgres.Database, request: common_pb2.NamedEntityListRequest
) -> tuple[list[common_pb2.NamedEntity], str]:
    """A page of names with their metadata, and the next token. What the platform generated is hidden by default."""
    statement = LISTING.statement(
        QUERIES["list_named_entities"],
        [request.resource_type, request.project, request.domain],
        method="ListNamedEntities",
        limit=request.limit,
        token=request.token,
        filters=request.filters,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
        unless_filtered=None if request.filters else {"name": "n.name NOT LIKE '.flytegen%'"},
    )
    rows = await database.fetch(statement.sql, *statement.arguments)
    return [_named_entity(row) for row in rows], statement.next_token(len(rows))


async def list_identifiers(
    database: postgres.Database,
    resource_type: int,
    request: common_pb2.NamedEntityIdentifierListRequest,
    method: str,
) -> tuple[list[common_pb2.NamedEntityIdentifier], str]:
    """A page of bare names, and the next token. As in Flyte, filters do not count: for those is ListNamedEntities."""
    statement = LISTING.statement(
        QUERIES["list_named_entities"],
        [resource_type, request.project, request.domain],
        method=method,
        limit=request.limit,
        token=request.token,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
    )
    rows = await database.fetch(statement.sql, *statement.arguments)
    names = [
        common_pb2.NamedEntityIdentifier(project=row["project"], domain=row["domain"], name=row["name"]) for row in rows
    ]
    return names, statement.next_token(len(rows))


def _named_entity(row: postgres.Record) -> common_pb2.NamedEntity:
    return common_pb2.NamedEntity(
        resource_type=row["resource_type"],
        id=common_pb2.NamedEntityIdentifier(project=row["project"], domain=row["domain"], name=row["name"]),
        metadata=common_pb2.NamedEntityMetadata(description=row["description"], state=row["state"]),
    )

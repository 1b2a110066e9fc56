"""Descriptions in PostgreSQL. They are written by the statements that register what they describe."""

import dataclasses

from volant_admin import listing, validation
from volant_core import postgres
from volantidl.admin import description_entity_pb2
from volantidl.core import identifier_pb2

QUERIES = postgres.load_queries(__package__)
_LONGEST_SHORT = 2000
_LONGEST_LINK = 2000

LISTING = listing.Listing(
    entity="description_entity",
    order="d.id",
    columns=listing.registered("d")
    | {
        "resource_type": listing.Column("d.resource_type", listing.Kind.INTEGER),
        "short_description": listing.Column("d.short_description"),
        "link": listing.Column("d.link"),
    },
)


@dataclasses.dataclass(frozen=True, slots=True)
class Described:
    """A description as registering statements take it."""

    given: bool
    short: str
    long: bytes
    link: str


def described(description: description_entity_pb2.DescriptionEntity, *, given: bool) -> Described:
    """The description of a request, checked; empty when none is given."""
    validation.storable(description.short_description, "short_description", _LONGEST_SHORT)
    validation.storable(description.source_code.link, "source_code.link", _LONGEST_LINK)
    return Described(
        given,
        description.short_description,
        description.long_description.SerializeToString(),
        description.source_code.link,
    )


async def get(
    database: postgres.Database, id_: identifier_pb2.Identifier
) -> description_entity_pb2.DescriptionEntity | None:
    """The description of one version."""
    row = await database.fetch_row(QUERIES["get_description_entity"], id_.resource_type, *validation.key_of(id_))
    return _description(row) if row else None


async def list_page(
    database: postgres.Database, request: description_entity_pb2.DescriptionEntityListRequest
) -> tuple[list[description_entity_pb2.DescriptionEntity], str]:
    """A page of descriptions and the next token."""
    statement = LISTING.statement(
        QUERIES["list_description_entities"],
        [request.resource_type, request.id.project, request.id.domain, request.id.name],
        method="ListDescriptionEntities",
        limit=request.limit,
        token=request.token,
        filters=request.filters,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
    )
    rows = await database.fetch(statement.sql, *statement.arguments)
    return [_description(row) for row in rows], statement.next_token(len(rows))


def _description(row: postgres.Record) -> description_entity_pb2.DescriptionEntity:
    return description_entity_pb2.DescriptionEntity(
        id=identifier_pb2.Identifier(
            resource_type=row["resource_type"],
            project=row["project"],
            domain=row["domain"],
            name=row["name"],
            version=row["version"],
        ),
        short_description=row["short_description"],
        long_description=description_entity_pb2.Description.FromString(row["long_description"]),
        source_code=description_entity_pb2.SourceCode(link=row["link"]),
    )

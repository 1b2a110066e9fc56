"""Matchable attributes in PostgreSQL."""

import dataclasses
import datetime
from collections.abc import Callable

from volant_core import postgres
from volantidl.admin import matchable_resource_pb2

QUERIES = postgres.load_queries(__package__)

_WORKFLOW_PRIORITY = 100
_PROJECT_DOMAIN_PRIORITY = 10
_PROJECT_PRIORITY = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What attributes are set for. An empty text stands for all."""

    project: str
    domain: str = ""
    workflow: str = ""

    @property
    def priority(self) -> int:
        """The higher, the more it counts."""
        if self.workflow:
            return _WORKFLOW_PRIORITY
        return _PROJECT_DOMAIN_PRIORITY if self.domain else _PROJECT_PRIORITY


Attributes = matchable_resource_pb2.MatchingAttributes


async def put(
    database: postgres.Database,
    kind: int,
    place: Place,
    change: Callable[[Attributes | None], Attributes],
    now: datetime.datetime,
) -> None:
    """Set attributes to what `change` makes of those that are there."""
    key = (kind, place.project, place.domain, place.workflow)
    async with database.transaction() as connection:
        row = await connection.fetch_row(QUERIES["lock_attributes"], *key)
        new = change(Attributes.FromString(row["attributes"]) if row else None)
        await connection.execute(QUERIES["put_attributes"], *key, place.priority, new.SerializeToString(), now)


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What counts for a place."""

    place: Place
    """What it is set for: the place itself, or one that includes it."""
    attributes: Attributes


async def get(database: postgres.Database, kind: int, place: Place) -> Found | None:
    """What counts for a place."""
    return _found(
        await database.fetch_row(QUERIES["get_attributes"], kind, place.project, place.domain, place.workflow)
    )


async def get_project(database: postgres.Database, kind: int, project: str) -> Found | None:
    """What a project as a whole has."""
    return _found(await database.fetch_row(QUERIES["get_project_attributes"], kind, project))


def _found(row: postgres.Record | None) -> Found | None:
    if row is None:
        return None
    place = Place(row["project"], row["domain"], row["workflow"])
    return Found(place, Attributes.FromString(row["attributes"]))


async def delete(database: postgres.Database, kind: int, place: Place) -> None:
    """Remove what a place has; removing nothing is fine."""
    await database.execute(QUERIES["delete_attributes"], kind, place.project, place.domain, place.workflow)


async def list_all(
    database: postgres.Database, kind: int
) -> list[matchable_resource_pb2.MatchableAttributesConfiguration]:
    """All settings of one kind."""
    return [
        matchable_resource_pb2.MatchableAttributesConfiguration(
            project=row["project"],
            domain=row["domain"],
            workflow=row["workflow"],
            launch_plan=row["launch_plan"],
            attributes=Attributes.FromString(row["attributes"]),
        )
        for row in await database.fetch(QUERIES["list_attributes"], kind)
    ]

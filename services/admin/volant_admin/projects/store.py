"""Projects in PostgreSQL."""

import datetime

from volant_admin import listing
from volant_core import postgres
from volantidl.admin import common_pb2, project_pb2

QUERIES = postgres.load_queries(__package__)

LISTING = listing.Listing(
    entity="project",
    order="p.identifier",
    columns={
        "id": listing.Column("p.id", listing.Kind.INTEGER),
        "identifier": listing.Column("p.identifier"),
        "name": listing.Column("p.name"),
        "description": listing.Column("p.description"),
        "labels": listing.Column("p.labels", listing.Kind.BYTES),
        "state": listing.Column("p.state", listing.Kind.INTEGER, dict(project_pb2.Project.ProjectState.items())),
        "created_at": listing.Column("p.created_at", listing.Kind.TIMESTAMP),
        "updated_at": listing.Column("p.updated_at", listing.Kind.TIMESTAMP),
        "deleted_at": listing.Column("NULL::timestamptz", listing.Kind.TIMESTAMP),
    },
)


async def insert(database: postgres.Database, project: project_pb2.Project, now: datetime.datetime) -> None:
    """Add a project. UniqueViolationError when it is there."""
    await database.execute(
        QUERIES["insert_project"],
        project.id,
        project.name,
        project.description,
        project.labels.SerializeToString(),
        project.state,
        now,
    )


async def seed(database: postgres.Database, identifier: str, now: datetime.datetime) -> None:
    """Add a project, unless it is there."""
    await database.execute(QUERIES["seed_project"], identifier, f"{identifier} description", now)


async def update(database: postgres.Database, project: project_pb2.Project, now: datetime.datetime) -> bool:
    """Replace a project; False when it is not there."""
    touched = await database.execute(
        QUERIES["update_project"],
        project.id,
        project.name,
        project.description,
        project.labels.SerializeToString(),
        project.state,
        now,
    )
    return touched > 0


async def get(database: postgres.Database, identifier: str) -> project_pb2.Project | None:
    """One project, without its domains."""
    row = await database.fetch_row(QUERIES["get_project"], identifier)
    return _project(row) if row else None


async def list_page(
    database: postgres.Database, request: project_pb2.ProjectListRequest
) -> tuple[list[project_pb2.Project], str]:
    """A page of projects and the next token."""
    statement = LISTING.statement(
        QUERIES["list_projects"],
        [],
        method="ListProjects",
        limit=request.limit,
        unlimited=True,
        token=request.token,
        filters=request.filters,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
        unless_filtered=None if request.filters else {"state": f"p.state <> {project_pb2.Project.ARCHIVED}"},
    )
    rows = await database.fetch(statement.sql, *statement.arguments)
    return [_project(row) for row in rows], statement.next_token(len(rows)) if request.limit else ""


def _project(row: postgres.Record) -> project_pb2.Project:
    return project_pb2.Project(
        id=row["identifier"],
        name=row["name"],
        description=row["description"],
        labels=common_pb2.Labels.FromString(row["labels"]) if row["labels"] else None,
        state=row["state"],
    )

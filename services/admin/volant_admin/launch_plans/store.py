"""Launch plans in PostgreSQL."""

import dataclasses
import datetime
from collections.abc import Sequence

from volant_admin import listing, validation
from volant_admin.executions import times
from volant_core import compiler, postgres
from volantidl.admin import common_pb2, launch_plan_pb2
from volantidl.core import identifier_pb2, interface_pb2

QUERIES = postgres.load_queries(__package__)

_OWN = listing.registered("l") | {
    "updated_at": listing.Column("l.updated_at", listing.Kind.TIMESTAMP),
    "workflow_id": listing.Column("l.workflow_id", listing.Kind.INTEGER),
    "state": listing.Column("l.state", listing.Kind.INTEGER, dict(launch_plan_pb2.LaunchPlanState.items())),
    "schedule_type": listing.Column("l.schedule_type"),
    "launch_condition_type": listing.Column("l.launch_condition_type"),
    "digest": listing.Column("l.digest", listing.Kind.BYTES),
    "spec": listing.Column("l.spec", listing.Kind.BYTES),
    "closure": listing.Column("l.closure", listing.Kind.BYTES),
}
LISTING = listing.Listing(
    entity="launch_plan",
    order="l.id",
    columns=_OWN,
    joins={
        "workflow": listing.Join(
            listing.registered("w") | {"short_description": listing.Column("w.short_description")},
            "EXISTS (SELECT FROM admin.workflows w WHERE w.id = l.workflow_id AND {conditions})",
        )
    },
)


@dataclasses.dataclass(frozen=True, slots=True)
class NewLaunchPlan:
    """A launch plan to be registered."""

    plan: launch_plan_pb2.LaunchPlan
    workflow_key: int
    digest: bytes
    schedule_type: str
    """NONE, CRON or RATE."""


async def workflow_interface(
    database: postgres.Database, id_: identifier_pb2.Identifier
) -> tuple[int, interface_pb2.TypedInterface] | None:
    """A workflow's key and its interface."""
    row = await database.fetch_row(QUERIES["get_workflow_interface"], *validation.key_of(id_))
    return (row["id"], interface_pb2.TypedInterface.FromString(row["typed_interface"])) if row else None


async def insert(
    database: postgres.Database,
    new: NewLaunchPlan,
    state: common_pb2.NamedEntityState.ValueType,
    now: datetime.datetime,
) -> bool:
    """Add a launch plan; False when that version is there already."""
    row = await database.fetch_row(
        QUERIES["insert_launch_plan"],
        *validation.key_of(new.plan.id),
        new.workflow_key,
        new.plan.spec.SerializeToString(deterministic=True),
        new.plan.closure.SerializeToString(deterministic=True),
        new.digest,
        new.schedule_type,
        None if new.schedule_type == "NONE" else "SCHED",
        now,
        state,
    )
    return row is not None


async def get(database: postgres.Database, id_: identifier_pb2.Identifier) -> launch_plan_pb2.LaunchPlan | None:
    """One launch plan."""
    row = await database.fetch_row(QUERIES["get_launch_plan"], *validation.key_of(id_))
    return _launch_plan(row) if row else None


async def get_many(
    database: postgres.Database, ids: Sequence[identifier_pb2.Identifier]
) -> dict[str, launch_plan_pb2.LaunchPlan]:
    """Those of the launch plans that exist, by `compiler.identifier_key`."""
    if not ids:
        return {}
    columns = [list(column) for column in zip(*map(validation.key_of, ids), strict=True)]
    rows = await database.fetch(QUERIES["get_launch_plans"], *columns)
    return {compiler.identifier_key(plan.id): plan for plan in map(_launch_plan, rows)}


async def get_active(
    database: postgres.Database, id_: common_pb2.NamedEntityIdentifier
) -> launch_plan_pb2.LaunchPlan | None:
    """The active version of a name."""
    row = await database.fetch_row(QUERIES["get_active_launch_plan"], id_.project, id_.domain, id_.name)
    return _launch_plan(row) if row else None


async def activate(database: postgres.Database, id_: identifier_pb2.Identifier, now: datetime.datetime) -> bool:
    """Make a version the active one of its name; False when there is no such version."""
    async with database.transaction() as connection:
        await connection.fetch_row(QUERIES["lock_name"], id_.project, id_.domain, id_.name)
        touched = await connection.execute(QUERIES["deactivate_others"], *validation.key_of(id_), now)
        found = await connection.execute(QUERIES["set_state"], *validation.key_of(id_), launch_plan_pb2.ACTIVE, now)
        if not found and touched:
            raise validation.no_entity("LAUNCH_PLAN", id_)  # leaves the transaction without a trace
    return found > 0


async def deactivate(database: postgres.Database, id_: identifier_pb2.Identifier, now: datetime.datetime) -> bool:
    """Make a version inactive; False when there is no such version."""
    found = await database.execute(QUERIES["set_state"], *validation.key_of(id_), launch_plan_pb2.INACTIVE, now)
    return found > 0


async def list_page(
    database: postgres.Database, request: common_pb2.ResourceListRequest
) -> tuple[list[launch_plan_pb2.LaunchPlan], str]:
    """A page of launch plans and the next token."""
    statement = LISTING.statement(
        QUERIES["list_launch_plans"],
        [request.id.project, request.id.domain],
        equal={"name": request.id.name},
        method="ListLaunchPlans",
        limit=request.limit,
        token=request.token,
        filters=request.filters,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
    )
    rows = await database.fetch(statement.sql, *statement.arguments)
    return [_launch_plan(row) for row in rows], statement.next_token(len(rows))


async def list_active(
    database: postgres.Database, request: launch_plan_pb2.ActiveLaunchPlanListRequest
) -> tuple[list[launch_plan_pb2.LaunchPlan], str]:
    """A page of active launch plans and the next token."""
    statement = LISTING.statement(
        QUERIES["list_active_launch_plans"],
        [request.project, request.domain],
        method="ListActiveLaunchPlans",
        limit=request.limit,
        token=request.token,
        sort_by=request.sort_by if request.HasField("sort_by") else None,
    )
    rows = await database.fetch(statement.sql, *statement.arguments)
    return [_launch_plan(row) for row in rows], statement.next_token(len(rows))


def _launch_plan(row: postgres.Record) -> launch_plan_pb2.LaunchPlan:
    plan = launch_plan_pb2.LaunchPlan(
        id=identifier_pb2.Identifier(
            resource_type=identifier_pb2.LAUNCH_PLAN,
            project=row["project"],
            domain=row["domain"],
            name=row["name"],
            version=row["version"],
        )
    )
    plan.spec.ParseFromString(row["spec"])
    plan.closure.ParseFromString(row["closure"])
    plan.closure.state = row["state"]
    plan.closure.created_at.CopyFrom(times.stamp(row["created_at"]))
    plan.closure.updated_at.CopyFrom(times.stamp(row["updated_at"]))
    return plan

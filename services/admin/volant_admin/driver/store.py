"""Drivers and what they added, in PostgreSQL."""

import dataclasses
import datetime
from collections.abc import Sequence

from volant_core import postgres
from volant_core.model import driver_tokens
from volantidl.dispatch import dispatch_pb2
from volantidl.driver import driver_pb2

QUERIES = postgres.load_queries(__package__)


@dataclasses.dataclass(frozen=True, slots=True)
class NewNode:
    """A node that a driver adds."""

    node_id: str
    key: str
    closure_uri: str
    inputs: bytes | None
    inputs_uri: str | None


async def driver(
    database: postgres.Database, claim: driver_tokens.Claim, node_ids: Sequence[str] = ()
) -> postgres.Record | None:
    """Where an attempt stands, and which of the nodes are there; None when there is no such execution."""
    return await database.fetch_row(QUERIES["driver"], claim.execution, claim.node_id, claim.attempt, list(node_ids))


async def add(
    database: postgres.Database, execution: int, parent: str, nodes: Sequence[NewNode], now: datetime.datetime
) -> list[str]:
    """Keep new nodes; the ids of those that were not there."""
    columns = [
        [getattr(node, name) for node in nodes] for name in ("node_id", "key", "closure_uri", "inputs", "inputs_uri")
    ]
    rows = await database.fetch(QUERIES["add_nodes"], execution, parent, now, *columns)
    return [row["node_id"] for row in rows]


async def all_results(
    database: postgres.Database, execution: int, parent: str, after: str, limit: int
) -> list[postgres.Record]:
    """A page of what a driver's nodes came to, by their ids."""
    return await database.fetch(QUERIES["all_results"], execution, parent, after, limit)


async def some_results(
    database: postgres.Database, execution: int, parent: str, node_ids: Sequence[str]
) -> list[postgres.Record]:
    """What these of a driver's nodes came to, as far as they have ended."""
    return await database.fetch(QUERIES["some_results"], execution, parent, node_ids)


def result_of(row: postgres.Record) -> driver_pb2.ChildResult:
    """The message of a row."""
    record = dispatch_pb2.NodeRecord.FromString(row["record"])
    return driver_pb2.ChildResult(
        key=row["key"],
        node_id=row["node_id"],
        phase=record.phase,
        error=record.error if record.HasField("error") else None,
        outputs=row["outputs"] or b"",
        output_uri=record.output_uri,
    )

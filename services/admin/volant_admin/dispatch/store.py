"""Sessions, leases and reports in PostgreSQL."""

import datetime
import itertools
from collections.abc import Iterable, Iterator, Sequence

from volant_admin.dispatch import reports
from volant_core import postgres
from volantidl.core import execution_pb2, identifier_pb2
from volantidl.dispatch import dispatch_pb2

QUERIES = postgres.load_queries(__package__)
_ADDED_AT_ONCE = 50
"""Nodes in one message: with inputs of the largest size that is kept in a row, less than a megabyte."""


async def record(
    database: postgres.Database | postgres.Connection, session: str | None, columns: reports.Columns
) -> list[tuple[int, bool, int | None]]:
    """Write a report. For each execution that the session leases: its number, whether it ended now, its parent's.

    One that ended now comes twice, the second time as ended.
    Without a session it is written whoever leases the executions.
    """
    rows = await database.fetch(QUERIES["record_report"], session, *columns.arguments())
    return [(row[0], row[1], row[2]) for row in rows]


async def known(database: postgres.Database, executions: Sequence[int]) -> set[int]:
    """Which of these executions exist."""
    return {row[0] for row in await database.fetch(QUERIES["known_executions"], executions)}


async def attach(
    database: postgres.Database,
    hello: dispatch_pb2.Hello,
    replica: str,
    now: datetime.datetime,
    until: datetime.datetime,
) -> None:
    """Note a session, or that it came back."""
    await database.execute(QUERIES["attach_session"], hello.session, hello.engine, replica, now, until)


async def renew(database: postgres.Database, sessions: Sequence[str], until: datetime.datetime) -> set[str]:
    """Keep leases; the sessions that are still there."""
    return {row[0] for row in await database.fetch(QUERIES["renew_sessions"], sessions, until)}


async def end(database: postgres.Database, session: str) -> None:
    """A session leaves: what it leased waits for another."""
    async with database.transaction() as connection:
        await connection.execute(QUERIES["end_session"], session)
        await connection.execute(QUERIES["release_orphans"])


async def expire(database: postgres.Database, now: datetime.datetime) -> int:
    """End the sessions whose time is over; how many executions wait for another because of it."""
    async with database.transaction() as connection:
        await connection.execute(QUERIES["end_expired_sessions"], now)
        return await connection.execute(QUERIES["release_orphans"])


async def next_expiry(database: postgres.Database) -> datetime.datetime | None:
    """When the first session expires."""
    moment: datetime.datetime | None = await database.fetch_value(QUERIES["next_expiry"])
    return moment


async def void_all_leases(database: postgres.Database) -> None:
    """End every session and lease: what an embedded start does, because the process that held them is gone."""
    async with database.transaction() as connection:
        await connection.execute(QUERIES["void_sessions"])
        await connection.execute(QUERIES["void_leases"])


async def claim(database: postgres.Database, session: str, limit: int) -> list[postgres.Record]:
    """Lease waiting executions to a session, the oldest first."""
    rows = await database.fetch(QUERIES["claim"], session, limit)
    return sorted(rows, key=lambda row: int(row["id"]))


async def leased(database: postgres.Database, session: str) -> list[postgres.Record]:
    """What a session leases."""
    return await database.fetch(QUERIES["leased"], session)


async def tell_replicas(database: postgres.Database, channel: str, payloads: Sequence[str], replica: str) -> None:
    """Wake the other replicas, if engines are attached to any."""
    await database.execute(QUERIES["tell_replicas"], channel, payloads, replica)


async def platform_key(database: postgres.Database, name: str, fresh: bytes) -> bytes:
    """A secret that all replicas share: `fresh`, if there was none."""
    value: bytes = await database.fetch_value(QUERIES["platform_key"], name, fresh)
    return value


async def tell_all_replicas(database: postgres.Database, channel: str, payloads: Sequence[str]) -> None:
    """Wake all other replicas, whether engines are attached to them or not."""
    await database.execute(QUERIES["tell_all_replicas"], channel, payloads)


async def added_news(database: postgres.Database, nodes: Iterable[tuple[int, str]]) -> list[postgres.Record]:
    """Nodes that drivers added and that have not ended, and who drives their executions."""
    pairs = list(nodes)
    return await database.fetch(
        QUERIES["added_news"], [execution for execution, _ in pairs], [node for _, node in pairs]
    )


async def abort_news(database: postgres.Database, executions: Iterable[int]) -> list[postgres.Record]:
    """Executions that a user wants ended, and who drives them."""
    return await database.fetch(QUERIES["abort_news"], list(executions))


async def signal_news(database: postgres.Database, signals: Iterable[tuple[int, str]]) -> list[postgres.Record]:
    """Signals with a value, and who drives their executions."""
    pairs = list(signals)
    return await database.fetch(
        QUERIES["signal_news"], [execution for execution, _ in pairs], [signal for _, signal in pairs]
    )


async def child_news(database: postgres.Database, children: Iterable[int]) -> list[postgres.Record]:
    """Ended children, and who drives their parents."""
    return await database.fetch(QUERIES["child_news"], list(children))


async def session_news(database: postgres.Database, session: str) -> list[dispatch_pb2.AttachResponse]:
    """Aborts, signals with a value, ended children and what drivers added, of everything that a session leases."""
    aborts = await database.fetch(QUERIES["session_aborts"], session)
    signals = await database.fetch(QUERIES["session_signals"], session)
    children = await database.fetch(QUERIES["session_children"], session)
    added = await database.fetch(QUERIES["session_added"], session)
    return [
        *(dispatch_pb2.AttachResponse(abort=abort_of(row)) for row in aborts),
        *(dispatch_pb2.AttachResponse(signal=signal_of(row)) for row in signals),
        *(dispatch_pb2.AttachResponse(child=child_of(row)) for row in children),
        *(dispatch_pb2.AttachResponse(added=message) for _, message in added_of(added)),
    ]


def execution_id(row: postgres.Record) -> identifier_pb2.WorkflowExecutionIdentifier:
    """The identifier in a row."""
    return identifier_pb2.WorkflowExecutionIdentifier(
        project=row["execution_project"], domain=row["execution_domain"], name=row["execution_name"]
    )


def abort_of(row: postgres.Record) -> dispatch_pb2.Abort:
    """The message that ends an execution."""
    return dispatch_pb2.Abort(
        id=execution_id(row), cause=row["abort_cause"] or "", principal=row["abort_principal"] or ""
    )


def signal_of(row: postgres.Record) -> dispatch_pb2.SignalSet:
    """The message that brings a signal's value."""
    return dispatch_pb2.SignalSet(id=execution_id(row), signal_id=row["signal_id"], value=row["value"])


def child_of(row: postgres.Record) -> dispatch_pb2.ChildFinished:
    """The message that tells of an ended child."""
    return dispatch_pb2.ChildFinished(
        id=execution_id(row),
        node_id=row["parent_node_id"] or "",
        child=identifier_pb2.WorkflowExecutionIdentifier(
            project=row["child_project"], domain=row["child_domain"], name=row["child_name"]
        ),
        phase=execution_pb2.WorkflowExecution.Phase.Value(row["phase"]),
        error=execution_pb2.ExecutionError.FromString(row["error"]) if row["error"] is not None else None,
        output_uri=row["output_uri"] or "",
        outputs=row["outputs"] or b"",
    )


def driven_of(row: postgres.Record) -> dispatch_pb2.DriverChild:
    """A node that a driver added."""
    return dispatch_pb2.DriverChild(
        parent_node_id=row["parent_node_id"],
        node_id=row["node_id"],
        key=row["key"],
        closure_uri=row["closure_uri"],
        inputs=row["inputs"] or b"",
        inputs_uri=row["inputs_uri"] or "",
    )


def added_of(
    rows: Sequence[postgres.Record],
) -> Iterator[tuple[Sequence[postgres.Record], dispatch_pb2.ChildrenAdded]]:
    """Messages that tell of added nodes, one for some of each execution, with the rows that they were made of."""
    for _, group in itertools.groupby(rows, key=lambda row: int(row["execution_id"])):
        own = list(group)
        for start in range(0, len(own), _ADDED_AT_ONCE):
            part = own[start : start + _ADDED_AT_ONCE]
            yield part, dispatch_pb2.ChildrenAdded(id=execution_id(part[0]), children=map(driven_of, part))

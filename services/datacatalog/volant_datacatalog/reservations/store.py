"""Reservations in PostgreSQL."""

import datetime
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from volant_core import postgres

QUERIES = postgres.load_queries(__package__)


class Place(NamedTuple):
    """What is reserved."""

    project: str
    domain: str
    dataset_name: str
    dataset_version: str
    tag: str


class Claim(NamedTuple):
    """Who wants it, until when."""

    owner_id: str
    expires_at: datetime.datetime


async def take(
    database: postgres.Database, claims: Mapping[Place, Claim], now: datetime.datetime
) -> dict[Place, Claim]:
    """Who holds each place after the claims; places whose holder can't be seen yet are left out."""
    columns = [list(column) for column in zip(*((*place, *claim) for place, claim in claims.items()), strict=True)]
    rows = await database.fetch(QUERIES["take"], *columns, now)
    return {
        Place(row["project"], row["domain"], row["dataset_name"], row["dataset_version"], row["tag"]): Claim(
            row["owner_id"], row["expires_at"]
        )
        for row in rows
    }


async def release(database: postgres.Database, given: Sequence[tuple[Place, str]]) -> None:
    """Remove reservations that their holders give back."""
    columns = [list(column) for column in zip(*((*place, owner) for place, owner in given), strict=True)]
    await database.execute(QUERIES["release"], *columns)


async def sweep(database: postgres.Database, before: datetime.datetime) -> int:
    """Remove reservations that expired before a moment; how many."""
    return await database.execute(QUERIES["sweep"], before)

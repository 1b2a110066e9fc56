"""Batches in PostgreSQL."""

import dataclasses
import datetime
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from volant_core import postgres
from volant_datacatalog.artifacts import contents
from volant_datacatalog.reservations.store import Place

QUERIES = postgres.load_queries(__package__)


class Row(NamedTuple):
    """An entry to be kept."""

    dataset_id: int
    tag: str
    key: uuid.UUID
    data: bytes | None
    data_uri: str | None
    metadata: bytes
    overwrite: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Put:
    """What became of an entry."""

    artifact_id: str
    fresh: bool
    replaced: bool
    dropped_uri: str | None
    """Data that no row points at any more."""


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """What a tag finds."""

    artifact_id: str
    metadata: bytes
    kept: contents.Kept
    written_at: datetime.datetime


async def look_up(database: postgres.Database, places: Sequence[Place]) -> list[Hit | None]:
    """What there is for each place."""
    columns = [list(column) for column in zip(*places, strict=True)]
    hits: list[Hit | None] = [None] * len(places)
    for position, artifact_id, metadata, data, uri, written_at in await database.fetch(QUERIES["look_up"], *columns):
        hits[position - 1] = Hit(artifact_id, metadata, contents.Kept(data, uri), written_at)
    return hits


async def put(database: postgres.Database, rows: Sequence[Row], now: datetime.datetime) -> dict[tuple[int, str], Put]:
    """Keep entries, each tag of a dataset once. By dataset and tag, what became of them."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    found = await database.fetch(QUERIES["put"], *columns, now)
    return {
        (row["dataset_id"], row["tag"]): Put(row["artifact_id"], row["fresh"], row["replaced"], row["dropped_uri"])
        for row in found
    }

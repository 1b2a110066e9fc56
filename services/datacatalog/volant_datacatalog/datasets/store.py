"""Datasets in PostgreSQL."""

import datetime
import uuid
from collections.abc import Collection, Sequence

from volant_core import postgres
from volant_datacatalog import keys, lists
from volantidl.datacatalog import datacatalog_pb2

QUERIES = postgres.load_queries(__package__)


async def insert(
    database: postgres.Database,
    key: keys.DatasetKey,
    uuid_: uuid.UUID,
    metadata: datacatalog_pb2.Metadata,
    partition_keys: Sequence[str],
    now: datetime.datetime,
) -> None:
    """Add a dataset. UniqueViolationError when its key or its UUID is taken."""
    encoded = metadata.SerializeToString(deterministic=True)
    await database.execute(QUERIES["insert_dataset"], *key, uuid_, encoded, list(partition_keys), now)


async def get(database: postgres.Database, key: keys.DatasetKey, uuid_: uuid.UUID | None) -> postgres.Record | None:
    """One dataset's row."""
    return await database.fetch_row(QUERIES["get_dataset"], *key, uuid_)


async def ensure(
    database: postgres.Database, wanted: Collection[keys.DatasetKey], uuids: Sequence[uuid.UUID], now: datetime.datetime
) -> dict[keys.DatasetKey, int]:
    """The ids of datasets, made when they are not there. In one order, or two calls could block each other."""
    ordered = sorted(wanted)
    columns = [list(column) for column in zip(*ordered, strict=True)]
    rows = await database.fetch(QUERIES["ensure_datasets"], *columns, list(uuids), now)
    return {keys.DatasetKey(row["project"], row["domain"], row["name"], row["version"]): row["id"] for row in rows}


async def list_page(
    database: postgres.Database, filters: lists.Filters, page: lists.Page
) -> list[datacatalog_pb2.Dataset]:
    """A page of datasets."""
    query = QUERIES["list_oldest_first" if page.ascending else "list_newest_first"]
    columns = (filters.projects, filters.domains, filters.names, filters.versions)
    return [message(row) for row in await database.fetch(query, *columns, page.limit, page.offset)]


def message(row: postgres.Record) -> datacatalog_pb2.Dataset:
    """A row as a message."""
    key = keys.DatasetKey(row["project"], row["domain"], row["name"], row["version"])
    return datacatalog_pb2.Dataset(
        id=key.message(str(row["uuid"])),
        metadata=datacatalog_pb2.Metadata.FromString(row["metadata"]),
        partitionKeys=row["partition_keys"],
    )

"""Artifacts and tags in PostgreSQL."""

import datetime
import uuid
from collections.abc import Sequence

from volant_core import postgres
from volant_datacatalog import keys, lists
from volant_datacatalog.artifacts import contents
from volantidl.datacatalog import datacatalog_pb2

QUERIES = postgres.load_queries(__package__)
_ANY = keys.DatasetKey("", "", "", "")


async def insert(
    database: postgres.Database,
    key: uuid.UUID,
    dataset_id: int,
    artifact: datacatalog_pb2.Artifact,
    kept: contents.Kept,
    now: datetime.datetime,
) -> None:
    """Add an artifact. UniqueViolationError when the dataset has one of that id."""
    await database.execute(
        QUERIES["insert_artifact"],
        key,
        dataset_id,
        artifact.id,
        artifact.metadata.SerializeToString(deterministic=True),
        kept.data,
        kept.uri,
        [partition.key for partition in artifact.partitions],
        [partition.value for partition in artifact.partitions],
        now,
    )


async def get_by_id(
    database: postgres.Database, artifact_id: str, dataset: keys.DatasetKey | None
) -> postgres.Record | None:
    """The newest artifact with an id, of one dataset or of any."""
    return await database.fetch_row(QUERIES["get_by_id"], artifact_id, *(dataset or _ANY))


async def get_by_tag(database: postgres.Database, dataset: keys.DatasetKey, tag: str) -> postgres.Record | None:
    """The artifact that a tag finds."""
    return await database.fetch_row(QUERIES["get_by_tag"], *dataset, tag)


async def replace_data(
    database: postgres.Database,
    key: uuid.UUID,
    metadata: datacatalog_pb2.Metadata,
    kept: contents.Kept,
    now: datetime.datetime,
) -> None:
    """Give an artifact other data and metadata."""
    encoded = metadata.SerializeToString(deterministic=True)
    await database.execute(QUERIES["replace_data"], key, encoded, kept.data, kept.uri, now)


async def insert_tag(
    database: postgres.Database, dataset_id: int, artifact_id: str, tag: str, now: datetime.datetime
) -> bool:
    """Add a tag; False when there is no such artifact. UniqueViolationError when the dataset has that tag."""
    return await database.execute(QUERIES["insert_tag"], dataset_id, artifact_id, tag, now) > 0


async def list_rows(
    database: postgres.Database, dataset_id: int, filters: lists.Filters, page: lists.Page
) -> list[postgres.Record]:
    """A page of artifacts."""
    query = QUERIES["list_oldest_first" if page.ascending else "list_newest_first"]
    columns = (filters.artifact_ids, filters.tags, filters.partition_keys, filters.partition_values)
    return await database.fetch(query, dataset_id, *columns, page.limit, page.offset)


def message(
    row: postgres.Record, dataset: datacatalog_pb2.DatasetID, data: Sequence[datacatalog_pb2.ArtifactData]
) -> datacatalog_pb2.Artifact:
    """A row as a message."""
    artifact_id = row["artifact_id"]
    artifact = datacatalog_pb2.Artifact(
        id=artifact_id,
        dataset=dataset,
        data=data,
        metadata=datacatalog_pb2.Metadata.FromString(row["metadata"]),
        partitions=[
            datacatalog_pb2.Partition(key=key, value=value)
            for key, value in zip(row["partition_keys"], row["partition_values"], strict=True)
        ],
        tags=[datacatalog_pb2.Tag(name=name, artifact_id=artifact_id, dataset=dataset) for name in row["tags"]],
    )
    artifact.created_at.FromDatetime(row["created_at"])
    return artifact


def dataset_of(row: postgres.Record) -> datacatalog_pb2.DatasetID:
    """The dataset of a row that names it."""
    key = keys.DatasetKey(row["project"], row["domain"], row["name"], row["version"])
    return key.message(str(row["uuid"]))

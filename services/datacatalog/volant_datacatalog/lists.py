"""What lists of datasets and of artifacts share: pages and filters."""

import dataclasses
from collections.abc import Iterable

from volant_core import errors
from volant_datacatalog import keys
from volant_datacatalog.settings import DatacatalogSettings
from volantidl.datacatalog import datacatalog_pb2

_LARGEST_OFFSET = 2**31 - 1


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    limit: int
    offset: int
    ascending: bool

    def next_token(self, count: int) -> str:
        """Where the next page starts, also when this was the last one."""
        return str(self.offset + count)


def page(
    request: datacatalog_pb2.ListArtifactsRequest | datacatalog_pb2.ListDatasetsRequest, settings: DatacatalogSettings
) -> Page:
    """The page that is asked for; where none is, the first one."""
    options = request.pagination
    if options.sortKey != datacatalog_pb2.PaginationOptions.CREATION_TIME:
        raise errors.InvalidArgumentError(f"Invalid sort key {options.sortKey}")
    if options.sortOrder not in datacatalog_pb2.PaginationOptions.SortOrder.values():
        raise errors.InvalidArgumentError(f"Invalid sort order {options.sortOrder}")
    return Page(
        limit=min(options.limit if request.HasField("pagination") else settings.page, settings.largest_page),
        offset=_offset(options.token),
        ascending=options.sortOrder == datacatalog_pb2.PaginationOptions.ASCENDING,
    )


def _offset(token: str) -> int:
    if not token.strip(" "):
        return 0
    if not (token.isascii() and token.isdigit() and len(token) <= 20 and int(token) <= _LARGEST_OFFSET):
        raise errors.InvalidArgumentError(f"Invalid token value: {token[:100]}")
    return int(token)


@dataclasses.dataclass(slots=True)
class Filters:
    """What every row must be; several filters of one kind must all hold."""

    tags: list[str] = dataclasses.field(default_factory=list)
    partition_keys: list[str] = dataclasses.field(default_factory=list)
    partition_values: list[str] = dataclasses.field(default_factory=list)
    artifact_ids: list[str] = dataclasses.field(default_factory=list)
    projects: list[str] = dataclasses.field(default_factory=list)
    domains: list[str] = dataclasses.field(default_factory=list)
    names: list[str] = dataclasses.field(default_factory=list)
    versions: list[str] = dataclasses.field(default_factory=list)


def filters(of: str, allowed: frozenset[str], given: Iterable[datacatalog_pb2.SinglePropertyFilter]) -> Filters:
    """The filters of a list of `of` ("Artifact", "Dataset"), which may be about the entities `allowed`."""
    result = Filters()
    for single in given:
        kind = single.WhichOneof("property_filter")
        entity = (kind or "").removesuffix("_filter").capitalize()
        if kind is None:
            raise errors.InvalidArgumentError("no such entity: a filter names no property")
        if entity not in allowed:
            raise errors.InvalidArgumentError(f"{of} cannot be filtered by {entity} properties")
        _add(result, single, entity)
    return result


def _add(result: Filters, single: datacatalog_pb2.SinglePropertyFilter, entity: str) -> None:
    if single.HasField("tag_filter") and single.tag_filter.HasField("tag_name"):
        result.tags.append(keys.need(single.tag_filter.tag_name, "TagName"))
    elif single.HasField("partition_filter") and single.partition_filter.HasField("key_val"):
        pair = single.partition_filter.key_val
        result.partition_keys.append(keys.need(pair.key, "PartitionKey"))
        result.partition_values.append(keys.need(pair.value, "PartitionValue"))
    elif single.HasField("artifact_filter") and single.artifact_filter.HasField("artifact_id"):
        result.artifact_ids.append(keys.need(single.artifact_filter.artifact_id, "ArtifactID"))
    else:
        _add_dataset(result, single.dataset_filter, entity)


def _add_dataset(result: Filters, given: datacatalog_pb2.DatasetPropertyFilter, entity: str) -> None:
    columns = {
        "project": result.projects,
        "domain": result.domains,
        "name": result.names,
        "version": result.versions,
    }
    field = given.WhichOneof("property")
    if field is None or field not in columns:
        raise errors.InvalidArgumentError(
            f"no such entity: a {entity.lower()} filter names no property that is kept here"
        )
    columns[field].append(keys.need(getattr(given, field), field))

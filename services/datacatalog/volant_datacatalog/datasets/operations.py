"""What can be done with datasets."""

import collections
import uuid
from collections.abc import Callable, Iterable

from volant_core import clock, errors, postgres
from volant_datacatalog import keys, lists
from volant_datacatalog.datasets import store
from volant_datacatalog.settings import DatacatalogSettings
from volantidl.datacatalog import datacatalog_pb2

_REMEMBERED = 10_000


class Datasets:
    """Datasets. None is ever removed."""

    def __init__(
        self,
        database: postgres.Database,
        settings: DatacatalogSettings,
        clock: clock.Clock,
        new_uuid: Callable[[], uuid.UUID],
    ) -> None:
        """Keep them in `database`."""
        self._database = database
        self._settings = settings
        self._clock = clock
        self._new_uuid = new_uuid
        self._ids: dict[keys.DatasetKey, int] = {}

    async def create(self, dataset: datacatalog_pb2.Dataset) -> None:
        """Make a dataset. AlreadyExistsError."""
        if not dataset.ByteSize():
            raise keys.missing("dataset")
        key = keys.dataset_key(dataset.id)
        _check_unique(dataset.partitionKeys)
        uuid_ = parse_uuid(dataset.id.UUID) or self._new_uuid()
        try:
            await store.insert(self._database, key, uuid_, dataset.metadata, dataset.partitionKeys, self._clock.now())
        except postgres.UniqueViolationError as error:
            raise keys.already_exists(error.constraint) from error

    async def get(self, id_: datacatalog_pb2.DatasetID) -> datacatalog_pb2.Dataset:
        """A dataset. NotFoundError."""
        return store.message(await self.need(id_))

    async def need(self, id_: datacatalog_pb2.DatasetID, *, by_uuid: bool = True) -> postgres.Record:
        """A dataset's row. NotFoundError."""
        key = keys.dataset_key(id_)
        row = await store.get(self._database, key, parse_uuid(id_.UUID) if by_uuid else None)
        if row is None:
            raise keys.not_found("Dataset", str(key))
        return row

    async def list_page(self, request: datacatalog_pb2.ListDatasetsRequest) -> datacatalog_pb2.ListDatasetsResponse:
        """A page of datasets."""
        page = lists.page(request, self._settings)
        filters = lists.filters("Dataset", frozenset({"Dataset"}), request.filter.filters)
        datasets = await store.list_page(self._database, filters, page)
        return datacatalog_pb2.ListDatasetsResponse(datasets=datasets, next_token=page.next_token(len(datasets)))

    async def ensure(self, wanted: Iterable[keys.DatasetKey]) -> dict[keys.DatasetKey, int]:
        """The ids of datasets, made when they are not there; remembered, so that most calls ask nothing."""
        distinct = set(wanted)
        unknown = distinct - self._ids.keys()
        known = {key: self._ids[key] for key in distinct - unknown}
        if unknown:
            uuids = [self._new_uuid() for _ in unknown]
            found = await store.ensure(self._database, unknown, uuids, self._clock.now())
            if len(self._ids) > _REMEMBERED:
                self._ids.clear()
            self._ids |= found
            known |= found
        return known


def parse_uuid(text: str) -> uuid.UUID | None:
    """A UUID that was given; None for none."""
    if not text:
        return None
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise errors.InvalidArgumentError(f"invalid value for UUID, value:[{text[:100]}]") from error


def _check_unique(partition_keys: Iterable[str]) -> None:
    counts = collections.Counter(partition_keys)
    if any(count > 1 for count in counts.values()):
        shown = " ".join(f"{key}:{count}" for key, count in sorted(counts.items()))
        raise errors.InvalidArgumentError(
            f"invalid value for partitionKey, value:[Keys are not unique, occurrence count: map[{shown[:1000]}]]"
        )

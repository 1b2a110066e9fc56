"""What the batch service means."""

import asyncio
import datetime
import uuid
from collections.abc import Callable, Sequence

from google.protobuf import duration_pb2

from volant_core import clock, errors, postgres
from volant_datacatalog import keys
from volant_datacatalog.artifacts import contents
from volant_datacatalog.batches import store
from volant_datacatalog.datasets import operations as datasets
from volant_datacatalog.reservations.store import Place
from volant_datacatalog.settings import DatacatalogSettings
from volantidl.catalog import catalog_pb2
from volantidl.datacatalog import datacatalog_pb2

_ATTEMPTS = 5


class Batches:
    """Look-ups and puts, many at once."""

    def __init__(
        self,
        database: postgres.Database,
        datasets: datasets.Datasets,
        contents: contents.Contents,
        settings: DatacatalogSettings,
        clock: clock.Clock,
        new_uuid: Callable[[], uuid.UUID],
    ) -> None:
        """Work on the tables of datasets and artifacts."""
        self._database = database
        self._datasets = datasets
        self._contents = contents
        self._settings = settings
        self._clock = clock
        self._new_uuid = new_uuid

    def check_size(self, count: int) -> None:
        """Refuse a batch that is too large."""
        if count > self._settings.batch:
            raise errors.InvalidArgumentError(f"a batch has at most {self._settings.batch} entries, not {count}")

    async def look_up(self, queries: Sequence[catalog_pb2.LookupQuery]) -> list[catalog_pb2.LookupResult]:
        """What there is for each query, in their order."""
        self.check_size(len(queries))
        places = [place(query.key) for query in queries]
        oldest = [_oldest(query.max_age, self._clock.now()) for query in queries]
        hits = await store.look_up(self._database, places) if places else []
        return [
            _result(hit)
            if hit is not None and (limit is None or hit.written_at >= limit)
            else catalog_pb2.LookupResult()
            for hit, limit in zip(hits, oldest, strict=True)
        ]

    async def put(self, entries: Sequence[catalog_pb2.PutEntry]) -> list[catalog_pb2.PutResult]:
        """Keep the outputs of each entry; what became of them, in their order."""
        self.check_size(len(entries))
        if not entries:
            return []
        places = [place(entry.key) for entry in entries]
        data = await asyncio.gather(*(self._content(entry) for entry in entries))
        # Of entries for one place, that one counts which would if they came one after another.
        chosen: dict[Place, int] = {}
        for index, (where, entry) in enumerate(zip(places, entries, strict=True)):
            if entry.overwrite or where not in chosen:
                chosen[where] = index
        wanted = {where: keys.DatasetKey(*where[:4]) for where in chosen}
        ids = await self._datasets.ensure(wanted.values())
        puts: dict[Place, store.Put] = {}
        for _ in range(_ATTEMPTS):
            left = [where for where in chosen if where not in puts]
            if not left:
                break
            rows = [
                await self._row(ids[wanted[where]], where, entries[chosen[where]], data[chosen[where]])
                for where in left
            ]
            found = await store.put(self._database, rows, self._clock.now())
            for where, row in zip(left, rows, strict=True):
                done = found[row.dataset_id, row.tag]
                stored = done.fresh or done.replaced
                await self._contents.drop(done.dropped_uri if stored else row.data_uri)
                # Else somebody made the artifact while the statement ran, which so did not see it; next time it will.
                if stored or not row.overwrite:
                    puts[where] = done
        else:
            raise errors.UnavailableError("the same entries of the cache are written again and again; try again")
        return [
            catalog_pb2.PutResult(
                artifact_id=puts[where].artifact_id,
                stored=index == chosen[where] and (puts[where].fresh or puts[where].replaced),
            )
            for index, where in enumerate(places)
        ]

    async def _content(self, entry: catalog_pb2.PutEntry) -> bytes:
        kind = entry.WhichOneof("content")
        if kind is None:
            raise keys.missing("outputs")
        data = entry.outputs if kind == "outputs" else await self._contents.fetch(entry.outputs_uri)
        return contents.check(data)

    async def _row(self, dataset_id: int, where: Place, entry: catalog_pb2.PutEntry, data: bytes) -> store.Row:
        key = self._new_uuid()
        kept = await self._contents.keep(keys.DatasetKey(*where[:4]), str(key), data)
        metadata = datacatalog_pb2.Metadata(key_map=entry.metadata).SerializeToString(deterministic=True)
        return store.Row(dataset_id, where.tag, key, kept.data, kept.uri, metadata, entry.overwrite)


def place(key: catalog_pb2.CacheKey) -> Place:
    """The place of a key, which must be whole."""
    result = Place(key.project, key.domain, key.dataset_name, key.dataset_version, key.tag)
    if not all(result):
        for field, value in zip(result._fields, result, strict=True):
            keys.need(value, f"key.{field}")
    keys.check_length("key", *result)
    return result


def _oldest(max_age: duration_pb2.Duration, now: datetime.datetime) -> datetime.datetime | None:
    """The earliest moment at which outputs may have been written; None: any."""
    if max_age.seconds < 0 or max_age.nanos < 0:
        raise errors.InvalidArgumentError("max_age must not be negative")
    if not max_age.seconds and not max_age.nanos:
        return None
    try:
        return now - max_age.ToTimedelta()
    except OverflowError:  # longer than time is counted
        return None


def _result(hit: store.Hit) -> catalog_pb2.LookupResult:
    result = catalog_pb2.LookupResult(found=True, artifact_id=hit.artifact_id)
    if hit.kept.data is not None:
        result.outputs = hit.kept.data
    elif hit.kept.uri is not None:
        result.outputs_uri = hit.kept.uri
    if hit.metadata:
        result.metadata.MergeFrom(datacatalog_pb2.Metadata.FromString(hit.metadata).key_map)
    result.written_at.FromDatetime(hit.written_at)
    return result

"""What can be done with artifacts."""

import uuid
from collections.abc import Awaitable, Callable, Sequence

from volant_core import clock, errors, postgres
from volant_datacatalog import keys, lists
from volant_datacatalog.artifacts import contents, store
from volant_datacatalog.datasets import operations as datasets
from volant_datacatalog.settings import DatacatalogSettings
from volantidl.datacatalog import datacatalog_pb2

_FILTERS = frozenset({"Artifact", "Partition", "Tag"})
_Handle = datacatalog_pb2.GetArtifactRequest | datacatalog_pb2.UpdateArtifactRequest


class Artifacts:
    """Artifacts of datasets."""

    def __init__(
        self,
        database: postgres.Database,
        datasets: datasets.Datasets,
        contents: contents.Contents,
        settings: DatacatalogSettings,
        clock: clock.Clock,
        new_uuid: Callable[[], uuid.UUID],
    ) -> None:
        """Keep them in `database`, and their data in `contents`."""
        self._database = database
        self._datasets = datasets
        self._contents = contents
        self._settings = settings
        self._clock = clock
        self._new_uuid = new_uuid

    async def create(self, artifact: datacatalog_pb2.Artifact) -> None:
        """Put an artifact into a dataset. NotFoundError for the dataset, AlreadyExistsError."""
        if not artifact.ByteSize():
            raise keys.missing("artifact")
        key = keys.dataset_key(artifact.dataset)
        keys.need(artifact.id, "artifactID")
        keys.check_length("artifact", artifact.id)
        data = contents.join(artifact.data)
        dataset = await self._datasets.need(artifact.dataset)
        _check_partitions(dataset["partition_keys"], artifact.partitions)
        kept = await self._contents.keep(key, artifact.id, data)
        try:
            await store.insert(self._database, self._new_uuid(), dataset["id"], artifact, kept, self._clock.now())
        except postgres.UniqueViolationError as error:
            raise keys.already_exists(error.constraint) from error

    async def get(self, request: datacatalog_pb2.GetArtifactRequest) -> datacatalog_pb2.Artifact:
        """An artifact with its data, by id or tag. NotFoundError."""

        async def find() -> postgres.Record:
            return await self._find(request)

        row, data = await self._with_data(await find(), find)
        return store.message(row, store.dataset_of(row), contents.split(data))

    async def update(self, request: datacatalog_pb2.UpdateArtifactRequest) -> str:
        """Replace an artifact's data and metadata. Its id. NotFoundError."""
        _check_handle(request)
        data = contents.join(request.data)
        row = await self._find(request)
        dataset = keys.DatasetKey(row["project"], row["domain"], row["name"], row["version"])
        kept = await self._contents.keep(dataset, row["artifact_id"], data)
        await store.replace_data(self._database, row["key"], request.metadata, kept, self._clock.now())
        if row["data_uri"] != kept.uri:
            await self._contents.drop(row["data_uri"])
        artifact_id: str = row["artifact_id"]
        return artifact_id

    async def list_page(self, request: datacatalog_pb2.ListArtifactsRequest) -> datacatalog_pb2.ListArtifactsResponse:
        """A page of a dataset's artifacts. NotFoundError for the dataset."""
        keys.dataset_key(request.dataset)
        filters = lists.filters("Artifact", _FILTERS, request.filter.filters)
        page = lists.page(request, self._settings)
        dataset = await self._datasets.need(request.dataset)
        key = keys.DatasetKey(dataset["project"], dataset["domain"], dataset["name"], dataset["version"])
        id_ = key.message(str(dataset["uuid"]))
        artifacts = []
        for listed in await store.list_rows(self._database, dataset["id"], filters, page):

            async def again(artifact_id: str = listed["artifact_id"]) -> postgres.Record:
                found = await store.get_by_id(self._database, artifact_id, key)
                assert found is not None
                return found

            row, data = await self._with_data(listed, again)
            artifacts.append(store.message(row, id_, contents.split(data)))
        return datacatalog_pb2.ListArtifactsResponse(artifacts=artifacts, next_token=page.next_token(len(artifacts)))

    async def add_tag(self, tag: datacatalog_pb2.Tag) -> None:
        """Give an artifact a tag. NotFoundError for the dataset or the artifact, AlreadyExistsError for the tag."""
        if not tag.ByteSize():
            raise keys.missing("tag")
        key = keys.dataset_key(tag.dataset)
        keys.need(tag.name, "tagName")
        keys.need(tag.artifact_id, "artifactID")
        keys.check_length("tag", *key, tag.name)
        dataset = await self._datasets.need(tag.dataset)
        try:
            there = await store.insert_tag(self._database, dataset["id"], tag.artifact_id, tag.name, self._clock.now())
        except postgres.UniqueViolationError as error:
            raise keys.already_exists(error.constraint) from error
        if not there:
            raise _no_artifact(tag.artifact_id, key)

    async def _with_data(
        self, row: postgres.Record, again: Callable[[], Awaitable[postgres.Record]]
    ) -> tuple[postgres.Record, bytes]:
        """A row and its data; the row of now, if the data was replaced between reading the two."""
        try:
            return row, await self._contents.read(contents.Kept(row["data"], row["data_uri"]))
        except errors.NotFoundError:
            row = await again()
        try:
            return row, await self._contents.read(contents.Kept(row["data"], row["data_uri"]))
        except errors.NotFoundError as error:
            raise errors.InternalError(
                f"the data of artifact {row['artifact_id']} is gone from the object store: {error.message}"
            ) from error

    async def _find(self, request: _Handle) -> postgres.Record:
        dataset = _check_handle(request)
        if request.WhichOneof("query_handle") == "artifact_id":
            row = await store.get_by_id(self._database, request.artifact_id, dataset)
            if row is None:
                raise _no_artifact(request.artifact_id, dataset)
            return row
        assert dataset is not None
        row = await store.get_by_tag(self._database, dataset, request.tag_name)
        if row is None:
            raise keys.not_found("Tag", f'name:"{request.tag_name}" dataset:{{{dataset}}}')
        return row


def _check_handle(request: _Handle) -> keys.DatasetKey | None:
    """The dataset that a request names, which only a tag needs."""
    handle = request.WhichOneof("query_handle")
    if handle is None:
        raise keys.missing("one of artifactID/tagName")
    dataset = keys.dataset_key(request.dataset) if handle == "tag_name" or request.HasField("dataset") else None
    if handle == "artifact_id":
        keys.need(request.artifact_id, "artifactID")
    else:
        keys.need(request.tag_name, "tagName")
    return dataset


def _no_artifact(artifact_id: str, dataset: keys.DatasetKey | None) -> errors.NotFoundError:
    where = f"dataset:{{{dataset}}} " if dataset else ""
    return keys.not_found("Artifact", f'{where}id:"{artifact_id}"')


def _check_partitions(wanted: Sequence[str], given: Sequence[datacatalog_pb2.Partition]) -> None:
    if len(wanted) != len(given):
        shown = " ".join(f'key:"{partition.key}" value:"{partition.value}"' for partition in given)
        raise errors.InvalidArgumentError(
            f"Partition key mismatch, dataset keys: [{' '.join(wanted)}], artifact Partitions: [{shown[:1000]}]"
        )
    # As in Flyte, a key may be given twice and another then not at all.
    problems = []
    matched = dict.fromkeys(wanted, False)
    strange = False
    for index, partition in enumerate(given):
        if not partition.key:
            problems.append(f"missing partitionKey[{index}]")
        elif partition.key in matched:
            matched[partition.key] = True
        else:
            strange = True
    if strange:
        shown = " ".join(f"{key}:{str(found).lower()}" for key, found in sorted(matched.items()))
        problems.append(f"Artifact partition assignment does not match dataset partition keys: map[{shown}]")
    if problems:
        raise errors.InvalidArgumentError(", ".join(problems))

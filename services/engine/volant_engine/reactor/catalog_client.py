"""The cache by gRPC: volantidl.catalog, whose calls carry many questions each."""

import datetime
from collections.abc import Sequence

import grpc.aio
from google.protobuf import duration_pb2

from volant_core import errors
from volant_core.blobstore.port import BlobStore
from volant_core.rpc import client, proof
from volant_engine.decide import commands
from volant_engine.reactor import catalog
from volantidl.catalog import catalog_pb2, catalog_pb2_grpc
from volantidl.core import catalog_pb2 as core_catalog_pb2
from volantidl.core import identifier_pb2, literals_pb2

_INLINE = 16 * 1024
"""Bytes of outputs that go in the call itself, rather than by their URI."""


class CatalogClient:
    """Asks the datacatalog service."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        blobs: BlobStore,
        call_seconds: float,
        max_age_seconds: float = 0.0,
        token: str = "",
    ) -> None:
        """Speak over `channel`, each call within `call_seconds`; large outputs are read from `blobs`.

        Outputs older than `max_age_seconds` are not found, if that is not 0. `token` proves who asks.
        """
        self._stub = proof.proving(catalog_pb2_grpc.CacheBatchServiceStub(channel), token)
        self._blobs = blobs
        self._call_seconds = call_seconds
        self._max_age = duration_pb2.Duration()
        self._max_age.FromTimedelta(datetime.timedelta(seconds=max_age_seconds))

    async def look_up(self, keys: Sequence[commands.CacheKey]) -> list[catalog.Found]:
        """What there is for each key."""
        request = catalog_pb2.LookupRequest(
            queries=[catalog_pb2.LookupQuery(key=_key(key), max_age=self._max_age) for key in keys]
        )
        response = await client.call(self._stub.Lookup(request, timeout=self._call_seconds))
        if len(response.results) != len(keys):
            raise errors.InternalError(f"the cache gave {len(response.results)} answers to {len(keys)} questions")
        return [await self._found(key, result) for key, result in zip(keys, response.results, strict=True)]

    async def _found(self, key: commands.CacheKey, result: catalog_pb2.LookupResult) -> catalog.Found:
        metadata = _metadata(key, result.artifact_id, dict(result.metadata))
        if not result.found:
            return catalog.Found(None, metadata)
        data = result.outputs
        if result.WhichOneof("content") == "outputs_uri":
            try:
                data = await self._blobs.get(result.outputs_uri)
            except errors.NotFoundError:
                return catalog.Found(None, metadata)
        return catalog.Found(literals_pb2.LiteralMap.FromString(data), metadata)

    async def put(self, entries: Sequence[catalog.Entry]) -> list[core_catalog_pb2.CatalogMetadata]:
        """Keep outputs."""
        request = catalog_pb2.PutRequest()
        described = []
        for entry in entries:
            source = {
                "task-version": entry.task_version,
                "exec-project": entry.execution.project,
                "exec-domain": entry.execution.domain,
                "execution-name": entry.execution.name,
                "exec-node": entry.node_id,
                "exec-attempt": str(entry.attempt),
            }
            described.append(source)
            added = request.entries.add(key=_key(entry.key), metadata=source, overwrite=entry.overwrite)
            if entry.outputs is None or (entry.uri and entry.outputs.ByteSize() > _INLINE):
                added.outputs_uri = entry.uri
            else:
                added.outputs = entry.outputs.SerializeToString()
        response = await client.call(self._stub.Put(request, timeout=self._call_seconds))
        return [
            _metadata(entry.key, result.artifact_id, source)
            for entry, source, result in zip(entries, described, response.results, strict=True)
        ]

    async def reserve(self, key: commands.CacheKey, owner: str, seconds: float) -> bool:
        """Take or extend the right to compute."""
        every = duration_pb2.Duration(nanos=int(seconds % 1 * 1e9), seconds=int(seconds))
        claim = catalog_pb2.ReservationClaim(key=_key(key), owner_id=owner, heartbeat_interval=every)
        request = catalog_pb2.ReserveRequest(claims=[claim])
        response = await client.call(self._stub.Reserve(request, timeout=self._call_seconds))
        return response.results[0].acquired

    async def release(self, key: commands.CacheKey, owner: str) -> None:
        """Give the right back."""
        release = catalog_pb2.ReservationRelease(key=_key(key), owner_id=owner)
        request = catalog_pb2.ReleaseRequest(releases=[release])
        await client.call(self._stub.Release(request, timeout=self._call_seconds))


def _key(key: commands.CacheKey) -> catalog_pb2.CacheKey:
    return catalog_pb2.CacheKey(
        project=key.project,
        domain=key.domain,
        dataset_name=key.name,
        dataset_version=key.version,
        tag=key.tag,
    )


def _metadata(key: commands.CacheKey, artifact_id: str, source: dict[str, str]) -> core_catalog_pb2.CatalogMetadata:
    """What clients are shown of an entry."""
    metadata = core_catalog_pb2.CatalogMetadata(
        dataset_id=identifier_pb2.Identifier(
            resource_type=identifier_pb2.DATASET,
            project=key.project,
            domain=key.domain,
            name=key.name,
            version=key.version,
        ),
    )
    if artifact_id:
        metadata.artifact_tag.artifact_id = artifact_id
        metadata.artifact_tag.name = key.tag
    if source.get("execution-name"):
        task = metadata.source_task_execution
        task.task_id.resource_type = identifier_pb2.TASK
        task.task_id.project, task.task_id.domain = key.project, key.domain
        task.task_id.name = key.name.removeprefix("flyte_task-")
        task.task_id.version = source.get("task-version", "")
        task.node_execution_id.node_id = source.get("exec-node", "")
        execution = task.node_execution_id.execution_id
        execution.project, execution.domain = source.get("exec-project", ""), source.get("exec-domain", "")
        execution.name = source["execution-name"]
        number = source.get("exec-attempt", "0")
        task.retry_attempt = int(number) if number.isdigit() else 0
    return metadata

"""Decks by signed URL, values by address."""

import datetime

from volant_admin.dataproxy import addresses, uploads
from volant_admin.dataproxy.settings import DataProxySettings
from volant_admin.node_executions import operations as nodes_
from volant_admin.node_executions import store as node_store
from volant_admin.task_executions import operations as tasks_
from volant_core import blobstore, clock, errors
from volantidl.admin import task_execution_pb2
from volantidl.core import identifier_pb2, literals_pb2
from volantidl.service import dataproxy_pb2


class Downloads:
    """Hands out what executions wrote."""

    def __init__(
        self,
        blobs: blobstore.BlobStore,
        nodes: nodes_.NodeExecutions,
        tasks: tasks_.TaskExecutions,
        settings: DataProxySettings,
        clock: clock.Clock,
    ) -> None:
        """Keep the dependencies."""
        self._blobs = blobs
        self._nodes = nodes
        self._tasks = tasks
        self._settings = settings
        self._clock = clock

    def location(
        self, request: dataproxy_pb2.CreateDownloadLocationRequest
    ) -> dataproxy_pb2.CreateDownloadLocationResponse:
        """A URL for anything in the store."""
        if not request.native_url:
            raise errors.InvalidArgumentError("error while validating request: missing native_url")
        lifetime = uploads.lifetime_of(
            request.expires_in if request.HasField("expires_in") else None, self._settings.longest_download
        )
        # As in Flyte, what stands before :// does not count: there is one store.
        _, scheme, place = request.native_url.partition("://")
        try:
            url = self._blobs.sign_get(f"s3://{place}" if scheme else request.native_url, lifetime)
        except errors.InvalidArgumentError as error:
            raise errors.InvalidArgumentError(
                f"error while validating request: invalid value for native_url: {error.message}"
            ) from error
        return dataproxy_pb2.CreateDownloadLocationResponse(
            signed_url=url, expires_at=uploads.later(self._clock, lifetime)
        )

    async def link(self, request: dataproxy_pb2.CreateDownloadLinkRequest) -> dataproxy_pb2.CreateDownloadLinkResponse:
        """A URL for a node's deck. NotFoundError when it has none."""
        lifetime = uploads.lifetime_of(
            request.expires_in if request.HasField("expires_in") else None, self._settings.longest_download
        )
        if request.artifact_type == dataproxy_pb2.ARTIFACT_TYPE_UNDEFINED:
            raise errors.InvalidArgumentError(
                "error while validating request. Error: invalid artifact type [ARTIFACT_TYPE_UNDEFINED]"
            )
        if not request.HasField("node_execution_id"):
            raise errors.InvalidArgumentError("error while validating request. Error: source is required. Provided nil")
        try:
            urls = await self._deck(request.node_execution_id, lifetime, request.artifact_type)
        except errors.NotFoundError as error:
            if error.message.startswith("missing entity"):
                raise errors.InvalidArgumentError(f"failed to find node execution. Error: {error.message}") from error
            raise
        return dataproxy_pb2.CreateDownloadLinkResponse(
            signed_url=urls.signed_url, expires_at=urls.expires_at, pre_signed_urls=urls
        )

    async def _deck(
        self,
        id_: identifier_pb2.NodeExecutionIdentifier,
        lifetime: datetime.timedelta,
        kind: int = dataproxy_pb2.ARTIFACT_TYPE_DECK,
    ) -> dataproxy_pb2.PreSignedURLs:
        uri = (await self._nodes.get(id_)).closure.deck_uri
        if not uri or kind != dataproxy_pb2.ARTIFACT_TYPE_DECK:
            raise errors.NotFoundError(f"no deckUrl found for node {node_store.named(id_)}")
        if await self._blobs.head(uri) is None:
            raise errors.NotFoundError(f"object not found: {uri}")
        return dataproxy_pb2.PreSignedURLs(
            signed_url=[self._blobs.sign_get(uri, lifetime)], expires_at=uploads.later(self._clock, lifetime)
        )

    async def data(self, url: str) -> dataproxy_pb2.GetDataResponse:
        """What a flyte:// address names."""
        address = addresses.parse(url)
        if address.kind == "d":
            if address.attempt is not None:
                await self._attempt(address)
                raise errors.InvalidArgumentError(
                    "deck type cannot be specified with a retry attempt, just use the node instead"
                )
            deck = await self._deck(address.node, self._settings.longest_download)
            return dataproxy_pb2.GetDataResponse(pre_signed_urls=deck)
        literals = await self._literals(address)
        if not address.literal:
            return dataproxy_pb2.GetDataResponse(literal_map=literals)
        if address.literal not in literals.literals:
            raise errors.InvalidArgumentError(f"name [{address.literal}] not found in [{url}]")
        return dataproxy_pb2.GetDataResponse(literal=literals.literals[address.literal])

    async def _literals(self, address: addresses.Address) -> literals_pb2.LiteralMap:
        if address.attempt is None:
            of_node = await self._nodes.data(address.node)
            return of_node.full_inputs if address.kind == "i" else of_node.full_outputs
        of_task = await self._tasks.data(await self._attempt(address))
        return of_task.full_inputs if address.kind == "i" else of_task.full_outputs

    async def _attempt(self, address: addresses.Address) -> identifier_pb2.TaskExecutionIdentifier:
        found = await self._tasks.list_page(
            task_execution_pb2.TaskExecutionListRequest(
                node_execution_id=address.node, limit=1, filters=f"eq(retry_attempt,{address.attempt})"
            )
        )
        if not found.task_executions:
            raise errors.InvalidArgumentError(
                f"no task executions were listed: node {node_store.named(address.node)} has no attempt"
                f" {address.attempt}"
            )
        return found.task_executions[0].id

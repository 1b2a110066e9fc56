"""Flyte's DataCatalog service."""

from volant_core import rpc
from volant_datacatalog.artifacts import operations as artifacts
from volant_datacatalog.datasets import operations as datasets
from volant_datacatalog.reservations import operations as reservations
from volantidl.datacatalog import datacatalog_pb2 as messages


class DataCatalogServicer:
    """The RPCs of DataCatalog."""

    def __init__(
        self, datasets: datasets.Datasets, artifacts: artifacts.Artifacts, reservations: reservations.Reservations
    ) -> None:
        """Keep the operations."""
        self._datasets = datasets
        self._artifacts = artifacts
        self._reservations = reservations

    async def CreateDataset(
        self, request: messages.CreateDatasetRequest, context: rpc.RpcContext
    ) -> messages.CreateDatasetResponse:
        await self._datasets.create(request.dataset)
        return messages.CreateDatasetResponse()

    async def GetDataset(
        self, request: messages.GetDatasetRequest, context: rpc.RpcContext
    ) -> messages.GetDatasetResponse:
        return messages.GetDatasetResponse(dataset=await self._datasets.get(request.dataset))

    async def ListDatasets(
        self, request: messages.ListDatasetsRequest, context: rpc.RpcContext
    ) -> messages.ListDatasetsResponse:
        return await self._datasets.list_page(request)

    async def CreateArtifact(
        self, request: messages.CreateArtifactRequest, context: rpc.RpcContext
    ) -> messages.CreateArtifactResponse:
        await self._artifacts.create(request.artifact)
        return messages.CreateArtifactResponse()

    async def GetArtifact(
        self, request: messages.GetArtifactRequest, context: rpc.RpcContext
    ) -> messages.GetArtifactResponse:
        return messages.GetArtifactResponse(artifact=await self._artifacts.get(request))

    async def UpdateArtifact(
        self, request: messages.UpdateArtifactRequest, context: rpc.RpcContext
    ) -> messages.UpdateArtifactResponse:
        return messages.UpdateArtifactResponse(artifact_id=await self._artifacts.update(request))

    async def ListArtifacts(
        self, request: messages.ListArtifactsRequest, context: rpc.RpcContext
    ) -> messages.ListArtifactsResponse:
        return await self._artifacts.list_page(request)

    async def AddTag(self, request: messages.AddTagRequest, context: rpc.RpcContext) -> messages.AddTagResponse:
        await self._artifacts.add_tag(request.tag)
        return messages.AddTagResponse()

    async def GetOrExtendReservation(
        self, request: messages.GetOrExtendReservationRequest, context: rpc.RpcContext
    ) -> messages.GetOrExtendReservationResponse:
        return messages.GetOrExtendReservationResponse(reservation=await self._reservations.get_or_extend(request))

    async def ReleaseReservation(
        self, request: messages.ReleaseReservationRequest, context: rpc.RpcContext
    ) -> messages.ReleaseReservationResponse:
        await self._reservations.give_back(request)
        return messages.ReleaseReservationResponse()

"""AdminService: descriptions."""

from volant_admin.description_entities import operations
from volant_core import rpc
from volantidl.admin import common_pb2, description_entity_pb2


class DescriptionEntityMethods:
    """The RPCs of descriptions."""

    def __init__(self, descriptions: operations.DescriptionEntities) -> None:
        """Keep the operations."""
        self._descriptions = descriptions

    async def GetDescriptionEntity(
        self, request: common_pb2.ObjectGetRequest, context: rpc.RpcContext
    ) -> description_entity_pb2.DescriptionEntity:
        return await self._descriptions.get(request.id)

    async def ListDescriptionEntities(
        self, request: description_entity_pb2.DescriptionEntityListRequest, context: rpc.RpcContext
    ) -> description_entity_pb2.DescriptionEntityList:
        return await self._descriptions.list_page(request)

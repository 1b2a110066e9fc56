"""AdminService: names."""

from volant_admin.named_entities import operations
from volant_core import rpc
from volantidl.admin import common_pb2
from volantidl.core import identifier_pb2


class NamedEntityMethods:
    """The RPCs of names."""

    def __init__(self, entities: operations.NamedEntities) -> None:
        """Keep the operations."""
        self._entities = entities

    async def GetNamedEntity(
        self, request: common_pb2.NamedEntityGetRequest, context: rpc.RpcContext
    ) -> common_pb2.NamedEntity:
        return await self._entities.get(request)

    async def UpdateNamedEntity(
        self, request: common_pb2.NamedEntityUpdateRequest, context: rpc.RpcContext
    ) -> common_pb2.NamedEntityUpdateResponse:
        await self._entities.update(request)
        return common_pb2.NamedEntityUpdateResponse()

    async def ListNamedEntities(
        self, request: common_pb2.NamedEntityListRequest, context: rpc.RpcContext
    ) -> common_pb2.NamedEntityList:
        return await self._entities.list_page(request)

    async def ListTaskIds(
        self, request: common_pb2.NamedEntityIdentifierListRequest, context: rpc.RpcContext
    ) -> common_pb2.NamedEntityIdentifierList:
        return await self._entities.list_identifiers(identifier_pb2.TASK, request, "ListUniqueTaskIdentifiers")

    async def ListWorkflowIds(
        self, request: common_pb2.NamedEntityIdentifierListRequest, context: rpc.RpcContext
    ) -> common_pb2.NamedEntityIdentifierList:
        return await self._entities.list_identifiers(identifier_pb2.WORKFLOW, request, "ListWorkflowIdentifiers")

    async def ListLaunchPlanIds(
        self, request: common_pb2.NamedEntityIdentifierListRequest, context: rpc.RpcContext
    ) -> common_pb2.NamedEntityIdentifierList:
        return await self._entities.list_identifiers(identifier_pb2.LAUNCH_PLAN, request, "ListLaunchPlanIds")

"""AdminService: workflows."""

from volant_admin.workflows import operations
from volant_core import rpc
from volantidl.admin import common_pb2, workflow_pb2


class WorkflowMethods:
    """The RPCs of workflows."""

    def __init__(self, workflows: operations.Workflows) -> None:
        """Keep the operations."""
        self._workflows = workflows

    async def CreateWorkflow(
        self, request: workflow_pb2.WorkflowCreateRequest, context: rpc.RpcContext
    ) -> workflow_pb2.WorkflowCreateResponse:
        await self._workflows.create(request)
        return workflow_pb2.WorkflowCreateResponse()

    async def GetWorkflow(self, request: common_pb2.ObjectGetRequest, context: rpc.RpcContext) -> workflow_pb2.Workflow:
        return await self._workflows.get(request.id)

    async def ListWorkflows(
        self, request: common_pb2.ResourceListRequest, context: rpc.RpcContext
    ) -> workflow_pb2.WorkflowList:
        return await self._workflows.list_page(request)

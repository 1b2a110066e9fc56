"""AdminService's methods on node executions."""

from volant_admin.node_executions import operations
from volant_core import rpc
from volantidl.admin import node_execution_pb2


class NodeExecutionMethods:
    """Node executions."""

    def __init__(self, nodes: operations.NodeExecutions) -> None:
        """Keep the operations."""
        self._nodes = nodes

    async def GetNodeExecution(
        self, request: node_execution_pb2.NodeExecutionGetRequest, context: rpc.RpcContext
    ) -> node_execution_pb2.NodeExecution:
        return await self._nodes.get(request.id)

    async def GetDynamicNodeWorkflow(
        self, request: node_execution_pb2.GetDynamicNodeWorkflowRequest, context: rpc.RpcContext
    ) -> node_execution_pb2.DynamicNodeWorkflowResponse:
        return node_execution_pb2.DynamicNodeWorkflowResponse(
            compiled_workflow=await self._nodes.dynamic_workflow(request.id)
        )

    async def ListNodeExecutions(
        self, request: node_execution_pb2.NodeExecutionListRequest, context: rpc.RpcContext
    ) -> node_execution_pb2.NodeExecutionList:
        return await self._nodes.list_page(request)

    async def ListNodeExecutionsForTask(
        self, request: node_execution_pb2.NodeExecutionForTaskListRequest, context: rpc.RpcContext
    ) -> node_execution_pb2.NodeExecutionList:
        return await self._nodes.list_of_task(request)

    async def GetNodeExecutionData(
        self, request: node_execution_pb2.NodeExecutionGetDataRequest, context: rpc.RpcContext
    ) -> node_execution_pb2.NodeExecutionGetDataResponse:
        return await self._nodes.data(request.id)

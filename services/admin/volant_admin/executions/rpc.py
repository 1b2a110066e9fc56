"""AdminService's methods on executions."""

from volant_admin.executions import metrics, operations
from volant_core import rpc
from volantidl.admin import common_pb2, execution_pb2


class ExecutionMethods:
    """Executions."""

    def __init__(self, executions: operations.Executions, metrics: metrics.Metrics) -> None:
        """Keep the dependencies."""
        self._executions = executions
        self._metrics = metrics

    async def CreateExecution(
        self, request: execution_pb2.ExecutionCreateRequest, context: rpc.RpcContext
    ) -> execution_pb2.ExecutionCreateResponse:
        return execution_pb2.ExecutionCreateResponse(id=await self._executions.create(request))

    async def RelaunchExecution(
        self, request: execution_pb2.ExecutionRelaunchRequest, context: rpc.RpcContext
    ) -> execution_pb2.ExecutionCreateResponse:
        return execution_pb2.ExecutionCreateResponse(id=await self._executions.relaunch(request))

    async def RecoverExecution(
        self, request: execution_pb2.ExecutionRecoverRequest, context: rpc.RpcContext
    ) -> execution_pb2.ExecutionCreateResponse:
        return execution_pb2.ExecutionCreateResponse(id=await self._executions.recover(request))

    async def GetExecution(
        self, request: execution_pb2.WorkflowExecutionGetRequest, context: rpc.RpcContext
    ) -> execution_pb2.Execution:
        return await self._executions.get(request.id)

    async def UpdateExecution(
        self, request: execution_pb2.ExecutionUpdateRequest, context: rpc.RpcContext
    ) -> execution_pb2.ExecutionUpdateResponse:
        await self._executions.update(request)
        return execution_pb2.ExecutionUpdateResponse()

    async def GetExecutionData(
        self, request: execution_pb2.WorkflowExecutionGetDataRequest, context: rpc.RpcContext
    ) -> execution_pb2.WorkflowExecutionGetDataResponse:
        return await self._executions.data(request.id)

    async def ListExecutions(
        self, request: common_pb2.ResourceListRequest, context: rpc.RpcContext
    ) -> execution_pb2.ExecutionList:
        return await self._executions.list_page(request)

    async def TerminateExecution(
        self, request: execution_pb2.ExecutionTerminateRequest, context: rpc.RpcContext
    ) -> execution_pb2.ExecutionTerminateResponse:
        await self._executions.terminate(request.id, request.cause)
        return execution_pb2.ExecutionTerminateResponse()

    async def GetExecutionMetrics(
        self, request: execution_pb2.WorkflowExecutionGetMetricsRequest, context: rpc.RpcContext
    ) -> execution_pb2.WorkflowExecutionGetMetricsResponse:
        return execution_pb2.WorkflowExecutionGetMetricsResponse(
            span=await self._metrics.span(request.id, request.depth)
        )

"""AdminService's methods on task executions."""

from volant_admin.task_executions import operations
from volant_core import rpc
from volantidl.admin import task_execution_pb2


class TaskExecutionMethods:
    """Task executions."""

    def __init__(self, tasks: operations.TaskExecutions) -> None:
        """Keep the operations."""
        self._tasks = tasks

    async def GetTaskExecution(
        self, request: task_execution_pb2.TaskExecutionGetRequest, context: rpc.RpcContext
    ) -> task_execution_pb2.TaskExecution:
        return await self._tasks.get(request.id)

    async def ListTaskExecutions(
        self, request: task_execution_pb2.TaskExecutionListRequest, context: rpc.RpcContext
    ) -> task_execution_pb2.TaskExecutionList:
        return await self._tasks.list_page(request)

    async def GetTaskExecutionData(
        self, request: task_execution_pb2.TaskExecutionGetDataRequest, context: rpc.RpcContext
    ) -> task_execution_pb2.TaskExecutionGetDataResponse:
        return await self._tasks.data(request.id)

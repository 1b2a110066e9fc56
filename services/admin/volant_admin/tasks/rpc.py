"""AdminService: tasks."""

from volant_admin.tasks import operations
from volant_core import rpc
from volantidl.admin import common_pb2, task_pb2


class TaskMethods:
    """The RPCs of tasks."""

    def __init__(self, tasks: operations.Tasks) -> None:
        """Keep the operations."""
        self._tasks = tasks

    async def CreateTask(
        self, request: task_pb2.TaskCreateRequest, context: rpc.RpcContext
    ) -> task_pb2.TaskCreateResponse:
        await self._tasks.create(request)
        return task_pb2.TaskCreateResponse()

    async def GetTask(self, request: common_pb2.ObjectGetRequest, context: rpc.RpcContext) -> task_pb2.Task:
        return await self._tasks.get(request.id)

    async def ListTasks(self, request: common_pb2.ResourceListRequest, context: rpc.RpcContext) -> task_pb2.TaskList:
        return await self._tasks.list_page(request)

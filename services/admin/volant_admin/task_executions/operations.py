"""What can be asked of task executions."""

from volant_admin import validation
from volant_admin.executions import store as executions_store
from volant_admin.executions import values
from volant_admin.executions.settings import ExecutionSettings
from volant_admin.node_executions import shown as node_shown
from volant_admin.node_executions import store as node_store
from volant_admin.task_executions import shown, store
from volant_core import postgres
from volantidl.admin import task_execution_pb2
from volantidl.core import identifier_pb2
from volantidl.dispatch import dispatch_pb2

_ARRAY = "container_array"


class TaskExecutions:
    """Task executions."""

    def __init__(self, database: postgres.Database, values: values.Values, settings: ExecutionSettings) -> None:
        """Keep the dependencies."""
        self._database = database
        self._values = values
        self._settings = settings

    async def get(self, id_: identifier_pb2.TaskExecutionIdentifier) -> task_execution_pb2.TaskExecution:
        """One attempt."""
        store.check_id(id_)
        row = await store.row_of(self._database, id_)
        found = shown.task_execution_of(id_.node_execution_id, row)
        if resources := await store.elements(self._database, row, self._settings):
            found.closure.metadata.external_resources.extend(resources)
        return found

    async def list_page(
        self, request: task_execution_pb2.TaskExecutionListRequest
    ) -> task_execution_pb2.TaskExecutionList:
        """A page of the attempts of a node's task."""
        if not request.HasField("node_execution_id"):
            raise validation.missing("id")
        store.check_node(request.node_execution_id)
        return await store.list_page(self._database, request, self._settings)

    async def all_of(
        self, id_: identifier_pb2.WorkflowExecutionIdentifier, limit: int
    ) -> dict[str, list[task_execution_pb2.TaskExecution]]:
        """The attempts of an execution's tasks by node, without the elements of map tasks."""
        number = await executions_store.number_of(self._database, id_)
        found: dict[str, list[task_execution_pb2.TaskExecution]] = {}
        for row in await self._database.fetch(store.QUERIES["all_attempts"], number, limit):
            node = identifier_pb2.NodeExecutionIdentifier(node_id=row["node_id"], execution_id=id_)
            found.setdefault(row["node_id"], []).append(shown.task_execution_of(node, row))
        return found

    async def data(
        self, id_: identifier_pb2.TaskExecutionIdentifier
    ) -> task_execution_pb2.TaskExecutionGetDataResponse:
        """Inputs and outputs."""
        store.check_id(id_)
        row = await store.row_of(self._database, id_)
        record = dispatch_pb2.TaskRecord.FromString(row["record"])
        inputs = None
        if not record.input_uri and record.task_type != _ARRAY:
            # Done by the engine itself: they are kept once, with the node.
            inputs = (await node_store.row_of(self._database, id_.node_execution_id))["inputs"]
        given, made = await self._values.read_both(inputs, record.input_uri, row["outputs"], record.output_uri)
        return task_execution_pb2.TaskExecutionGetDataResponse(
            inputs=given.blob,
            outputs=made.blob,
            full_inputs=given.full,
            full_outputs=made.full,
            flyte_urls=node_shown.urls(id_.node_execution_id, attempt=id_.retry_attempt, deck=False),
        )

"""What can be asked of node executions."""

from google.protobuf.message import DecodeError

from volant_admin import validation
from volant_admin.executions import operations as executions_operations
from volant_admin.executions import store as executions_store
from volant_admin.executions import values
from volant_admin.node_executions import shown, store
from volant_admin.task_executions import store as task_store
from volant_core import blobstore, compiler, errors, postgres
from volantidl.admin import node_execution_pb2
from volantidl.core import compiler_pb2, identifier_pb2, literals_pb2
from volantidl.dispatch import dispatch_pb2


class NodeExecutions:
    """Node executions."""

    def __init__(self, database: postgres.Database, blobs: blobstore.BlobStore, values: values.Values) -> None:
        """Keep the dependencies."""
        self._database = database
        self._blobs = blobs
        self._values = values

    async def get(self, id_: identifier_pb2.NodeExecutionIdentifier) -> node_execution_pb2.NodeExecution:
        """One node."""
        check_id(id_)
        return shown.node_of(id_.execution_id, await store.row_of(self._database, id_))

    async def list_page(
        self, request: node_execution_pb2.NodeExecutionListRequest
    ) -> node_execution_pb2.NodeExecutionList:
        """A page of nodes."""
        if not request.HasField("workflow_execution_id"):
            raise validation.missing("execution_id")
        executions_operations.check_id(request.workflow_execution_id)
        return await store.list_page(self._database, request)

    async def list_of_task(
        self, request: node_execution_pb2.NodeExecutionForTaskListRequest
    ) -> node_execution_pb2.NodeExecutionList:
        """A page of the nodes that a task execution launched."""
        task_store.check_id(request.task_execution_id)
        await task_store.row_of(self._database, request.task_execution_id)
        return await store.list_of_task(self._database, request)

    async def all_of(
        self, id_: identifier_pb2.WorkflowExecutionIdentifier, limit: int
    ) -> list[tuple[str, node_execution_pb2.NodeExecution]]:
        """The first nodes of an execution at all levels, each with its parent's id."""
        number = await executions_store.number_of(self._database, id_)
        rows = await self._database.fetch(store.QUERIES["all_nodes"], number, limit)
        return [(row["parent_node_id"] or "", shown.listed(id_, row)) for row in rows]

    async def data(
        self, id_: identifier_pb2.NodeExecutionIdentifier
    ) -> node_execution_pb2.NodeExecutionGetDataResponse:
        """Inputs, outputs, and the graph that a dynamic node made."""
        check_id(id_)
        row = await store.row_of(self._database, id_)
        record = dispatch_pb2.NodeRecord.FromString(row["record"])
        given, made = await self._values.read_both(row["inputs"], record.input_uri, row["outputs"], record.output_uri)
        if record.spec_node_id == compiler.END_NODE:
            # What comes to an end node are its inputs; that they are the outputs of the workflow is the workflow's.
            made = values.Value(literals_pb2.LiteralMap())
        response = node_execution_pb2.NodeExecutionGetDataResponse(
            inputs=given.blob,
            outputs=made.blob,
            full_inputs=given.full,
            full_outputs=made.full,
            flyte_urls=shown.urls(id_, deck=bool(record.deck_uri)),
        )
        if record.dynamic_closure_uri:
            closure = await self._closure(record.dynamic_closure_uri)
            response.dynamic_workflow.id.CopyFrom(
                record.dynamic_workflow_id if record.HasField("dynamic_workflow_id") else closure.primary.template.id
            )
            response.dynamic_workflow.compiled_workflow.CopyFrom(closure)
            response.dynamic_workflow.dynamic_job_spec_uri = record.dynamic_job_spec_uri
        return response

    async def dynamic_workflow(
        self, id_: identifier_pb2.NodeExecutionIdentifier
    ) -> compiler_pb2.CompiledWorkflowClosure:
        """The graph that a dynamic node made. NotFoundError when it made none."""
        check_id(id_)
        row = await store.row_of(self._database, id_)
        record = dispatch_pb2.NodeRecord.FromString(row["record"])
        if not record.dynamic_closure_uri:
            raise errors.NotFoundError("node does not contain dynamic workflow")
        return await self._closure(record.dynamic_closure_uri)

    async def _closure(self, uri: str) -> compiler_pb2.CompiledWorkflowClosure:
        try:
            return compiler_pb2.CompiledWorkflowClosure.FromString(await self._blobs.get(uri))
        except DecodeError as error:
            raise errors.NotFoundError(f"what is stored at {uri} is no compiled workflow") from error


def check_id(id_: identifier_pb2.NodeExecutionIdentifier) -> None:
    """Refuse an identifier with an empty field."""
    if not id_.HasField("execution_id"):
        raise validation.missing("execution_id")
    validation.require(id_.node_id, "node_id")
    executions_operations.check_id(id_.execution_id)

"""AdminService's event methods."""

from volant_admin import validation
from volant_admin.events import operations
from volant_core import errors, rpc
from volantidl.admin import event_pb2


class EventMethods:
    """Events."""

    def __init__(self, events: operations.Events) -> None:
        """Keep the operations."""
        self._events = events

    async def CreateWorkflowEvent(
        self, request: event_pb2.WorkflowExecutionEventRequest, context: rpc.RpcContext
    ) -> event_pb2.WorkflowExecutionEventResponse:
        if not request.HasField("event"):
            raise errors.InvalidArgumentError("Workflow event handler was called without event")
        await self._events.workflow_event(request.event)
        return event_pb2.WorkflowExecutionEventResponse()

    async def CreateNodeEvent(
        self, request: event_pb2.NodeExecutionEventRequest, context: rpc.RpcContext
    ) -> event_pb2.NodeExecutionEventResponse:
        if not request.HasField("event"):
            raise validation.missing("event")
        await self._events.node_event(request.event)
        return event_pb2.NodeExecutionEventResponse()

    async def CreateTaskEvent(
        self, request: event_pb2.TaskExecutionEventRequest, context: rpc.RpcContext
    ) -> event_pb2.TaskExecutionEventResponse:
        if not request.HasField("event"):
            raise validation.missing("event")
        await self._events.task_event(request.event)
        return event_pb2.TaskExecutionEventResponse()

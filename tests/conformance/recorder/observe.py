"""What an endpoint's API says of executions."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from flyteidl.admin import common_pb2, execution_pb2, node_execution_pb2, task_execution_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2
from flyteidl.service import admin_pb2_grpc

from recorder import recordings

Phase = core_execution_pb2.WorkflowExecution.Phase
NodePhase = core_execution_pb2.NodeExecution.Phase
TaskPhase = core_execution_pb2.TaskExecution.Phase

ENDED = (Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED, Phase.TIMED_OUT)
_NODE_ENDED = (
    NodePhase.SUCCEEDED,
    NodePhase.FAILED,
    NodePhase.ABORTED,
    NodePhase.SKIPPED,
    NodePhase.TIMED_OUT,
    NodePhase.RECOVERED,
)
_TASK_ENDED = (TaskPhase.SUCCEEDED, TaskPhase.FAILED, TaskPhase.ABORTED)
_SETTLING_SECONDS = 30
_LIMIT = 1000

_Identifier = identifier_pb2.WorkflowExecutionIdentifier
_Node = node_execution_pb2.NodeExecution


class Observer:
    """Reads executions at one endpoint."""

    def __init__(self, admin: admin_pb2_grpc.AdminServiceStub, pause: float) -> None:
        """Read through `admin`; what is waited for is looked at each `pause` seconds."""
        self._admin = admin
        self._pause = pause

    def until(self, what: str, seconds: float, seen: Callable[[], Any]) -> Any:
        """What `seen` gives once it gives something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if result := seen():
                return result
            time.sleep(self._pause)
        raise TimeoutError(f"{what}: not within {seconds} s")

    def ended(self, name: _Identifier, seconds: float) -> None:
        """Wait until an execution and all in it have ended."""
        get = execution_pb2.WorkflowExecutionGetRequest(id=name)
        self.until(f"the end of {name.name}", seconds, lambda: self._admin.GetExecution(get).closure.phase in ENDED)
        end = time.monotonic() + _SETTLING_SECONDS
        while not self._settled(name) and time.monotonic() < end:
            time.sleep(self._pause)

    def phase(self, name: _Identifier, path: str) -> str:
        """The phase of the node at `path` ("" while there is none), or of the execution."""
        if not path:
            get = execution_pb2.WorkflowExecutionGetRequest(id=name)
            return Phase.Name(self._admin.GetExecution(get).closure.phase)
        nodes = self._nodes(name)
        found = None
        for word in path.split("/"):
            found = next((node for key, node in nodes if key == word), None)
            if found is None:
                return ""
            nodes = self._children(found)
        return NodePhase.Name(found.closure.phase) if found else ""

    def answers(self, name: _Identifier, key: str) -> dict[str, recordings.Answer]:
        """All that is said of an execution, its nodes, their attempts and the executions that they started."""
        get = execution_pb2.WorkflowExecutionGetRequest(id=name)
        get_data = execution_pb2.WorkflowExecutionGetDataRequest(id=name)
        result = {key: self._admin.GetExecution(get), f"{key}/data": _asked(self._admin.GetExecutionData, get_data)}
        for word, node in self._nodes(name):
            result.update(self._node_answers(node, f"{key}/{word}"))
        return result

    def orders(self, name: _Identifier, key: str) -> dict[str, recordings.Answer]:
        """Lists of an execution's nodes, in the orders that can be asked for."""
        result = {}
        for column in ("node_id", "created_at"):
            for direction in ("ASCENDING", "DESCENDING"):
                sort = common_pb2.Sort(key=column, direction=direction)
                ask = node_execution_pb2.NodeExecutionListRequest(workflow_execution_id=name, limit=100, sort_by=sort)
                result[f"{key}/nodes by {column} {direction}"] = _asked(self._admin.ListNodeExecutions, ask)
        return result

    def _node_answers(self, node: _Node, key: str) -> dict[str, recordings.Answer]:
        # Lists have shortened errors.
        get_node = node_execution_pb2.NodeExecutionGetRequest(id=node.id)
        result: dict[str, recordings.Answer] = {key: _asked(self._admin.GetNodeExecution, get_node)}
        ask = node_execution_pb2.NodeExecutionGetDataRequest(id=node.id)
        result[f"{key}/data"] = _asked(self._admin.GetNodeExecutionData, ask)
        for task in self._tasks(node):
            task_key = f"{key}/task {task.id.task_id.name} {task.id.retry_attempt}"
            get_task = task_execution_pb2.TaskExecutionGetRequest(id=task.id)
            result[task_key] = _asked(self._admin.GetTaskExecution, get_task)
            get = task_execution_pb2.TaskExecutionGetDataRequest(id=task.id)
            result[f"{task_key}/data"] = _asked(self._admin.GetTaskExecutionData, get)
        for word, child in self._children(node):
            result.update(self._node_answers(child, f"{key}/{word}"))
        if node.closure.HasField("workflow_node_metadata"):
            result.update(self.answers(node.closure.workflow_node_metadata.executionId, f"{key}/execution"))
        return result

    def _settled(self, name: _Identifier) -> bool:
        return all(self._node_settled(node) for _, node in self._nodes(name))

    def _node_settled(self, node: _Node) -> bool:
        if node.closure.phase not in _NODE_ENDED:
            return False
        if any(task.closure.phase not in _TASK_ENDED for task in self._tasks(node)):
            return False
        if node.closure.HasField("workflow_node_metadata"):
            get = execution_pb2.WorkflowExecutionGetRequest(id=node.closure.workflow_node_metadata.executionId)
            if self._admin.GetExecution(get).closure.phase not in ENDED:
                return False
        return all(self._node_settled(child) for _, child in self._children(node))

    def _nodes(self, name: _Identifier) -> list[tuple[str, _Node]]:
        return list(_keyed(self._listed(workflow_execution_id=name)))

    def _children(self, node: _Node) -> list[tuple[str, _Node]]:
        if not node.metadata.is_parent_node:
            return []
        return list(_keyed(self._listed(workflow_execution_id=node.id.execution_id, unique_parent_id=node.id.node_id)))

    def _listed(self, **ask: Any) -> list[_Node]:
        sort = common_pb2.Sort(key="node_id", direction=common_pb2.Sort.ASCENDING)
        request = node_execution_pb2.NodeExecutionListRequest(limit=_LIMIT, sort_by=sort, **ask)
        return list(self._admin.ListNodeExecutions(request).node_executions)

    def _tasks(self, node: _Node) -> list[task_execution_pb2.TaskExecution]:
        ask = task_execution_pb2.TaskExecutionListRequest(node_execution_id=node.id, limit=_LIMIT)
        tasks = self._admin.ListTaskExecutions(ask).task_executions
        return sorted(tasks, key=lambda task: task.id.retry_attempt)


def _keyed(nodes: list[_Node]) -> Iterator[tuple[str, _Node]]:
    """Nodes with the words by which ways lead to them: their ids in the workflow, with the parent's attempt from the second on."""
    for node in nodes:
        group = node.metadata.retry_group
        word = node.metadata.spec_node_id or node.id.node_id
        yield word if group in ("", "0") else f"{word}@{group}", node


def _asked(method: Callable[[Any], Any], request: Any) -> recordings.Answer:
    try:
        return method(request)
    except grpc.RpcError as error:
        return recordings.answer_of(error)

"""Where the time of an execution went: a tree of spans, computed from the times in its rows."""

import collections
from collections.abc import Iterable, Mapping, Sequence

from google.protobuf import duration_pb2, timestamp_pb2

from volant_admin.executions import operations, store
from volant_admin.node_executions import operations as nodes_
from volant_admin.node_executions import shown as node_shown
from volant_admin.node_executions import store as node_store
from volant_admin.task_executions import shown as task_shown
from volant_admin.task_executions import store as task_store
from volant_admin.workflows import operations as workflows_
from volant_core import compiler, errors, postgres
from volantidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2
from volantidl.core import compiler_pb2, identifier_pb2, metrics_pb2, workflow_pb2

_MOST_ROWS = 50_000
_DEEPEST = 50
"""Executions below executions."""

_Node = node_execution_pb2.NodeExecution
_Task = task_execution_pb2.TaskExecution
_Spans = list[metrics_pb2.Span]


class Metrics:
    """Computes spans."""

    def __init__(
        self,
        database: postgres.Database,
        executions: operations.Executions,
        nodes: nodes_.NodeExecutions,
        workflows: workflows_.Workflows,
    ) -> None:
        """Keep the dependencies."""
        self._database = database
        self._executions = executions
        self._node_executions = nodes
        self._workflows = workflows

    async def span(self, id_: identifier_pb2.WorkflowExecutionIdentifier, depth: int) -> metrics_pb2.Span:
        """The spans of an execution, down to a depth; a negative one means all."""
        operations.check_given(id_)
        return await self._execution(await self._executions.get(id_), depth, 0)

    async def _execution(self, execution: execution_pb2.Execution, depth: int, level: int) -> metrics_pb2.Span:
        closure = execution.closure
        spans: _Spans = []
        if depth != 0 and level < _DEEPEST:
            tree = await self._tree(execution)
            start = tree.children("").get(compiler.START_NODE)
            if start is None or not start.closure.HasField("updated_at"):
                spans.append(_operation(closure.created_at, closure.updated_at, "WORKFLOW_SETUP"))
            else:
                spans.append(_operation(closure.created_at, start.closure.updated_at, "WORKFLOW_SETUP"))
                spans += await self._nodes(tree, tree.workflow.primary, tree.children(""), depth - 1, level)
                last = _latest_upstream(compiler.END_NODE, tree.workflow.primary, tree.children(""))
                if last is not None:
                    _append_teardown(spans, last.closure.updated_at, closure.updated_at, "WORKFLOW_TEARDOWN")
        return metrics_pb2.Span(
            start_time=closure.created_at, end_time=closure.updated_at, workflow_id=execution.id, spans=spans
        )

    async def _tree(self, execution: execution_pb2.Execution) -> "_Tree":
        number = await store.number_of(self._database, execution.id)
        nodes = await self._database.fetch(node_store.QUERIES["all_nodes"], number, _MOST_ROWS)
        attempts = await self._database.fetch(task_store.QUERIES["all_attempts"], number, _MOST_ROWS)
        row = await self._workflows.get_row(execution.closure.workflow_id)
        closure = (await self._workflows.closure(row.closure_uri)).compiled_workflow
        return _Tree(execution.id, closure, nodes, attempts)

    async def _nodes(
        self,
        tree: "_Tree",
        workflow: compiler_pb2.CompiledWorkflow,
        executions: Mapping[str, _Node],
        depth: int,
        level: int,
    ) -> _Spans:
        """The spans of the nodes of one graph, the first made first."""
        nodes = {node.id: node for node in workflow.template.nodes}
        spans: _Spans = []
        for spec_id, execution in sorted(executions.items(), key=lambda item: _moment(item[1].closure.created_at)):
            node = nodes.get(spec_id)
            if node is None or spec_id in {compiler.START_NODE, compiler.END_NODE}:
                continue
            span = await self._node(tree, execution, node, depth, level)
            last = _latest_upstream(spec_id, workflow, executions)
            if last is not None:
                transition = _operation(last.closure.updated_at, execution.closure.created_at, "NODE_TRANSITION")
                inner = [transition, *span.spans]
                del span.spans[:]
                span.spans.extend(inner)
            spans.append(span)
        return spans

    async def _node(
        self, tree: "_Tree", execution: _Node, node: workflow_pb2.Node, depth: int, level: int
    ) -> metrics_pb2.Span:
        closure = execution.closure
        spans: _Spans = []
        if depth != 0:
            match node.WhichOneof("target"):
                case "branch_node":
                    spans = await self._branch(tree, execution, node.branch_node, depth - 1, level)
                case "gate_node":
                    spans = _gate(execution)
                case "task_node" if execution.metadata.is_parent_node:
                    spans = await self._dynamic(tree, execution, depth - 1, level)
                case "task_node":
                    spans = _attempts(execution, tree.attempts(execution), depth - 1)
                case "workflow_node" if node.workflow_node.HasField("launchplan_ref"):
                    spans = await self._child(execution, depth - 1, level)
                case "workflow_node":
                    spans = await self._sub_workflow(tree, execution, node.workflow_node, depth - 1, level)
                case _:  # arrays are not taken apart
                    spans = []
        return metrics_pb2.Span(
            start_time=closure.created_at, end_time=closure.updated_at, node_id=execution.id, spans=spans
        )

    async def _branch(
        self, tree: "_Tree", execution: _Node, branch: workflow_pb2.BranchNode, depth: int, level: int
    ) -> _Spans:
        closure = execution.closure
        taken = [
            child for child in tree.children(execution.id.node_id).values() if child.closure.HasField("started_at")
        ] or list(tree.children(execution.id.node_id).values())
        nodes = {node.id: node for node in _branches(branch)}
        if not taken or taken[0].metadata.spec_node_id not in nodes:
            return [_operation(closure.created_at, closure.updated_at, "NODE_SETUP")]
        child = taken[0]
        spans = [_operation(closure.created_at, child.closure.created_at, "NODE_SETUP")]
        spans.append(await self._node(tree, child, nodes[child.metadata.spec_node_id], depth, level))
        _append_teardown(spans, child.closure.updated_at, closure.updated_at, "NODE_TEARDOWN")
        return spans

    async def _dynamic(self, tree: "_Tree", execution: _Node, depth: int, level: int) -> _Spans:
        closure = execution.closure
        attempts = tree.attempts(execution)
        if not attempts:
            return [_operation(closure.created_at, closure.updated_at, "NODE_SETUP")]
        spans = [_operation(closure.created_at, attempts[0].closure.created_at, "NODE_SETUP")]
        spans += _all_attempts(attempts, depth)
        ended = attempts[-1].closure.updated_at
        children = tree.children(execution.id.node_id)
        graph = await self._graph(execution)
        start = children.get(compiler.START_NODE)
        if graph is None or start is None:
            _append_teardown(spans, ended, closure.updated_at, "NODE_RESET")
            return spans
        spans.append(_operation(ended, start.closure.updated_at, "NODE_RESET"))
        spans += await self._nodes(tree, graph.primary, children, depth, level)
        last = _latest_upstream(compiler.END_NODE, graph.primary, children)
        if last is not None:
            _append_teardown(spans, last.closure.updated_at, closure.updated_at, "NODE_TEARDOWN")
        return spans

    async def _graph(self, execution: _Node) -> compiler_pb2.CompiledWorkflowClosure | None:
        try:
            return await self._node_executions.dynamic_workflow(execution.id)
        except errors.NotFoundError:
            return None

    async def _child(self, execution: _Node, depth: int, level: int) -> _Spans:
        closure = execution.closure
        if not closure.HasField("workflow_node_metadata"):
            return [_operation(closure.created_at, closure.updated_at, "NODE_SETUP")]
        try:
            child = await self._executions.get(closure.workflow_node_metadata.executionId)
        except errors.NotFoundError:
            return [_operation(closure.created_at, closure.updated_at, "NODE_SETUP")]
        spans = [_operation(closure.created_at, child.closure.created_at, "NODE_SETUP")]
        spans.append(await self._execution(child, depth, level + 1))
        _append_teardown(spans, child.closure.updated_at, closure.updated_at, "NODE_TEARDOWN")
        return spans

    async def _sub_workflow(
        self, tree: "_Tree", execution: _Node, reference: workflow_pb2.WorkflowNode, depth: int, level: int
    ) -> _Spans:
        closure = execution.closure
        children = tree.children(execution.id.node_id)
        start = children.get(compiler.START_NODE)
        graph = tree.sub_workflow(reference.sub_workflow_ref)
        if start is None or graph is None:
            return [_operation(closure.created_at, closure.updated_at, "NODE_SETUP")]
        spans = [_operation(closure.created_at, start.closure.updated_at, "NODE_SETUP")]
        spans += await self._nodes(tree, graph, children, depth, level)
        last = _latest_upstream(compiler.END_NODE, graph, children)
        if last is not None:
            _append_teardown(spans, last.closure.updated_at, closure.updated_at, "NODE_TEARDOWN")
        return spans


class _Tree:
    """The rows of an execution, by parent and node."""

    def __init__(
        self,
        id_: identifier_pb2.WorkflowExecutionIdentifier,
        workflow: compiler_pb2.CompiledWorkflowClosure,
        nodes: Iterable[postgres.Record],
        attempts: Iterable[postgres.Record],
    ) -> None:
        self.workflow = workflow
        self._children: dict[str, dict[str, _Node]] = collections.defaultdict(dict)
        self._attempts: dict[str, list[_Task]] = collections.defaultdict(list)
        for row in nodes:
            execution = node_shown.node_of(id_, row)
            self._children[row["parent_node_id"] or ""][execution.metadata.spec_node_id] = execution
        for row in attempts:
            node = identifier_pb2.NodeExecutionIdentifier(node_id=row["node_id"], execution_id=id_)
            self._attempts[row["node_id"]].append(task_shown.task_execution_of(node, row))

    def children(self, parent: str) -> Mapping[str, _Node]:
        """The nodes under another, by their id in the graph; at the top for the empty text."""
        return self._children.get(parent, {})

    def attempts(self, execution: _Node) -> Sequence[_Task]:
        """The attempts of a node's task, the first made first."""
        found = self._attempts.get(execution.id.node_id, [])
        return sorted(found, key=lambda attempt: _moment(attempt.closure.created_at))

    def sub_workflow(self, id_: identifier_pb2.Identifier) -> compiler_pb2.CompiledWorkflow | None:
        """A sub-workflow of the compiled graph."""
        return next((found for found in self.workflow.sub_workflows if found.template.id == id_), None)


def _operation(start: timestamp_pb2.Timestamp, end: timestamp_pb2.Timestamp, name: str) -> metrics_pb2.Span:
    return metrics_pb2.Span(start_time=start, end_time=end, operation_id=name)


def _append_teardown(spans: _Spans, start: timestamp_pb2.Timestamp, end: timestamp_pb2.Timestamp, name: str) -> None:
    if _moment(end) >= _moment(start):
        spans.append(_operation(start, end, name))


def _moment(stamp: timestamp_pb2.Timestamp) -> tuple[int, int]:
    return stamp.seconds, stamp.nanos


def _plus(stamp: timestamp_pb2.Timestamp, length: duration_pb2.Duration) -> timestamp_pb2.Timestamp:
    carry, nanos = divmod(stamp.nanos + length.nanos, 1_000_000_000)
    return timestamp_pb2.Timestamp(seconds=stamp.seconds + length.seconds + carry, nanos=nanos)


def _latest_upstream(
    node_id: str, workflow: compiler_pb2.CompiledWorkflow, executions: Mapping[str, _Node]
) -> _Node | None:
    """The node before this one that was the last to be done."""
    upstream = workflow.connections.upstream
    ids = upstream[node_id].ids if node_id in upstream else ()
    found = [executions[id_] for id_ in ids if id_ in executions]
    return max(found, key=lambda execution: _moment(execution.closure.updated_at), default=None)


def _branches(branch: workflow_pb2.BranchNode) -> list[workflow_pb2.Node]:
    block = branch.if_else
    return [block.case.then_node, *(other.then_node for other in block.other), block.else_node]


def _gate(execution: _Node) -> _Spans:
    closure = execution.closure
    if not closure.HasField("started_at"):
        return [_operation(closure.created_at, closure.updated_at, "NODE_SETUP")]
    spans = [_operation(closure.created_at, closure.started_at, "NODE_SETUP")]
    if not closure.HasField("duration"):
        return [*spans, _operation(closure.started_at, closure.updated_at, "NODE_IDLE")]
    end = _plus(closure.started_at, closure.duration)
    return [
        *spans,
        _operation(closure.started_at, end, "NODE_IDLE"),
        _operation(end, closure.updated_at, "NODE_TEARDOWN"),
    ]


def _attempts(execution: _Node, attempts: Sequence[_Task], depth: int) -> _Spans:
    closure = execution.closure
    if not attempts:
        return [_operation(closure.created_at, closure.updated_at, "NODE_SETUP")]
    spans = [_operation(closure.created_at, attempts[0].closure.created_at, "NODE_SETUP")]
    spans += _all_attempts(attempts, depth)
    _append_teardown(spans, attempts[-1].closure.updated_at, closure.updated_at, "NODE_TEARDOWN")
    return spans


def _all_attempts(attempts: Sequence[_Task], depth: int) -> _Spans:
    spans: _Spans = []
    for index, attempt in enumerate(attempts):
        if index:
            before = attempts[index - 1].closure.updated_at
            spans.append(_operation(before, attempt.closure.created_at, "NODE_RESET"))
        if depth != 0:
            spans.append(_attempt(attempt))
    return spans


def _attempt(attempt: _Task) -> metrics_pb2.Span:
    closure = attempt.closure
    if not closure.HasField("started_at"):
        spans = [_operation(closure.created_at, closure.updated_at, "TASK_SETUP")]
    else:
        spans = [_operation(closure.created_at, closure.started_at, "TASK_SETUP")]
        if not closure.HasField("duration"):
            spans.append(_operation(closure.started_at, closure.updated_at, "TASK_RUNTIME"))
        else:
            end = _plus(closure.started_at, closure.duration)
            spans.append(_operation(closure.started_at, end, "TASK_RUNTIME"))
            _append_teardown(spans, end, closure.updated_at, "TASK_TEARDOWN")
    return metrics_pb2.Span(start_time=closure.created_at, end_time=closure.updated_at, task_id=attempt.id, spans=spans)

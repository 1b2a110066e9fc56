"""Instances of graphs: opened (from nothing or from records), halted, failed, settled."""

from volant_core.model import literals, phases
from volant_engine.decide import graphs, lifecycle, records, state
from volantidl.core import execution_pb2, literals_pb2
from volantidl.dispatch import dispatch_pb2

_Phase = state.NodePhase
ABORTED = "Workflow aborted."
"""Why nodes end when the execution is aborted, as Flyte says it; the user's own words are the execution's."""
_FAILED = "Some node execution failed, auto-abort."
_FAILED_BELOW = "subworkflow failed"


def open_scope(
    run: state.Run,
    graph: graphs.Graph,
    parent: state.Node | None,
    inputs: literals_pb2.LiteralMap,
    folder: str = "",
) -> state.Scope:
    """Bring a graph to life, taking up what is recorded of it."""
    scope = state.Scope(run, graph, parent, inputs, folder)
    if parent is None:
        run.root = scope
    else:
        parent.child_scope = scope
    key = (parent.id, str(parent.attempt)) if parent else ("", "")
    recorded = run.recorded.pop(key, {})
    if graphs.START not in recorded:
        _record_start(run, scope)
    failing = _restore(run, scope, recorded)
    for spec in graph.specs:
        if scope.unmet[spec.index]:
            continue
        node = scope.nodes[spec.index]
        if node is not None and node.is_terminal:
            continue
        if failing and spec.id not in recorded:
            continue
        run.agenda.append((state.Step.READY, (scope, spec.index)))
    scope.end_record = recorded.get(graphs.END)
    if graph.failure is not None:
        scope.failure_record = recorded.get(graph.failure.id)
    if failing:
        run.later.append((state.Step.FAIL, scope))
    elif not scope.remaining:
        run.agenda.append((state.Step.SETTLE, scope))
    return scope


def _record_start(run: state.Run, scope: state.Scope) -> None:
    node = lifecycle.enlist(run, scope, scope.graph.start)
    node.started_at = run.now
    node.outputs = scope.inputs
    if scope.inputs.ByteSize() > run.limits.inline:
        node.output_uri = run.input_uri if scope.parent is None else scope.parent.input_uri
        if not node.output_uri:
            lifecycle.keep_outputs(run, node, scope.inputs)
    lifecycle.become(run, node, _Phase.SUCCEEDED)


def _restore(run: state.Run, scope: state.Scope, recorded: dict[str, dispatch_pb2.NodeRecord]) -> bool:
    """Put recorded nodes back; true when the scope was failing."""
    graph = scope.graph
    ended: list[state.Node] = []
    for spec_id, record in recorded.items():
        index = graph.by_id.get(spec_id)
        if index is None or graph.specs[index].branch >= 0:
            continue
        node = lifecycle.enlist(run, scope, graph.specs[index])
        take_up(run, node, record)
        if node.is_terminal:
            ended.append(node)
    for node in ended:
        account(scope, node)
    return scope.error is not None and graph.fail_immediately


def take_up(run: state.Run, node: state.Node, record: dispatch_pb2.NodeRecord) -> None:
    """Put one node into its recorded state, under its recorded id."""
    if node.id != record.node_id:
        run.nodes.pop(node.id, None)
        node.id = record.node_id
        run.nodes[node.id] = node
    records.restore_node(node, record)


def recover(run: state.Run, node: state.Node) -> bool:
    """Take over what the recovered execution made of the node; false when the node must run."""
    source = run.source.get(node.id)
    if source is None:
        return False
    if source.phase not in phases.GOOD_NODE:
        node.source = source
        return False
    node.input_uri, node.output_uri, node.deck_uri = source.input_uri, source.output_uri, source.deck_uri
    if source.inputs:
        node.inputs = literals.parse_map(source.inputs)
    if source.outputs:
        node.outputs = literals.parse_map(source.outputs)
    node.cache_status = source.cache_status
    if source.HasField("catalog_key"):
        node.catalog_key = source.catalog_key
    if source.HasField("child_execution"):
        node.child_execution = source.child_execution
    if source.dynamic_job_spec_uri:
        node.dynamic_spec_uri, node.dynamic_closure_uri = source.dynamic_job_spec_uri, source.dynamic_closure_uri
        node.dynamic_id = source.dynamic_workflow_id
    lifecycle.finish(run, node, _Phase.RECOVERED)
    return True


def account(scope: state.Scope, node: state.Node) -> list[int]:
    """Take the end of a top-level node into the counters; the nodes that wait for nothing more now."""
    scope.remaining -= 1
    good = node.phase in phases.GOOD_NODE
    if node.phase in {_Phase.FAILED, _Phase.TIMED_OUT} or (node.phase == _Phase.ABORTED and scope.error is None):
        scope.error = error_of(node)
    ready = []
    unmet = scope.unmet
    for index in node.spec.downstream:
        unmet[index] -= 1
        if not good:
            scope.skip[index] = 1
        if not unmet[index]:
            ready.append(index)
    return ready


def error_of(node: state.Node) -> execution_pb2.ExecutionError:
    """What the end of a node means for what it belongs to."""
    if node.phase == _Phase.TIMED_OUT:
        return state.error("Timeout", "Timeout in node", state.USER)
    return node.error or state.error("UnknownError", f"node [{node.spec.id}] failed", state.UNKNOWN)


def fail(run: state.Run, scope: state.Scope) -> None:
    """The scope has failed: stop everything in it, then run its failure node."""
    if scope.phase != state.ScopePhase.RUNNING:
        return
    if scope.parent is None and run.abort_cause is None:
        run.phase = state.ExecutionPhase.FAILING
        run.error = scope.error
        run.dirty_self = True
    _stop_all(run, scope, _FAILED if scope.parent is None else _FAILED_BELOW)


def halt(run: state.Run, scope: state.Scope, reason: str) -> None:
    """Stop everything in the scope, because what it belongs to ends."""
    if scope.phase == state.ScopePhase.ENDED:
        return
    _stop_all(run, scope, reason)


def _stop_all(run: state.Run, scope: state.Scope, reason: str) -> None:
    scope.phase, scope.reason = state.ScopePhase.HALTING, reason
    for node in list(scope.live):
        lifecycle.halt(run, node, state.Then.ABORT, state.error("NodeAborted", reason, state.UNKNOWN))
    run.agenda.append((state.Step.SETTLE, scope))


def is_unwanted(run: state.Run, scope: state.Scope) -> bool:
    """Whether the scope ends because of something above it, so that its failure is nobody's business."""
    if scope.parent is not None:
        return scope.parent.halting is not None
    return run.abort_cause is not None


def settle(run: state.Run, scope: state.Scope) -> None:
    """See whether the scope has come to its end, and begin what comes then."""
    if scope.phase == state.ScopePhase.HALTING:
        if scope.live:
            return
        failure = scope.graph.failure
        # One that ran already when an engine before this one died is put back even when it is to be stopped.
        wanted = scope.failure_record is not None or not is_unwanted(run, scope)
        if failure is not None and scope.failure is None and wanted:
            _handle_failure(run, scope, failure)
        else:
            close(run, scope)
    elif scope.phase == state.ScopePhase.RUNNING and not scope.remaining and scope.outputs is None:
        if scope.error is not None:
            _skip_end(run, scope)
            fail(run, scope)
        else:
            _finish(run, scope)


def _skip_end(run: state.Run, scope: state.Scope) -> None:
    """Everything that could run has ended, and not all of it well: the end node has nothing to wait for any more."""
    if not scope.graph.fail_immediately and scope.end_record is None:
        lifecycle.skip(run, lifecycle.enlist(run, scope, scope.graph.end))


def _finish(run: state.Run, scope: state.Scope) -> None:
    """Start the end node, or take it as it was recorded."""
    node = scope.outputs = lifecycle.enlist(run, scope, scope.graph.end)
    if scope.end_record is not None:
        take_up(run, node, scope.end_record)
    elif run.source and recover(run, node):
        return
    run.agenda.append((state.Step.ENDED if node.is_terminal else state.Step.START, node))


def _handle_failure(run: state.Run, scope: state.Scope, spec: graphs.Spec) -> None:
    scope.phase = state.ScopePhase.HANDLING
    node = scope.failure = lifecycle.enlist(run, scope, spec)
    if scope.failure_record is not None:
        take_up(run, node, scope.failure_record)
    step = state.Step.ENDED if node.is_terminal else state.Step.START
    run.agenda.append((step, node))
    if is_unwanted(run, scope) and not node.is_terminal:
        run.later.append((state.Step.ABORT, scope))


def close(run: state.Run, scope: state.Scope) -> None:
    """Nothing lives in the scope any more."""
    if scope.phase != state.ScopePhase.ENDED:
        scope.phase = state.ScopePhase.ENDED
        run.agenda.append((state.Step.CLOSED, scope))


def forget(run: state.Run, scope: state.Scope) -> None:
    """Let go of the nodes of a scope whose parent has taken what it needs."""
    for node in (*scope.nodes, *scope.others):
        if node is not None:
            run.nodes.pop(node.id, None)

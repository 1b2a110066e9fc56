"""The way in: one event, and the commands that follow from it."""

from collections.abc import Callable, Mapping
from typing import Any

from volant_core.model import literals
from volant_engine.decide import bindings, commands, events, flow, graphs, lifecycle, scopes, state
from volant_engine.decide.kinds import drivers


def advance(run: state.Run, event: events.Event) -> list[commands.Command]:
    """Tell the run something. What changed in it is due for a report (`records.take`); what it wants is returned."""
    run.now = max(run.now, event.at)
    _HANDLERS[type(event)](run, event)
    flow.work(run)
    wanted, run.commands = run.commands, []
    return wanted


def _began(run: state.Run, event: events.Began) -> None:
    if run.root is not None or run.ended:
        return
    for part in event.recorded:
        for node in part.nodes:
            run.recorded.setdefault((node.parent_node_id, node.retry_group), {})[node.spec_node_id] = node
        for task in part.tasks:
            run.recorded_tasks.setdefault(task.node_id, []).append(task)
        for element in part.elements:
            run.recorded_elements.setdefault(element.node_id, []).append(element)
    run.restoring = bool(run.recorded)
    run.source = {record.node_id: record for record in event.source}
    run.former_facts = event.former_facts
    for child in event.driven:
        run.driven.setdefault(child.parent_node_id, []).append(child)
    start = run.recorded.get(("", ""), {}).get(graphs.START)
    run.started_at = literals.seconds_of(start.started_at) if start is not None else run.now
    run.phase = state.ExecutionPhase.RUNNING
    run.dirty_self = True
    scopes.open_scope(run, run.graph, None, run.inputs)


def _abort(run: state.Run, event: events.AbortWanted) -> None:
    if run.ended or run.abort_cause is not None:
        return
    run.abort_cause = event.cause
    run.phase = state.ExecutionPhase.ABORTING
    run.dirty_self = True
    if run.root is None:
        flow.end(run, state.ExecutionPhase.ABORTED)
    elif run.restoring:
        run.later.append((state.Step.ABORT, run.root))
    else:
        scopes.halt(run, run.root, scopes.ABORTED)


def _broke(run: state.Run, event: events.Broke) -> None:
    if run.ended or run.abort_cause is not None:
        return
    run.error = event.error
    if run.root is None:
        flow.end(run, state.ExecutionPhase.FAILED)
    else:
        run.root.error = event.error
        scopes.fail(run, run.root)


def _fetched(run: state.Run, event: events.Fetched) -> None:
    node = run.nodes.get(event.node_id)
    if node is None or node.is_terminal:
        return
    if not isinstance(node.detail, bindings.Values):
        flow.BEHAVIOURS[node.spec.kind].heard(run, node, event)
        return
    node.detail.maps.update(event.maps)
    node.detail.literals.update(event.literals)
    if event.missing:
        text = "; ".join(f"{uri}: {why}" for uri, why in event.missing.items())
        lifecycle.fail(run, node, state.error("BindingResolutionFailure", text, state.SYSTEM))
    elif node.halting is None:
        run.agenda.append((state.Step.START, node))
    elif flow.is_resuming(node):
        run.agenda.append((state.Step.START, node))
        run.later.append((state.Step.HALT, node))


def _woken(run: state.Run, event: events.Woken) -> None:
    node = run.nodes.get(event.node_id)
    if node is None or node.is_terminal or event.attempt not in {-1, node.attempt}:
        return
    if event.what in {"attempt", "active"}:
        lifecycle.deadline(run, node, event.what)
    else:
        flow.BEHAVIOURS[node.spec.kind].heard(run, node, event)


def _signal(run: state.Run, event: events.SignalCame) -> None:
    for node in run.signals.pop(event.signal_id, []):
        if not node.is_terminal and node.halting is None:
            flow.BEHAVIOURS[node.spec.kind].heard(run, node, event)


def _for_node(run: state.Run, event: Any) -> None:
    node = run.nodes.get(event.node_id)
    if node is not None and not node.is_terminal:
        flow.BEHAVIOURS[node.spec.kind].heard(run, node, event)


def _for_attempt(run: state.Run, event: Any) -> None:
    node = run.nodes.get(event.node_id)
    if node is not None and not node.is_terminal and event.attempt == node.attempt:
        flow.BEHAVIOURS[node.spec.kind].heard(run, node, event)


def _written(run: state.Run, event: events.Written) -> None:
    node = lifecycle.written(run, event.node_id)
    if node is not None and not node.is_terminal:
        flow.BEHAVIOURS[node.spec.kind].heard(run, node, event)


def _children_added(run: state.Run, event: events.ChildrenAdded) -> None:
    for child in event.children:
        node = run.nodes.get(child.parent_node_id)
        if node is None or not drivers.has_begun(node):
            run.driven.setdefault(child.parent_node_id, []).append(child)
        else:
            drivers.add(run, node, (child,))


def _continued(run: state.Run, event: events.Continued) -> None:
    """Nothing of its own: the agenda goes on."""


_HANDLERS: Mapping[type, Callable[[state.Run, Any], None]] = {
    events.Began: _began,
    events.AttemptNews: _for_attempt,
    events.Stopped: _for_attempt,
    events.Fetched: _fetched,
    events.Written: _written,
    events.Woken: _woken,
    events.CacheAnswered: _for_attempt,
    events.CacheStored: _for_attempt,
    events.Reserved: _for_attempt,
    events.ChildStarted: _for_attempt,
    events.ChildEnded: _for_node,
    events.SignalCame: _signal,
    events.GraphCame: _for_attempt,
    events.ChildrenAdded: _children_added,
    events.AbortWanted: _abort,
    events.Continued: _continued,
    events.Broke: _broke,
}

"""Drivers: tasks that add nodes below their own while they run. What eager workflows are to the engine.

The nodes belong to the driver's node, not to its attempt: when an attempt is lost, they run on, and the next one asks
for them by the same keys. They end before their driver's node does.
"""

from collections.abc import Sequence

from volant_core.model import layout
from volant_engine.decide import bindings, graphs, lifecycle, scopes, state
from volantidl.core import compiler_pb2, literals_pb2


def drives(node: state.Node) -> bool:
    """Whether the node is made to wait for others: it counts against no bound, or they could wait for one another."""
    task = node.spec.task
    return task is not None and task.metadata.is_eager


def has_begun(node: state.Node) -> bool:
    """Whether the node has been started here, so that nothing will be taken up for it; false also once it has ended."""
    return node in node.scope.live and not isinstance(node.detail, bindings.Values)


def take_up(run: state.Run, node: state.Node) -> None:
    """Go on with what was added to the node before it began here."""
    children = run.driven.pop(node.id, None)
    if children:
        add(run, node, children)


def add(run: state.Run, node: state.Node, children: Sequence[graphs.Driven]) -> None:
    """Begin new nodes under the driver's; those that it knows already go on as they are."""
    scope = node.child_scope or _open(run, node)
    if not scope.is_driven or scope.phase != state.ScopePhase.RUNNING:
        return
    recorded = run.recorded.get((node.id, str(scope.attempt)), {})
    for child in children:
        if child.node_id in scope.keys:
            continue
        scope.keys.add(child.node_id)
        one = lifecycle.enlist(run, scope, child.spec())
        record = recorded.pop(child.key, None)
        if record is not None:
            scopes.take_up(run, one, record)
        elif run.source and scopes.recover(run, one):
            continue
        run.agenda.append((state.Step.ENDED if one.is_terminal else state.Step.START, one))


def _open(run: state.Run, node: state.Node) -> state.Scope:
    graph = graphs.Library(compiler_pb2.CompiledWorkflowClosure()).primary
    graph.interruptible = node.scope.graph.interruptible
    scope = state.Scope(run, graph, node, literals_pb2.LiteralMap(), layout.DRIVEN, is_driven=True)
    scope.remaining = 1  # the driver itself: only its end ends the scope
    node.child_scope = scope
    node.is_parent = True
    lifecycle.free_slot(run, node)
    lifecycle.touch(run, node)
    return scope


def child_ended(run: state.Run, scope: state.Scope, child: state.Node) -> None:
    """The driver waits to hear of it; nobody else will ask for the node again."""
    run.is_urgent = True
    scope.others.pop(child, None)
    run.nodes.pop(child.id, None)


def end(run: state.Run, node: state.Node) -> bool:
    """End what the driver has added, before its node ends; true when that takes until the scope's end."""
    scope = node.child_scope
    if scope is None or not scope.is_driven:
        return False
    if not scope.others:
        node.child_scope = None
        return False
    scope.reason = "its driver has ended"
    # After what is under way: a node that is about to be taken up from its record has to be, or it would be missed.
    run.agenda.append((state.Step.ABORT, scope))
    return True

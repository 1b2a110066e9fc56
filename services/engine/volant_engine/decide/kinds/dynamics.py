"""The second half of a dynamic node: the graph that its task wrote is compiled and run under the node."""

from volant_core.model import layout
from volant_engine.decide import commands, events, lifecycle, scopes, state
from volant_engine.decide.kinds import attempts
from volantidl.core import literals_pb2


class Compiling:
    """The graph is being compiled, or loaded."""

    __slots__ = ()


def begin(run: state.Run, node: state.Node) -> None:
    """The task has left a graph."""
    node.dynamic_spec_uri = f"{node.output_dir}/{layout.FUTURES}"
    _ask(run, node)


def take_up(run: state.Run, node: state.Node) -> bool:
    """Go on where a graph was recorded, by this execution or the one that it recovers from; false when none was."""
    if node.record is not None and node.dynamic_spec_uri:
        _ask(run, node)
        return True
    source = node.source
    if source is not None and source.dynamic_job_spec_uri and not node.attempt:
        node.dynamic_spec_uri = source.dynamic_job_spec_uri
        _ask(run, node)
        return True
    return False


def _ask(run: state.Run, node: state.Node) -> None:
    task = node.spec.task
    assert task is not None, "a dynamic node is a task node"
    node.detail = Compiling()
    run.commands.append(
        commands.CompileDynamic(
            node.id, node.spec.id, node.attempt, task, node.dynamic_spec_uri, node.dynamic_closure_uri
        )
    )


def graph_came(run: state.Run, node: state.Node, event: events.GraphCame) -> None:
    """The graph is there, or cannot be."""
    if not isinstance(node.detail, Compiling):
        return
    if node.halting is not None and node.record is None:
        lifecycle.halted(run, node)
        return
    if event.graph is None:
        if node.halting is not None:
            lifecycle.halted(run, node)
            return
        assert event.error is not None, "there is a graph or an error"
        node.dynamic_spec_uri = node.dynamic_closure_uri = ""
        if event.retryable:
            lifecycle.retry_or_fail(run, node, event.error)
        else:
            lifecycle.fail(run, node, event.error)
        return
    node.detail = None
    node.is_parent = True
    # From here on its children count; with the node itself, they could wait for one another for ever.
    lifecycle.free_slot(run, node)
    node.dynamic_id = event.workflow_id
    node.dynamic_closure_uri = event.closure_uri
    lifecycle.running(run, node)
    lifecycle.become(run, node, state.NodePhase.DYNAMIC_RUNNING)
    scope = scopes.open_scope(run, event.graph, node, literals_pb2.LiteralMap(), layout.DYNAMIC)
    if node.halting is not None:
        assert node.error is not None, "a node that is halted knows why"
        scope.reason = node.error.message
        run.later.append((state.Step.HALT, node))


def halt(run: state.Run, node: state.Node) -> bool:
    """Stop the graph; false when there is none."""
    if isinstance(node.detail, Compiling):
        # What runs under it (from before a restart) is known only when the graph is: then it is halted.
        return True
    if node.child_scope is None:
        return False
    assert node.error is not None, "a node that is halted knows why"
    scopes.halt(run, node.child_scope, node.error.message)
    return True


def scope_ended(run: state.Run, node: state.Node, scope: state.Scope) -> bool:
    """The graph has ended; true when the node has outputs now and is to succeed."""
    if node.halting is not None:
        lifecycle.halted(run, node)
        return False
    node.child_scope = None
    if scope.error is not None:
        if scope.error.code == "Timeout":
            lifecycle.retry_or_fail(run, node, scope.error)
        else:
            lifecycle.fail(run, node, scope.error)
        return False
    assert scope.outputs is not None, "a scope without error has come to its end node"
    outputs = scope.outputs.outputs
    if outputs is None:
        node.output_uri = scope.outputs.output_uri
    else:
        lifecycle.keep_outputs(run, node, outputs, file=True)
    if node.tasks is not None:
        node.tasks.outputs = True
        attempts.touch(run, node.tasks)
    return True

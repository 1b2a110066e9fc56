"""Sub-workflow nodes: an instance of another graph, run inline under the node."""

from volant_engine.decide import graphs, lifecycle, scopes, state
from volant_engine.decide.kinds import behaviour


def _start(run: state.Run, node: state.Node) -> None:
    inputs = lifecycle.resolve_inputs(run, node)
    if inputs is None:
        return
    lifecycle.queue(run, node)
    lifecycle.keep_inputs(run, node)
    try:
        driven = node.spec.driven
        library = driven.library if driven is not None else node.scope.graph.library
        graph = library.graph(node.spec.message.workflow_node.sub_workflow_ref)
    except graphs.GraphError as missing:
        lifecycle.fail(run, node, state.error("SubWorkflowExecutionFailed", str(missing), state.SYSTEM))
        return
    node.is_parent = True
    lifecycle.running(run, node)
    scopes.open_scope(run, graph, node, inputs)


def _halt(run: state.Run, node: state.Node) -> None:
    if node.child_scope is None:
        lifecycle.halted(run, node)
    else:
        assert node.error is not None, "a node that is halted knows why"
        scopes.halt(run, node.child_scope, node.error.message)


def _scope_ended(run: state.Run, node: state.Node, scope: state.Scope) -> None:
    if node.halting is not None:
        lifecycle.halted(run, node)
    elif scope.error is not None:
        lifecycle.fail(run, node, scope.error)
    else:
        assert scope.outputs is not None, "a scope without error has come to its end node"
        node.outputs, node.output_uri = scope.outputs.outputs, scope.outputs.output_uri
        lifecycle.succeed(run, node)


BEHAVIOUR = behaviour.Behaviour(start=_start, halt=_halt, scope_ended=_scope_ended)

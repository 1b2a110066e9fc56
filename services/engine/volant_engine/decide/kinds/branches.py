"""Branch nodes: choose one of their cases, which runs in the same scope, and pass its outputs on."""

from volant_core.model import phases
from volant_engine.decide import conditions, lifecycle, scopes, state
from volant_engine.decide.kinds import behaviour


def _start(run: state.Run, node: state.Node) -> None:
    inputs = lifecycle.resolve_inputs(run, node)
    if inputs is None:
        return
    lifecycle.queue(run, node)
    lifecycle.keep_inputs(run, node)
    lifecycle.running(run, node)
    block = node.spec.message.branch_node.if_else
    try:
        case = conditions.taken(block, inputs)
    except conditions.MalformedError as malformed:
        _fail(run, node, "MalformedBranchUserError", str(malformed))
        return
    if case is None:
        if block.WhichOneof("default") == "error":
            _fail(run, node, "UserProvidedError", block.error.message)
        else:
            _fail(run, node, "MalformedBranchUserError", "No branch satisfied")
        return
    if case.id not in node.spec.cases:
        message = f"case [{case.id}] of branch [{node.spec.id}] is no node of its workflow"
        lifecycle.fail(run, node, state.error("DownstreamNodeNotFoundError", message, state.SYSTEM))
        return
    _take(run, node, node.spec.cases[case.id])


def _fail(run: state.Run, node: state.Node, code: str, message: str) -> None:
    """No case can be taken; Flyte's words have the code in them."""
    lifecycle.fail(run, node, state.error(code, f"[{code}] {message}", state.USER))


def _take(run: state.Run, node: state.Node, index: int) -> None:
    scope = node.scope
    if node.spec.index not in scope.decided:
        scope.unmet[index] -= 1
    scope.decided[node.spec.index] = index
    scope.nodes[index] = None
    if not scope.unmet[index]:
        run.agenda.append((state.Step.READY, (scope, index)))


def _chosen(node: state.Node) -> state.Node | None:
    index = node.scope.decided.get(node.spec.index)
    return None if index is None else node.scope.nodes[index]


def _halt(run: state.Run, node: state.Node) -> None:
    case = _chosen(node)
    if case is None or case not in node.scope.live:
        lifecycle.halted(run, node)
    else:
        assert node.error is not None, "a node that is halted knows why"
        lifecycle.halt(run, case, state.Then.ABORT, node.error)


def _case_ended(run: state.Run, node: state.Node, case: state.Node) -> None:
    if node.is_terminal:
        return
    if node.halting is not None:
        lifecycle.halted(run, node)
    elif case.phase in phases.GOOD_NODE:
        node.outputs, node.output_uri = case.outputs, case.output_uri
        lifecycle.succeed(run, node)
    elif case.phase == state.NodePhase.SKIPPED:
        lifecycle.skip(run, node)
    else:
        lifecycle.fail(run, node, scopes.error_of(case))


BEHAVIOUR = behaviour.Behaviour(start=_start, halt=_halt, case_ended=_case_ended)

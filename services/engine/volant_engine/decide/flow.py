"""Who is next: readiness, ends and what they set free, scopes and the execution's own end. Steps of the agenda."""

from collections.abc import Callable, Mapping
from typing import Any

from volant_core.model import phases
from volant_engine.decide import bindings, commands, graphs, lifecycle, scopes, state
from volant_engine.decide.kinds import (
    arrays,
    behaviour,
    branches,
    drivers,
    gates,
    launch_plans,
    simple,
    subworkflows,
    tasks,
)
from volantidl.dispatch import dispatch_pb2

_Kind = graphs.Kind
_Phase = state.NodePhase
_Execution = state.ExecutionPhase

BEHAVIOURS: Mapping[graphs.Kind, behaviour.Behaviour] = {
    _Kind.TASK: tasks.BEHAVIOUR,
    _Kind.ECHO: simple.ECHO,
    _Kind.SUBWORKFLOW: subworkflows.BEHAVIOUR,
    _Kind.LAUNCH_PLAN: launch_plans.BEHAVIOUR,
    _Kind.GATE: gates.BEHAVIOUR,
    _Kind.ARRAY: arrays.BEHAVIOUR,
    _Kind.BRANCH: branches.BEHAVIOUR,
    _Kind.END: simple.END,
    _Kind.BROKEN: simple.BROKEN,
    _Kind.START: simple.BROKEN,
}


def _ready(run: state.Run, where: tuple[state.Scope, int]) -> None:
    """Everything before a node has ended: start it, skip it, or take over what an earlier execution made of it."""
    scope, index = where
    spec = scope.graph.specs[index]
    node = scope.nodes[index]
    if node is None:
        record = _case_record(run, scope, spec)
        if scope.phase != state.ScopePhase.RUNNING and record is None:
            return
        node = lifecycle.enlist(run, scope, spec)
        if record is not None:
            scopes.take_up(run, node, record)
            if node.is_terminal:
                run.agenda.append((state.Step.ENDED, node))
    elif scope.phase != state.ScopePhase.RUNNING and not is_resuming(node):
        return
    if node.is_terminal:
        # It had ended before a restart, and was accounted for when it was put back.
        return
    if scope.skip[index]:
        lifecycle.skip(run, node)
    elif run.source and node.record is None and scopes.recover(run, node):
        return
    else:
        _start(run, node)


def _case_record(run: state.Run, scope: state.Scope, spec: graphs.Spec) -> dispatch_pb2.NodeRecord | None:
    """What is recorded of a case of a branch; it is put back when the branch has chosen it again."""
    if spec.branch < 0 or not run.recorded:
        return None
    branch = scope.nodes[spec.branch]
    assert branch is not None, "a case has a branch"
    return run.recorded.get((branch.id, str(branch.attempt)), {}).get(spec.id)


def _start(run: state.Run, node: state.Node) -> None:
    """Begin an attempt, when max_parallelism allows it."""
    scope = node.scope
    resuming = is_resuming(node)
    if node.is_terminal or (node.halting is not None and not resuming):
        return
    if scope.phase not in {state.ScopePhase.RUNNING, state.ScopePhase.HANDLING} and not resuming:
        _refill(run)
        return
    if node.spec.kind in lifecycle.LIMITED and not node.holds_slot and not drivers.drives(node):
        most = run.identity.max_parallelism
        if most > 0 and run.slots >= most and not resuming:
            run.waiting.append(node)
            return
        run.slots += 1
        node.holds_slot = True
    BEHAVIOURS[node.spec.kind].start(run, node)
    if resuming and scope.phase == state.ScopePhase.HALTING:
        # It ran before a restart, and everything in its scope was told to stop before it was put back.
        lifecycle.halt(run, node, state.Then.ABORT, state.error("NodeAborted", scope.reason, state.UNKNOWN))


def is_resuming(node: state.Node) -> bool:
    """Whether a node that ran before a restart is not taken up yet: what runs for it is not known."""
    return node.record is not None and (node not in node.scope.live or isinstance(node.detail, bindings.Values))


def _refill(run: state.Run) -> None:
    if run.waiting:
        run.agenda.append((state.Step.START, run.waiting.popleft()))


def _halt(run: state.Run, node: state.Node) -> None:
    if not node.is_terminal and not is_resuming(node):
        BEHAVIOURS[node.spec.kind].halt(run, node)


def _ended(run: state.Run, node: state.Node) -> None:
    """A node has come to a terminal phase."""
    scope, spec = node.scope, node.spec
    if spec.kind == _Kind.END:
        _end_node_ended(run, scope, node)
        return
    if node is scope.failure:
        _failure_ended(run, scope, node)
    elif scope.is_driven:
        drivers.child_ended(run, scope, node)
    elif spec.branch >= 0:
        branch = scope.nodes[spec.branch]
        assert branch is not None, "a case has a branch"
        BEHAVIOURS[_Kind.BRANCH].case_ended(run, branch, node)
    else:
        ready = scopes.account(scope, node)
        if scope.phase == state.ScopePhase.RUNNING:
            if scope.error is not None and scope.graph.fail_immediately:
                run.agenda.append((state.Step.FAIL, scope))
            for index in ready:
                run.agenda.append((state.Step.READY, (scope, index)))
    if not scope.remaining or scope.phase == state.ScopePhase.HALTING:
        run.agenda.append((state.Step.SETTLE, scope))


def _end_node_ended(run: state.Run, scope: state.Scope, node: state.Node) -> None:
    """The outputs of a scope are there, or cannot be had."""
    if node.phase == _Phase.SKIPPED:
        return
    good = node.phase in phases.GOOD_NODE
    if not good:
        scope.error = scopes.error_of(node)
    if scope.phase == state.ScopePhase.HALTING:
        run.agenda.append((state.Step.SETTLE, scope))
    elif scope.phase == state.ScopePhase.RUNNING and good:
        scopes.close(run, scope)
    elif scope.phase == state.ScopePhase.RUNNING:
        scopes.fail(run, scope)


def _failure_ended(run: state.Run, scope: state.Scope, node: state.Node) -> None:
    """The failure node's own failure takes the place of what it was to handle."""
    if node.phase == _Phase.FAILED:
        scope.error = scopes.error_of(node)
    elif node.phase == _Phase.TIMED_OUT:
        scope.error = state.error("TimedOut", f"FailureNode [{node.spec.id}] timed-out", state.USER)
    scopes.close(run, scope)


def _closed(run: state.Run, scope: state.Scope) -> None:
    """A scope has ended: its parent goes on, or the execution is over."""
    parent = scope.parent
    if parent is not None:
        if parent.child_scope is scope:
            BEHAVIOURS[parent.spec.kind].scope_ended(run, parent, scope)
        scopes.forget(run, scope)
        return
    if run.abort_cause is not None:
        end(run, _Execution.ABORTED)
    elif scope.error is not None:
        run.error = scope.error
        end(run, _Execution.FAILED)
    else:
        assert scope.outputs is not None, "a scope without error has come to its end node"
        run.outputs, run.output_uri = scope.outputs.outputs, scope.outputs.output_uri
        end(run, _Execution.SUCCEEDED)


def end(run: state.Run, phase: phases.ExecutionPhase) -> None:
    """The execution is over."""
    if run.ended:
        return
    run.ended = True
    run.phase = phase
    run.dirty_self = True
    run.commands.append(commands.Ended())


def _abort(run: state.Run, scope: state.Scope) -> None:
    scopes.halt(run, scope, scope.reason if scope.is_driven else scopes.ABORTED)


_STEPS: Mapping[state.Step, Callable[[state.Run, Any], None]] = {
    state.Step.READY: _ready,
    state.Step.START: _start,
    state.Step.HALT: _halt,
    state.Step.ENDED: _ended,
    state.Step.SETTLE: scopes.settle,
    state.Step.CLOSED: _closed,
    state.Step.FAIL: scopes.fail,
    state.Step.ABORT: _abort,
}


def work(run: state.Run) -> None:
    """Take steps until none is left, or until others should have the processor; then ask to be called again."""
    agenda = run.agenda
    left = run.limits.slice
    while agenda or run.later:
        if not agenda:
            run.restoring = False
            agenda.extend(run.later)
            run.later.clear()
        if not left:
            run.commands.append(commands.Continue())
            return
        left -= 1
        step, subject = agenda.popleft()
        _STEPS[step](run, subject)
    run.restoring = False

"""Attempts of task nodes, as far as their records go."""

from collections.abc import Mapping

from volant_core.model import literals, naming, phases
from volant_engine.decide import events, graphs, state
from volantidl.core import execution_pb2
from volantidl.event import event_pb2

_Phase = state.TaskPhase
_PHASES = {
    events.AttemptState.QUEUED: _Phase.QUEUED,
    events.AttemptState.INITIALIZING: _Phase.INITIALIZING,
    events.AttemptState.RUNNING: _Phase.RUNNING,
    events.AttemptState.SUCCEEDED: _Phase.SUCCEEDED,
    events.AttemptState.DYNAMIC: _Phase.SUCCEEDED,
    events.AttemptState.FAILED: _Phase.FAILED,
}
_UNBEGUN = frozenset({state.NodePhase.UNDEFINED, state.NodePhase.QUEUED})
_TASKS = frozenset({graphs.Kind.TASK, graphs.Kind.ECHO, graphs.Kind.ARRAY})


def name_of(run: state.Run, node: state.Node) -> str:
    """The name under which the launcher knows the present attempt of a task node."""
    return naming.attempt_name(run.identity.execution, node.id, str(node.attempt))


def is_recorded(run: state.Run, node: state.Node) -> bool:
    """Whether an engine before this one had begun the present attempt."""
    return any(record.attempt == node.attempt for record in run.recorded_tasks.get(node.id, ()))


def touch(run: state.Run, attempt: state.Try) -> None:
    """The attempt changed: its record is due."""
    run.dirty_tasks.setdefault(attempt.node, {})[attempt] = None


def begin(run: state.Run, node: state.Node, *, interruptible: bool) -> state.Try:
    """A new attempt, or one recorded before, taken up again."""
    attempt = node.tasks = state.Try(node, node.attempt, name_of(run, node), run.now)
    attempt.interruptible = interruptible
    for record in run.recorded_tasks.get(node.id, ()):
        if record.attempt == node.attempt:
            attempt.phase = record.phase
            attempt.version = record.phase_version
            attempt.created_at = literals.seconds_of(record.created_at)
            attempt.started_at = literals.seconds_of(record.started_at) if record.HasField("started_at") else 0.0
            attempt.logs = list(record.logs)
            return attempt
    touch(run, attempt)
    return attempt


def never_began(run: state.Run, node: state.Node) -> None:
    """A task's node ends before anything was started for it: as Flyte has it, its attempt is shown as aborted."""
    if node.tasks is None and node.phase in _UNBEGUN and node.spec.kind in _TASKS and not is_recorded(run, node):
        node.tasks = state.Try(node, node.attempt, name_of(run, node), run.now)
        end(run, node.tasks, _Phase.ABORTED)


def hear(run: state.Run, attempt: state.Try, event: events.AttemptNews) -> None:
    """Take news into the record."""
    phase = _PHASES[event.state]
    if attempt.phase in phases.TERMINAL_TASK:
        # It was recorded by an engine before this one, which then died; its end is told again.
        return
    if phase == attempt.phase:
        attempt.version += 1
    else:
        attempt.phase, attempt.version = phase, 0
    attempt.updated_at = event.occurred_at
    if event.started_at:
        attempt.started_at = event.started_at
    elif phase == _Phase.RUNNING and not attempt.started_at:
        attempt.started_at = event.occurred_at
    if event.logs:
        attempt.logs = list(event.logs)
    reasons = [event.reason] if event.reason else []
    if event.facts:
        if not attempt.facts:
            reasons += _otherwise(run.former_facts.get(attempt.node.id, {}), event.facts)
        attempt.facts.update(event.facts)
    for reason in reasons:
        occurred_at = literals.timestamp(event.occurred_at)
        attempt.reasons.append(event_pb2.EventReason(reason=reason, occurred_at=occurred_at))
    attempt.error = event.error
    attempt.outputs = event.has_outputs
    touch(run, attempt)


def _otherwise(former: Mapping[str, str], facts: Mapping[str, str]) -> list[str]:
    """What a task runs with that differs from what it ran with before, as a reason; nothing where it is the same."""
    changed = [
        f"{name} {facts[name]} (was {former[name]})" for name in facts if facts[name] != former.get(name, facts[name])
    ]
    if not changed:
        return []
    return [f"Runs with something else than in the execution that this one repeats: {', '.join(changed)}"]


def end(
    run: state.Run, attempt: state.Try, phase: phases.TaskPhase, error: execution_pb2.ExecutionError | None = None
) -> None:
    """Come to a terminal phase that no news has brought. Why an attempt was aborted is said by its node."""
    if attempt.phase in phases.TERMINAL_TASK:
        return
    attempt.phase, attempt.version, attempt.error = phase, 0, error
    attempt.updated_at = run.now
    touch(run, attempt)

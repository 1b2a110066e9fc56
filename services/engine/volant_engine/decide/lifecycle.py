"""The life of a node, whatever its kind: queued, running, retried, halted, ended.

Kinds call these; what an end means to others (downstream nodes, the scope) is `flow`'s business, reached by the agenda.
"""

from volant_core.model import literals, phases
from volant_engine.decide import bindings, commands, graphs, state
from volant_engine.decide.kinds import attempts
from volant_engine.launchers import port
from volantidl.core import execution_pb2, literals_pb2

_Phase = state.NodePhase
_BAD = frozenset({_Phase.FAILED, _Phase.ABORTED, _Phase.TIMED_OUT})

LIMITED = frozenset({graphs.Kind.TASK, graphs.Kind.ARRAY, graphs.Kind.LAUNCH_PLAN})
"""Kinds that max_parallelism counts."""


def touch(run: state.Run, node: state.Node) -> None:
    """The node changed: its record is due."""
    run.dirty[node] = None


def become(run: state.Run, node: state.Node, phase: phases.NodePhase) -> None:
    """Change the phase of a node that goes on living."""
    node.phase = phase
    node.updated_at = run.now
    run.dirty[node] = None


def enlist(run: state.Run, scope: state.Scope, spec: graphs.Spec) -> state.Node:
    """Bring a node to life."""
    node = state.Node(scope, spec)
    if spec.index >= 0:
        scope.nodes[spec.index] = node
    else:
        scope.others[node] = None
    run.nodes[node.id] = node
    return node


def queue(run: state.Run, node: state.Node) -> None:
    """The node can run: its inputs are known. One that ran before a restart gets its deadlines back."""
    scope = node.scope
    scope.live[node] = None
    if not node.queued_at:
        node.queued_at = run.now
    if node.attempt_started_at and node.spec.timeout:
        set_deadlines(run, node)
    if node.phase == _Phase.UNDEFINED:
        become(run, node, _Phase.QUEUED)


def running(run: state.Run, node: state.Node, at: float = 0.0) -> None:
    """An attempt of the node has begun; its time-outs start."""
    begun = at or run.now
    if not node.started_at:
        node.started_at = begun
    if node.phase not in {_Phase.RUNNING, _Phase.DYNAMIC_RUNNING}:
        become(run, node, _Phase.RUNNING)
    if not node.attempt_started_at:
        node.attempt_started_at = begun
        if node.spec.timeout:
            set_deadlines(run, node)


def set_deadlines(run: state.Run, node: state.Node) -> None:
    """Two deadlines: one for the attempt, retryable, and twice that for all attempts, from the start of the first.

    Flyte counts the second from when the node was queued; here waiting for a free slot of the launcher costs nothing.
    """
    timeout = node.spec.timeout
    run.commands.append(commands.WakeAt(node.attempt_started_at + timeout, node.id, node.attempt, "attempt"))
    run.commands.append(commands.WakeAt(node.started_at + 2 * timeout, node.id, -1, "active"))


def deadline(run: state.Run, node: state.Node, what: str) -> None:
    """A deadline has come while the node was alive."""
    timeout = node.spec.timeout
    if node.halting is not None or node.is_done or not timeout:
        return
    if what == "active":
        text = f"task active timeout [{literals.go_duration(2 * timeout)}] expired"
        halt(run, node, state.Then.TIME_OUT, state.error("Timeout", text, state.USER))
    else:
        halt(run, node, state.Then.RETRY, timed_out(timeout))


def timed_out(timeout: float) -> execution_pb2.ExecutionError:
    """Why an attempt that took too long is stopped; another may be quicker."""
    text = f"task execution timeout [{literals.go_duration(timeout)}] expired"
    return state.error("TimeoutExpired", text, state.USER)


def resolve_inputs(run: state.Run, node: state.Node) -> literals_pb2.LiteralMap | None:
    """The node's inputs; None when values had to be asked for (START comes again) or when the node failed."""
    values = node.detail if isinstance(node.detail, bindings.Values) else None
    driven = node.spec.driven
    try:
        if driven is None:
            inputs = bindings.resolve(node.scope, node.spec.id, node.spec.bindings, values)
        else:
            inputs = bindings.given(driven, values)
    except bindings.AbsentError as absent:
        if values is None:
            node.detail = values = bindings.Values()
        node.scope.live[node] = None
        node.awaited += 1
        run.commands.append(commands.Fetch(node.id, (absent.uri,), absent.is_map))
        return None
    except bindings.BindingError as wrong:
        fail(run, node, state.error("BindingResolutionFailure", str(wrong), state.SYSTEM))
        return None
    if values is not None:
        node.detail = None
    cause = node.scope.error
    if node is node.scope.failure and cause is not None and "err" in inputs.literals:
        inputs.literals["err"].CopyFrom(literals.error_literal(cause.message, node.spec.id))
    node.inputs = inputs
    return inputs


def keep_inputs(run: state.Run, node: state.Node) -> None:
    """Record inputs that no file holds: in the record where they are small, else in a file written now."""
    inputs = node.inputs
    node.input_uri = ""
    if inputs is not None and inputs.ByteSize() > run.limits.inline:
        node.input_uri = f"{node.data_dir}/inputs.pb"
        write(run, node, node.input_uri, inputs.SerializeToString())


def keep_outputs(
    run: state.Run, node: state.Node, outputs: literals_pb2.LiteralMap | None, *, file: bool = False
) -> None:
    """Take outputs that the engine made: into the record where they are small (and no file is wanted), else a file."""
    node.outputs = outputs
    node.output_uri = ""
    if outputs is None:
        return
    size = outputs.ByteSize()
    if file or size > run.limits.inline:
        node.output_uri = f"{node.output_dir}/outputs.pb"
        write(run, node, node.output_uri, outputs.SerializeToString())


def write(run: state.Run, node: state.Node, uri: str, data: bytes) -> None:
    """Store bytes; the node ends well, and its end is recorded, only after it."""
    node.writes += 1
    run.writing[node.id] = node
    run.commands.append(commands.Write(node.id, uri, data))


def written(run: state.Run, node_id: str) -> state.Node | None:
    """Bytes of a node are stored; the last of them lets it end."""
    node = run.writing.get(node_id)
    if node is None:
        return None
    node.writes -= 1
    if not node.writes:
        del run.writing[node_id]
        if node.is_done and node.halting is None:
            finish(run, node, _Phase.SUCCEEDED)
    return node


def succeed(run: state.Run, node: state.Node) -> None:
    """The node is done, its outputs are set; it has succeeded as soon as they are stored."""
    if node.writes:
        node.is_done = True
        node.detail = None
        node.child_scope = None
    else:
        finish(run, node, _Phase.SUCCEEDED)


def skip(run: state.Run, node: state.Node) -> None:
    """The node will never run, because what it needs does not come."""
    finish(run, node, _Phase.SKIPPED)


def fail(run: state.Run, node: state.Node, error: execution_pb2.ExecutionError) -> None:
    """The node failed for good."""
    node.error = error
    finish(run, node, _Phase.FAILED)


def finish(run: state.Run, node: state.Node, phase: phases.NodePhase) -> None:
    """Come to a terminal phase."""
    if node.is_terminal:
        return
    if phase in _BAD:
        attempts.never_began(run, node)
    # To the end of what is due: everything under it has ended before, and is to be recorded before.
    run.dirty.pop(node, None)
    become(run, node, phase)
    node.scope.live.pop(node, None)
    node.halting = None
    node.child_scope = None
    node.detail = None
    free_slot(run, node)
    run.agenda.append((state.Step.ENDED, node))


def free_slot(run: state.Run, node: state.Node) -> None:
    """The node counts against max_parallelism no more: the next that waits may start."""
    if node.holds_slot:
        node.holds_slot = False
        run.slots -= 1
        if run.waiting:
            run.agenda.append((state.Step.START, run.waiting.popleft()))


def retry_or_fail(run: state.Run, node: state.Node, error: execution_pb2.ExecutionError) -> None:
    """An attempt failed in a way that another may mend: try again if a budget allows it."""
    verdict = _verdict(run, node, error)
    if verdict is not None:
        fail(run, node, verdict)
        return
    if is_free(error):
        node.free_tries += 1
    elif error.kind == state.SYSTEM:
        node.system_failures += 1
    again(run, node)


def may_retry(run: state.Run, node: state.Node, error: execution_pb2.ExecutionError) -> bool:
    """Whether another attempt would follow this failure."""
    return _verdict(run, node, error) is None


def _verdict(
    run: state.Run, node: state.Node, error: execution_pb2.ExecutionError
) -> execution_pb2.ExecutionError | None:
    tried = node.attempt - node.free_tries
    return exhausted(error, tried, node.system_failures, node.spec.max_attempts, run.limits)


def again(run: state.Run, node: state.Node) -> None:
    """Begin the next attempt."""
    node.attempt += 1
    if node.checkpoint_uri:
        node.prev_checkpoint = node.checkpoint_uri
    node.attempt_started_at = 0.0
    node.halting = None
    node.is_done = False
    if node.child_scope is not None and not node.child_scope.is_driven:
        node.child_scope = None
    node.detail = None
    node.error = None
    node.tasks = None
    node.record = None
    node.child_execution = None
    node.output_uri = ""
    node.deck_uri = ""
    node.updated_at = run.now
    run.dirty[node] = None
    run.agenda.append((state.Step.START, node))


def is_free(error: execution_pb2.ExecutionError) -> bool:
    """Whether an attempt was ended by the platform itself, to shut down."""
    return error.code == port.PLATFORM_STOPPED and error.kind == state.SYSTEM


def exhausted(
    error: execution_pb2.ExecutionError, attempt: int, system_failures: int, max_attempts: int, limits: state.Limits
) -> execution_pb2.ExecutionError | None:
    """None where another try is allowed, else the final error.

    SYSTEM failures have a budget of their own; all others use up the user's. What the platform itself ended, to shut
    down, is tried again however often that happens; `attempt` leaves such tries out.
    """
    if is_free(error):
        return None
    if error.kind == state.SYSTEM:
        current, most = system_failures, limits.system_retries
    else:
        current, most = attempt + 1 - system_failures, max_attempts
    if current < most:
        return None
    kind = execution_pb2.ExecutionError.ErrorKind.Name(error.kind)
    return state.error(
        f"RetriesExhausted|{error.code}",
        f"[{current}/{most}] currentAttempt done. Last Error: {kind}::{error.message}",
        state.USER,
    )


def interruptible(run: state.Run, node: state.Node, spec: graphs.Spec, system_failures: int) -> bool:
    """Whether the next attempt may run where it can be taken down."""
    wanted = spec.interruptible
    if wanted is None:
        wanted = run.identity.interruptible
    if wanted is None:
        wanted = node.scope.graph.interruptible
    threshold = run.limits.interruptible_threshold
    if threshold <= 0:
        threshold = run.limits.system_retries + 1 + threshold
    return wanted and system_failures < threshold


def halt(run: state.Run, node: state.Node, then: state.Then, error: execution_pb2.ExecutionError) -> None:
    """Stop what runs for the node, then go on as `then` says. A stronger wish replaces a weaker one."""
    if node.is_terminal:
        return
    if node.halting is not None:
        if then == state.Then.ABORT:
            node.halting, node.error = then, error
        return
    node.halting, node.error = then, error
    run.agenda.append((state.Step.HALT, node))


def halted(run: state.Run, node: state.Node) -> None:
    """Nothing runs for the node any more."""
    then, error = node.halting, node.error
    assert then is not None, "halted without halting"
    assert error is not None, "halted without a reason"
    if then == state.Then.RETRY:
        node.error = None
        retry_or_fail(run, node, error)
    elif then == state.Then.ABORT:
        finish(run, node, _Phase.ABORTED)
    elif then == state.Then.TIME_OUT:
        finish(run, node, _Phase.TIMED_OUT)
    else:
        finish(run, node, _Phase.FAILED)

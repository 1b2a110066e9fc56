"""Task nodes: the cache is asked, an attempt runs somewhere, what it left is taken, and kept in the cache.

A task that leaves a graph instead of outputs is a dynamic node from then on; `dynamics` has that part. One that adds
nodes below its own while it runs is a driver; `drivers` has that.
"""

import enum
from typing import Any

from volant_core.model import layout, naming, phases
from volant_engine.decide import caching, commands, events, lifecycle, state
from volant_engine.decide.kinds import attempts, behaviour, drivers, dynamics
from volantidl.core import catalog_pb2

_Reservation = catalog_pb2.CatalogReservation
_State = events.AttemptState


class Stage(enum.IntEnum):
    """What a task node waits for."""

    LOOK_UP = 1
    RESERVE = 2
    WAIT = 3
    RUN = 4
    STORE = 5


class Progress:
    """How far the present attempt of a task node is."""

    __slots__ = ("key", "owner", "reserved", "stage", "verdict")

    def __init__(self) -> None:
        """At its beginning."""
        self.stage = Stage.RUN
        self.key: commands.CacheKey | None = None
        self.owner = ""
        self.reserved = False
        self.verdict: events.AttemptNews | None = None
        """How the attempt came out, while what it had added is being ended."""


def _start(run: state.Run, node: state.Node) -> None:
    task = node.spec.task
    assert task is not None, "a task node has a task"
    inputs = node.inputs or lifecycle.resolve_inputs(run, node)
    if inputs is None:
        return
    resumed = node.record is not None and (node.phase != state.NodePhase.QUEUED or attempts.is_recorded(run, node))
    lifecycle.queue(run, node)
    drivers.take_up(run, node)
    if dynamics.take_up(run, node):
        return
    progress = node.detail = Progress()
    if not task.metadata.discoverable or not caching.has_outputs(task):
        _launch(run, node, progress)
        return
    if not task.metadata.discovery_version:
        message = f"task [{task.id.name}] is to be cached, but has no cache version"
        lifecycle.fail(run, node, state.error("BadTaskSpecification", message, state.USER))
        return
    progress.key = caching.key_of(task, inputs)
    progress.owner = caching.owner(run, node)
    if run.identity.overwrite_cache:
        node.cache_status = catalog_pb2.CACHE_SKIPPED
        _launch(run, node, progress)
    elif node.attempt or resumed:
        _reserve_or_launch(run, node, progress)
    else:
        _look_up(run, node, progress)


def _look_up(run: state.Run, node: state.Node, progress: Progress) -> None:
    assert progress.key is not None, "only cacheable tasks ask the cache"
    progress.stage = Stage.LOOK_UP
    run.commands.append(commands.LookUp(node.id, node.attempt, -1, progress.key))


def _cache_answered(run: state.Run, node: state.Node, event: events.CacheAnswered) -> None:
    progress: Progress = node.detail
    if event.outputs is None:
        # That nothing was found is said by what comes of it: outputs that are kept, or a failure.
        if event.failure:
            node.cache_status = catalog_pb2.CACHE_LOOKUP_FAILURE
        _reserve_or_launch(run, node, progress)
        return
    _release(run, node, progress)
    node.cache_status, node.catalog_key = catalog_pb2.CACHE_HIT, event.metadata
    node.started_at = node.started_at or run.now
    lifecycle.keep_inputs(run, node)
    lifecycle.keep_outputs(run, node, event.outputs)
    lifecycle.succeed(run, node)


def _reserve_or_launch(run: state.Run, node: state.Node, progress: Progress) -> None:
    task = node.spec.task
    assert task is not None, "a task node has a task"
    if not task.metadata.cache_serializable or progress.reserved:
        _launch(run, node, progress)
        return
    assert progress.key is not None, "only cacheable tasks are serialized"
    progress.stage = Stage.RESERVE
    run.commands.append(commands.Reserve(node.id, node.attempt, -1, progress.key, progress.owner))


def _reserved(run: state.Run, node: state.Node, event: events.Reserved) -> None:
    progress: Progress = node.detail
    if event.acquired:
        progress.reserved = True
        node.reservation = _Reservation.RESERVATION_ACQUIRED
        _launch(run, node, progress)
        return
    node.reservation = _Reservation.RESERVATION_EXISTS
    progress.stage = Stage.WAIT
    lifecycle.touch(run, node)
    run.commands.append(commands.WakeAt(run.now + caching.RETRY_SECONDS, node.id, node.attempt, "cache"))


def _release(run: state.Run, node: state.Node, progress: Progress) -> None:
    if progress.reserved and progress.key is not None:
        progress.reserved = False
        node.reservation = _Reservation.RESERVATION_RELEASED
        run.commands.append(commands.Release(progress.key, progress.owner))


def _launch(run: state.Run, node: state.Node, progress: Progress) -> None:
    task = node.spec.task
    assert task is not None, "a task node has a task"
    progress.stage = Stage.RUN
    execution = run.identity.execution
    generated = naming.generated_name(execution.name, node.id, node.attempt)
    interruptible = lifecycle.interruptible(run, node, node.spec, node.system_failures)
    attempt = attempts.begin(run, node, interruptible=interruptible)
    raw = layout.raw_output_prefix(run.identity.raw_prefix, generated)
    node.checkpoint_uri = f"{raw}/{layout.CHECKPOINTS}"
    inputs = None if node.input_uri else node.inputs
    node.input_uri = f"{node.data_dir}/{layout.INPUTS}"
    prev = node.prev_checkpoint
    if not prev and node.source is not None:
        prev = node.source.checkpoint_uri
    run.commands.append(
        commands.Launch(
            node_id=node.id,
            attempt=node.attempt,
            index=-1,
            number=node.attempt,
            name=attempts.name_of(run, node),
            generated=generated,
            task=task,
            inputs=inputs,
            input_uri=node.input_uri,
            output_dir=node.output_dir,
            raw_output_prefix=raw,
            prev_checkpoint=prev,
            interruptible=interruptible,
            was_running=bool(attempt.started_at),
        )
    )
    if inputs is not None and inputs.ByteSize() > run.limits.held:
        node.inputs = None


def _news(run: state.Run, node: state.Node, event: events.AttemptNews) -> None:
    attempt = node.tasks
    if attempt is None or node.halting is not None or not isinstance(node.detail, Progress):
        return
    attempts.hear(run, attempt, event)
    task = node.spec.task
    assert task is not None, "a task node has a task"
    if event.state == _State.RUNNING:
        lifecycle.running(run, node, event.started_at or event.occurred_at)
        if task.metadata.HasField("generates_deck") and task.metadata.generates_deck.value:
            node.deck_uri = f"{node.output_dir}/{layout.DECK}"
        return
    if event.state in {_State.QUEUED, _State.INITIALIZING}:
        return
    lifecycle.running(run, node, event.started_at or attempt.created_at)
    wants_deck = not task.metadata.HasField("generates_deck") or task.metadata.generates_deck.value
    node.deck_uri = f"{node.output_dir}/{layout.DECK}" if event.deck and wants_deck else ""
    _conclude(run, node, attempt, event)


def _conclude(run: state.Run, node: state.Node, attempt: state.Try, event: events.AttemptNews) -> None:
    """The attempt has ended; what it had added ends with it, unless another attempt follows."""
    if not _is_retried(run, node, event) and drivers.end(run, node):
        node.detail.verdict = event
        return
    run.commands.append(commands.Forget(attempt.name))
    if event.state == _State.FAILED:
        _failed(run, node, event)
    elif event.state == _State.DYNAMIC:
        dynamics.begin(run, node)
    else:
        _succeeded(run, node, event)


def _is_retried(run: state.Run, node: state.Node, event: events.AttemptNews) -> bool:
    if event.state != _State.FAILED or event.error is None:
        return False
    return event.retryable and lifecycle.may_retry(run, node, event.error)


def _failed(run: state.Run, node: state.Node, event: events.AttemptNews) -> None:
    assert event.error is not None, "a failed attempt says why"
    _release(run, node, node.detail)
    if event.retryable:
        lifecycle.retry_or_fail(run, node, event.error)
    else:
        lifecycle.fail(run, node, event.error)


def _succeeded(run: state.Run, node: state.Node, event: events.AttemptNews) -> None:
    node.outputs = event.outputs
    if event.has_outputs:
        node.output_uri = f"{node.output_dir}/{layout.OUTPUTS}"
    store(run, node)


def store(run: state.Run, node: state.Node) -> None:
    """The outputs are there: keep them in the cache where that is wanted, then the node is done."""
    task = node.spec.task
    assert task is not None, "a task node has a task"
    progress = node.detail if isinstance(node.detail, Progress) else Progress()
    if not task.metadata.discoverable or not caching.has_outputs(task):
        _release(run, node, progress)
        lifecycle.succeed(run, node)
        return
    if progress.key is None:
        inputs = node.inputs or lifecycle.resolve_inputs(run, node)
        if inputs is None:
            return
        progress.key = caching.key_of(task, inputs)
        progress.owner = caching.owner(run, node)
    node.detail = progress
    progress.stage = Stage.STORE
    overwrite = run.identity.overwrite_cache
    run.commands.append(
        commands.CachePut(
            node.id, node.attempt, -1, node.spec.id, progress.key, task, node.outputs, node.output_uri, overwrite
        )
    )


def _stored(run: state.Run, node: state.Node, event: events.CacheStored) -> None:
    node.cache_status = catalog_pb2.CACHE_PUT_FAILURE if event.failure else catalog_pb2.CACHE_POPULATED
    node.catalog_key = event.metadata
    if not run.identity.overwrite_cache:
        node.catalog_key.ClearField("source_task_execution")  # it is this one, which Flyte says only where it overwrote
    _release(run, node, node.detail)
    lifecycle.succeed(run, node)


def _heard(run: state.Run, node: state.Node, event: Any) -> None:
    if isinstance(event, events.Stopped):
        _stopped(run, node)
    elif isinstance(event, events.GraphCame):
        dynamics.graph_came(run, node, event)
    elif isinstance(event, events.AttemptNews):
        _news(run, node, event)
    elif node.halting is not None or not isinstance(node.detail, Progress):
        return
    elif isinstance(event, events.CacheAnswered):
        _cache_answered(run, node, event)
    elif isinstance(event, events.Reserved):
        _reserved(run, node, event)
    elif isinstance(event, events.CacheStored):
        _stored(run, node, event)
    elif isinstance(event, events.Woken) and node.detail.stage == Stage.WAIT:
        _look_up(run, node, node.detail)


def _halt(run: state.Run, node: state.Node) -> None:
    if isinstance(node.detail, Progress):
        _release(run, node, node.detail)
    if isinstance(node.detail, Progress) and node.detail.stage == Stage.RUN and node.tasks is not None:
        assert node.error is not None, "a node that is halted knows why"
        run.commands.append(commands.Stop(node.id, node.attempt, -1, node.tasks.name, node.error.message))
        if node.halting != state.Then.RETRY:
            drivers.end(run, node)
    elif not dynamics.halt(run, node):
        lifecycle.halted(run, node)


def _stopped(run: state.Run, node: state.Node) -> None:
    if node.halting is None or node.tasks is None:
        return
    attempts.end(run, node.tasks, state.TaskPhase.ABORTED)
    assert node.error is not None, "a node that is halted knows why"
    goes_on = node.halting == state.Then.RETRY and lifecycle.may_retry(run, node, node.error)
    if goes_on or not drivers.end(run, node):
        _halted(run, node)


def _halted(run: state.Run, node: state.Node) -> None:
    if node.tasks is not None:
        run.commands.append(commands.Forget(node.tasks.name))
    lifecycle.halted(run, node)


def _scope_ended(run: state.Run, node: state.Node, scope: state.Scope) -> None:
    if scope.is_driven:
        node.child_scope = None
        if node.halting is not None:
            # While its own attempt is being stopped, that is waited for.
            if node.tasks is None or node.tasks.phase in phases.TERMINAL_TASK:
                _halted(run, node)
        elif node.tasks is not None and isinstance(node.detail, Progress) and node.detail.verdict is not None:
            _conclude(run, node, node.tasks, node.detail.verdict)
    elif dynamics.scope_ended(run, node, scope):
        store(run, node)


BEHAVIOUR = behaviour.Behaviour(start=_start, halt=_halt, heard=_heard, scope_ended=_scope_ended)

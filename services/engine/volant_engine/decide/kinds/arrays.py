"""Array nodes: a task (or launch plan) for each element of a list, so many at a time, with its own retries and cache.

An element costs a few bytes until it is launched and after it has ended; only those in flight are objects.
"""

from typing import Any

from volant_core.model import layout
from volant_engine.decide import bindings, commands, events, lifecycle, state
from volant_engine.decide.kinds import attempts, behaviour, element_flights, element_records, elements
from volantidl.core import literals_pb2


def _start(run: state.Run, node: state.Node) -> None:
    values = node.detail if isinstance(node.detail, bindings.Values) else None
    inputs = lifecycle.resolve_inputs(run, node)
    if inputs is None:
        return
    arr = node.spec.message.array_node
    bound = frozenset(arr.bound_inputs)
    whole = _read_through(run, node, inputs, bound, values)
    if whole is None:
        return
    lifecycle.queue(run, node)
    try:
        size = elements.size_of(whole, bound)
    except elements.SizeError as wrong:
        lifecycle.fail(run, node, state.error("InvalidArrayLength", str(wrong), state.USER))
        return
    criteria = arr.WhichOneof("success_criteria")
    least = elements.least_successes(
        size,
        minimum=arr.min_successes if criteria == "min_successes" else None,
        ratio=arr.min_success_ratio if criteria == "min_success_ratio" else None,
    )
    most = arr.parallelism or run.limits.array_window
    progress = node.detail = elements.Progress(size, least, most, bound, run.limits.element)
    node.inputs = whole
    node.input_uri = f"{node.data_dir}/{layout.INPUTS}"
    attempts.begin(run, node, interruptible=lifecycle.interruptible(run, node, node.spec, 0))
    element_records.recall(run, node, progress)
    lifecycle.write(run, node, node.input_uri, inputs.SerializeToString())


def _read_through(
    run: state.Run,
    node: state.Node,
    inputs: literals_pb2.LiteralMap,
    bound: frozenset[str],
    values: bindings.Values | None,
) -> literals_pb2.LiteralMap | None:
    """The inputs with lists that are kept elsewhere read; None when they had to be asked for."""
    elsewhere = {
        name: literal.offloaded_metadata.uri
        for name, literal in inputs.literals.items()
        if name not in bound and literal.WhichOneof("value") == "offloaded_metadata"
    }
    if not elsewhere:
        return inputs
    known = values or bindings.Values()
    missing = [uri for uri in elsewhere.values() if uri not in known.literals]
    if missing:
        node.detail = known
        node.scope.live[node] = None
        run.commands.append(commands.Fetch(node.id, missing, maps=False))
        return None
    whole = literals_pb2.LiteralMap()
    whole.CopyFrom(inputs)
    for name, uri in elsewhere.items():
        whole.literals[name].CopyFrom(known.literals[uri])
    return whole


def _fill(run: state.Run, node: state.Node, progress: elements.Progress) -> None:
    """Launch as many elements as may be in flight, or come to the end."""
    if not progress.ready or node.halting is not None:
        return
    while not progress.failing:
        if progress.size - progress.failed < progress.least:
            _give_up(run, node, progress)
            return
        if progress.done + progress.failed == progress.size:
            _gather(run, node, progress)
            return
        index = _next(progress) if len(progress.flights) < progress.most else -1
        if index < 0:
            return
        progress.states[index] = elements.LIVE
        flight = progress.flights[index] = elements.Flight(index, progress.numbers[index])
        element_flights.begin(run, node, progress, flight)


def _next(progress: elements.Progress) -> int:
    if progress.queue:
        return progress.queue.popleft()
    states = progress.states
    while progress.next < progress.size:
        index = progress.next
        progress.next += 1
        if states[index] == elements.NEW:
            return index
    return -1


def _give_up(run: state.Run, node: state.Node, progress: elements.Progress) -> None:
    """So many have failed that the rest cannot make up for it."""
    progress.failing = True
    element_flights.stop_all(run, node, progress, "ArrayNodeFailing")
    _settle(run, node, progress)


def _settle(run: state.Run, node: state.Node, progress: elements.Progress) -> None:
    """Nothing flies any more: end what is ending."""
    if progress.flights:
        return
    if node.halting is not None:
        if node.tasks is not None:
            attempts.end(run, node.tasks, state.TaskPhase.ABORTED)
        lifecycle.halted(run, node)
    elif progress.failing:
        first = progress.errors.first
        if first is None:
            error = state.error("ArrayNodeFailing", "Unknown reason", state.UNKNOWN)
        else:
            # Whose fault it was, and the code, are each element's own; Flyte says neither of them all.
            error = state.error("", progress.errors.summary(), state.UNKNOWN)
        if node.tasks is not None:
            attempts.end(run, node.tasks, state.TaskPhase.FAILED, error)
        lifecycle.fail(run, node, error)


def _gather(run: state.Run, node: state.Node, progress: elements.Progress) -> None:
    """All elements have ended, and enough of them well: put their outputs together."""
    missing = [uri for uri in progress.outputs.elsewhere.values() if uri not in progress.fetched]
    if missing:
        run.commands.append(commands.Fetch(node.id, missing))
        return
    task = node.spec.task
    names = None if task is None else list(task.interface.outputs.variables)
    outputs = progress.outputs.gather(names, progress.fetched)
    lifecycle.keep_outputs(run, node, outputs, file=True)
    if not node.started_at:
        lifecycle.running(run, node)
    if node.tasks is not None:
        node.tasks.outputs = True
        attempts.end(run, node.tasks, state.TaskPhase.SUCCEEDED)
    lifecycle.succeed(run, node)


def _fetched(run: state.Run, node: state.Node, progress: elements.Progress, event: events.Fetched) -> None:
    progress.fetched.update(event.maps)
    lost = [index for index, uri in progress.outputs.elsewhere.items() if uri in event.missing]
    for index in lost:
        # Its end was recorded before its outputs were stored, and then the engine died: it is run again.
        del progress.outputs.elsewhere[index]
        progress.states[index] = elements.NEW
        progress.done -= 1
        progress.queue.append(index)
    _fill(run, node, progress)


def _heard(run: state.Run, node: state.Node, event: Any) -> None:
    progress = node.detail
    if not isinstance(progress, elements.Progress):
        return
    if isinstance(event, events.Written):
        progress.ready = True
        _fill(run, node, progress)
        return
    if isinstance(event, events.Fetched):
        _fetched(run, node, progress, event)
        return
    ended = element_flights.hear(run, node, progress, event)
    if node.is_terminal:
        return
    if ended and (node.halting is not None or progress.failing):
        _settle(run, node, progress)
    elif ended:
        _fill(run, node, progress)


def _halt(run: state.Run, node: state.Node) -> None:
    progress = node.detail
    if not isinstance(progress, elements.Progress):
        lifecycle.halted(run, node)
        return
    assert node.error is not None, "a node that is halted knows why"
    element_flights.stop_all(run, node, progress, node.error.message)
    _settle(run, node, progress)


BEHAVIOUR = behaviour.Behaviour(start=_start, halt=_halt, heard=_heard)

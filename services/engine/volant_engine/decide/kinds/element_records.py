"""Records of an array's elements, and an array node taken up again from them."""

import functools
from collections.abc import Iterable

import msgpack

from volant_core.model import layout, literals, naming, phases
from volant_engine.decide import lifecycle, state
from volant_engine.decide.kinds import attempts, elements
from volantidl.core import execution_pb2
from volantidl.dispatch import dispatch_pb2

INLINE = 512
"""Bytes up to which an element's outputs are in its record, besides its file."""
_Phase = state.TaskPhase


def tell(
    run: state.Run,
    node: state.Node,
    progress: elements.Progress,
    flight: elements.Flight,
    phase: phases.TaskPhase,
    error: execution_pb2.ExecutionError | None = None,
    *,
    final: bool = True,
) -> None:
    """An element's attempt came into a phase: its record is due, and the array's task changed."""
    index = flight.index
    held = progress.outputs.held(index) if phase == _Phase.SUCCEEDED else None
    if held and sum(map(len, held.values())) > INLINE:
        held = None
    uri = progress.outputs.elsewhere.get(index, "") if phase == _Phase.SUCCEEDED else ""
    run.dirty_elements.setdefault(node, {})[index, flight.number] = functools.partial(
        _record,
        run.now,
        node,
        flight,
        phase,
        error,
        (node.attempt, progress.systems[index], progress.frees[index], final, held, uri),
    )
    attempt = node.tasks
    if attempt is not None:
        if attempt.phase == _Phase.QUEUED:
            attempt.phase, attempt.started_at = _Phase.RUNNING, run.now
        attempt.version += 1
        attempt.updated_at = run.now
        attempts.touch(run, attempt)


def _record(
    now: float,
    node: state.Node,
    flight: elements.Flight,
    phase: phases.TaskPhase,
    error: execution_pb2.ExecutionError | None,
    resume: tuple[object, ...],
) -> dispatch_pb2.ArrayElement:
    generated = naming.generated_name(node.scope.run.identity.execution.name, node.id, node.attempt)
    record = dispatch_pb2.ArrayElement(
        node_id=node.id,
        index=flight.index,
        attempt=flight.number,
        phase=phase,
        external_id=f"{generated}-n{flight.index}-{flight.number}",
        cache_status=flight.cache_status,
        logs=flight.logs,
        updated_at=literals.timestamp(now),
        resume=msgpack.packb(resume),
    )
    if error is not None:
        record.error.CopyFrom(error)
    return record


def renamed(logs: Iterable[execution_pb2.TaskLog], index: int) -> tuple[execution_pb2.TaskLog, ...]:
    """Logs with the element's index in their names."""
    result = []
    for log in logs:
        copy = execution_pb2.TaskLog()
        copy.CopyFrom(log)
        copy.name = f"{log.name}-{index}"
        result.append(copy)
    return tuple(result)


def recall(run: state.Run, node: state.Node, progress: elements.Progress) -> None:
    """Take up what is recorded of the elements of this attempt of the node."""
    latest: dict[int, dispatch_pb2.ArrayElement] = {}
    for record in run.recorded_elements.pop(node.id, ()):
        if record.index >= progress.size or not record.resume:
            continue
        if msgpack.unpackb(record.resume)[0] != node.attempt:
            continue
        known = latest.get(record.index)
        if known is None or record.attempt >= known.attempt:
            latest[record.index] = record
    for index, record in latest.items():
        _put_back(node, progress, index, record)
    if latest and node.phase == state.NodePhase.QUEUED:
        lifecycle.running(run, node)


def _put_back(node: state.Node, progress: elements.Progress, index: int, record: dispatch_pb2.ArrayElement) -> None:
    _, systems, frees, final, held, uri = msgpack.unpackb(record.resume)
    progress.numbers[index] = record.attempt
    progress.systems[index], progress.frees[index] = systems, frees
    if record.phase == _Phase.SUCCEEDED:
        if held is not None and not uri:
            progress.outputs.put(index, held)
        else:
            uri = uri or f"{node.output_dir}/{index}/{record.attempt}/{layout.OUTPUTS}"
            progress.outputs.keep(index, None, uri)
        progress.states[index] = elements.DONE
        progress.done += 1
    elif record.phase == _Phase.FAILED and final:
        progress.states[index] = elements.FAILED
        progress.failed += 1
        progress.errors.add(index, record.error)
    elif record.phase == _Phase.FAILED:
        if lifecycle.is_free(record.error):
            progress.frees[index] += 1
        else:
            progress.systems[index] += record.error.kind == state.SYSTEM
        progress.numbers[index] += 1
        progress.queue.append(index)
    else:
        # What runs already comes first: it is adopted.
        progress.queue.appendleft(index)
        if record.phase == _Phase.RUNNING:
            progress.ran.add(index)

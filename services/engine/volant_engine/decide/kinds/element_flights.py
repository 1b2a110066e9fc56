"""Elements of an array node in flight: looked up, launched, tried again, stored, stopped."""

from typing import Any

from volant_core.model import layout, naming
from volant_engine.decide import caching, commands, events, graphs, lifecycle, state
from volant_engine.decide.kinds import element_records, elements, launch_plans
from volantidl.core import catalog_pb2, execution_pb2, identifier_pb2, literals_pb2, tasks_pb2

_State = events.AttemptState
_Phase = state.TaskPhase


def begin(run: state.Run, node: state.Node, progress: elements.Progress, flight: elements.Flight) -> None:
    """Send an element on its way."""
    spec = _spec(node)
    if spec.kind == graphs.Kind.LAUNCH_PLAN:
        _create(run, node, progress, flight)
        return
    task = spec.task
    if task is None:
        message = f"array node [{node.spec.id}] runs neither a task nor a launch plan"
        error = state.error("BadSpecificationError", message, state.USER)
        _fail(run, node, progress, flight, error, retryable=False)
        return
    if task.metadata.discoverable and task.metadata.discovery_version:
        flight.key = _key(node, progress, task, flight.index)
        if run.identity.overwrite_cache:
            flight.cache_status = catalog_pb2.CACHE_SKIPPED
        elif not flight.number:
            run.commands.append(commands.LookUp(node.id, node.attempt, flight.index, flight.key))
            return
    _launch(run, node, flight)


def _spec(node: state.Node) -> graphs.Spec:
    assert node.spec.element is not None, "an array node has an element"
    return node.spec.element


def _key(node: state.Node, progress: elements.Progress, task: tasks_pb2.TaskTemplate, index: int) -> commands.CacheKey:
    assert node.inputs is not None, "an array node keeps its inputs until it ends"
    if progress.task is None:
        original = node.spec.message.array_node.is_original_sub_node_interface.value
        progress.task = elements.element_task(task, progress.bound, original=original)
    return caching.key_of(progress.task, elements.inputs_of(node.inputs, progress.bound, index))


def _launch(run: state.Run, node: state.Node, flight: elements.Flight) -> None:
    spec = _spec(node)
    assert spec.task is not None, "only tasks are launched"
    execution = run.identity.execution
    number = flight.number
    generated = f"{naming.generated_name(execution.name, node.id, node.attempt)}-n{flight.index}-{number}"
    flight.name = naming.attempt_name(execution, node.id, f"{node.attempt}-n{flight.index}-{number}")
    flight.launched = True
    raw = layout.raw_output_prefix(run.identity.raw_prefix, generated)
    before = f"{generated.rpartition('-')[0]}-{number - 1}"
    systems = node.detail.systems[flight.index]
    was_running = flight.index in node.detail.ran
    node.detail.ran.discard(flight.index)
    run.commands.append(
        commands.Launch(
            node_id=node.id,
            attempt=node.attempt,
            index=flight.index,
            number=number,
            name=flight.name,
            generated=generated,
            task=spec.task,
            inputs=None,
            input_uri=node.input_uri,
            output_dir=output_dir(node, flight.index, number),
            appends_index=node.spec.is_map_task,
            raw_output_prefix=raw,
            prev_checkpoint=(
                f"{layout.raw_output_prefix(run.identity.raw_prefix, before)}/{layout.CHECKPOINTS}" if number else ""
            ),
            interruptible=lifecycle.interruptible(run, node, spec, systems),
            was_running=was_running,
        )
    )


def output_dir(node: state.Node, index: int, number: int) -> str:
    """Where an element's attempt writes its outputs."""
    written = f"{node.output_dir}/{index}/{number}"
    return f"{written}/{index}" if node.spec.is_map_task else written


def _create(run: state.Run, node: state.Node, progress: elements.Progress, flight: elements.Flight) -> None:
    assert node.inputs is not None, "an array node keeps its inputs until it ends"
    spec = _spec(node)
    flight.child = naming.child_execution_name(
        run.identity.execution.name, f"{node.id}-n{flight.index}", node.attempt + flight.number
    )
    run.commands.append(
        commands.CreateChild(
            node_id=node.id,
            attempt=node.attempt,
            index=flight.index,
            name=flight.child,
            launch_plan=spec.message.workflow_node.launchplan_ref,
            inputs=elements.inputs_of(node.inputs, progress.bound, flight.index),
            recover=None,
        )
    )


def hear(run: state.Run, node: state.Node, progress: elements.Progress, event: Any) -> bool:
    """Take an event in; true when a flight has ended by it."""
    if isinstance(event, events.ChildEnded):
        flight = next((one for one in progress.flights.values() if one.child == event.child), None)
    elif isinstance(event, events.Woken):
        return _deadline(run, node, progress, event)
    else:
        flight = progress.flights.get(event.index)
    if flight is None:
        return False
    before = len(progress.flights)
    if isinstance(event, events.Stopped):
        _stopped(run, node, progress, flight)
    elif isinstance(event, events.AttemptNews):
        if event.number == flight.number and flight.stopping is None and not _is_ending(node, progress):
            _news(run, node, progress, flight, event)
    elif isinstance(event, events.ChildStarted):
        _child_started(run, node, progress, flight, event)
    elif _is_ending(node, progress):
        return False
    elif isinstance(event, events.ChildEnded):
        _child_ended(run, node, progress, flight, event)
    elif isinstance(event, events.CacheAnswered):
        _answered(run, node, progress, flight, event)
    elif isinstance(event, events.CacheStored):
        flight.cache_status = catalog_pb2.CACHE_PUT_FAILURE if event.failure else catalog_pb2.CACHE_POPULATED
        _succeed(run, node, progress, flight, flight.outputs)
    return len(progress.flights) < before


def _is_ending(node: state.Node, progress: elements.Progress) -> bool:
    return node.halting is not None or progress.failing


def _news(
    run: state.Run,
    node: state.Node,
    progress: elements.Progress,
    flight: elements.Flight,
    event: events.AttemptNews,
) -> None:
    if event.logs:
        flight.logs = element_records.renamed(event.logs, flight.index)
    if event.state in {_State.QUEUED, _State.INITIALIZING}:
        return
    lifecycle.running(run, node, event.started_at or event.occurred_at)
    if event.state == _State.RUNNING:
        flight.started_at = event.started_at or event.occurred_at
        timeout = _spec(node).timeout
        if timeout:
            what = f"element {flight.index} {flight.number}"
            run.commands.append(commands.WakeAt(flight.started_at + timeout, node.id, node.attempt, what))
        element_records.tell(run, node, progress, flight, _Phase.RUNNING)
        return
    run.commands.append(commands.Forget(flight.name))
    if event.state == _State.FAILED:
        assert event.error is not None, "a failed attempt says why"
        _fail(run, node, progress, flight, event.error, retryable=event.retryable)
    elif event.state == _State.DYNAMIC:
        message = f"element [{flight.index}] made a graph; elements of an array cannot be dynamic"
        _fail(run, node, progress, flight, state.error("BadSpecificationError", message, state.USER), retryable=False)
    elif flight.key is not None and (event.outputs is None or event.outputs.literals):
        flight.outputs = event.outputs
        flight.launched = False
        task = _spec(node).task
        assert task is not None, "only tasks are cached"
        uri = f"{output_dir(node, flight.index, flight.number)}/{layout.OUTPUTS}"
        overwrite = run.identity.overwrite_cache
        put = (flight.index, node.spec.id, flight.key, task, event.outputs, uri, overwrite)
        run.commands.append(commands.CachePut(node.id, node.attempt, *put))
    else:
        _succeed(run, node, progress, flight, event.outputs)


def _succeed(
    run: state.Run,
    node: state.Node,
    progress: elements.Progress,
    flight: elements.Flight,
    outputs: literals_pb2.LiteralMap | None,
    uri: str | None = None,
) -> None:
    index = flight.index
    if uri is None:
        uri = f"{output_dir(node, index, flight.number)}/{layout.OUTPUTS}"
    progress.outputs.keep(index, outputs, uri)
    progress.states[index] = elements.DONE
    progress.done += 1
    del progress.flights[index]
    element_records.tell(run, node, progress, flight, _Phase.SUCCEEDED)


def _fail(
    run: state.Run,
    node: state.Node,
    progress: elements.Progress,
    flight: elements.Flight,
    error: execution_pb2.ExecutionError,
    *,
    retryable: bool,
) -> None:
    index = flight.index
    verdict: execution_pb2.ExecutionError | None = error
    if retryable:
        most = max(_spec(node).max_attempts, node.spec.max_attempts)
        tried = flight.number - progress.frees[index]
        verdict = lifecycle.exhausted(error, tried, progress.systems[index], most, run.limits)
    del progress.flights[index]
    element_records.tell(run, node, progress, flight, _Phase.FAILED, verdict or error, final=verdict is not None)
    if verdict is None:
        if lifecycle.is_free(error):
            progress.frees[index] += 1
        else:
            progress.systems[index] += error.kind == state.SYSTEM
        progress.numbers[index] += 1
        progress.states[index] = elements.NEW
        progress.queue.append(index)
        return
    progress.states[index] = elements.FAILED
    progress.failed += 1
    progress.errors.add(index, verdict)


def _answered(
    run: state.Run,
    node: state.Node,
    progress: elements.Progress,
    flight: elements.Flight,
    event: events.CacheAnswered,
) -> None:
    if event.outputs is None:
        flight.cache_status = catalog_pb2.CACHE_LOOKUP_FAILURE if event.failure else catalog_pb2.CACHE_MISS
        _launch(run, node, flight)
        return
    flight.cache_status = catalog_pb2.CACHE_HIT
    uri = ""
    if event.outputs.ByteSize() > element_records.INLINE:
        uri = f"{output_dir(node, flight.index, flight.number)}/{layout.OUTPUTS}"
        lifecycle.write(run, node, uri, event.outputs.SerializeToString())
    _succeed(run, node, progress, flight, event.outputs, uri)


def _child_started(
    run: state.Run,
    node: state.Node,
    progress: elements.Progress,
    flight: elements.Flight,
    event: events.ChildStarted,
) -> None:
    if event.child is None:
        assert event.error is not None, "there is a child or an error"
        _fail(run, node, progress, flight, event.error, retryable=event.retryable)
        return
    flight.child_known = True
    if _is_ending(node, progress):
        _stop(run, node, flight, node.error.message if node.error is not None else "ArrayNodeFailing")
        return
    lifecycle.running(run, node)
    element_records.tell(run, node, progress, flight, _Phase.RUNNING)


def _child_ended(
    run: state.Run,
    node: state.Node,
    progress: elements.Progress,
    flight: elements.Flight,
    event: events.ChildEnded,
) -> None:
    if event.phase == execution_pb2.WorkflowExecution.SUCCEEDED:
        _succeed(run, node, progress, flight, event.outputs, event.output_uri)
    else:
        error = launch_plans.failure_of(event, f"{node.spec.id}-n{flight.index}")
        _fail(run, node, progress, flight, error, retryable=False)


def _deadline(run: state.Run, node: state.Node, progress: elements.Progress, event: events.Woken) -> bool:
    kind, _, rest = event.what.partition(" ")
    if kind != "element" or _is_ending(node, progress):
        return False
    index, number = map(int, rest.split())
    flight = progress.flights.get(index)
    if flight is None or flight.number != number or flight.stopping is not None or not flight.launched:
        return False
    flight.stopping = lifecycle.timed_out(_spec(node).timeout)
    _stop(run, node, flight, flight.stopping.message)
    return False


def _stop(run: state.Run, node: state.Node, flight: elements.Flight, reason: str) -> None:
    if flight.launched:
        run.commands.append(commands.Stop(node.id, node.attempt, flight.index, flight.name, reason))
    else:
        child = identifier_pb2.WorkflowExecutionIdentifier(
            project=run.identity.execution.project, domain=run.identity.execution.domain, name=flight.child
        )
        cause = launch_plans.cascade(run, state.error("", reason, state.UNKNOWN))
        run.commands.append(commands.EndChild(node.id, node.attempt, flight.index, child, cause))


def stop_all(run: state.Run, node: state.Node, progress: elements.Progress, reason: str) -> None:
    """Stop every element; those that nothing runs for are gone at once."""
    for flight in list(progress.flights.values()):
        if flight.stopping is not None:
            continue
        if flight.launched or flight.child_known:
            _stop(run, node, flight, reason)
        elif not flight.child:
            del progress.flights[flight.index]
        # Else the child is being created: it is stopped once it is known to be there.


def _stopped(run: state.Run, node: state.Node, progress: elements.Progress, flight: elements.Flight) -> None:
    if flight.name:
        run.commands.append(commands.Forget(flight.name))
    if flight.stopping is not None and not _is_ending(node, progress):
        _fail(run, node, progress, flight, flight.stopping, retryable=True)
        return
    del progress.flights[flight.index]
    element_records.tell(run, node, progress, flight, _Phase.ABORTED)

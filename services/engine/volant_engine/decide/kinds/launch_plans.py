"""Launch plan nodes: another execution, started by admin and driven by whichever engine gets it."""

from typing import Any

from volant_core.model import naming
from volant_engine.decide import commands, events, lifecycle, state
from volant_engine.decide.kinds import behaviour
from volantidl.core import execution_pb2, identifier_pb2

_Phase = execution_pb2.WorkflowExecution


class Child:
    """The child execution of the present attempt."""

    __slots__ = ("known", "name")

    def __init__(self, name: str) -> None:
        """It was asked for, under that name."""
        self.name = name
        self.known = False
        """Whether admin has said that it is there."""


def _start(run: state.Run, node: state.Node) -> None:
    inputs = lifecycle.resolve_inputs(run, node)
    if inputs is None:
        return
    lifecycle.queue(run, node)
    lifecycle.keep_inputs(run, node)
    child = node.detail = Child(naming.child_execution_name(run.identity.execution.name, node.id, node.attempt))
    source = node.source
    run.commands.append(
        commands.CreateChild(
            node_id=node.id,
            attempt=node.attempt,
            index=-1,
            name=child.name,
            launch_plan=node.spec.message.workflow_node.launchplan_ref,
            inputs=inputs,
            recover=source.child_execution if source is not None and source.HasField("child_execution") else None,
        )
    )


def _heard(run: state.Run, node: state.Node, event: Any) -> None:
    child = node.detail
    if not isinstance(child, Child):
        return
    if isinstance(event, events.Stopped):
        if node.halting is not None:
            lifecycle.halted(run, node)
    elif isinstance(event, events.ChildStarted):
        _started(run, node, child, event)
    elif isinstance(event, events.ChildEnded) and event.child == child.name and node.halting is None:
        _ended(run, node, event)


def _started(run: state.Run, node: state.Node, child: Child, event: events.ChildStarted) -> None:
    if event.child is not None:
        child.known = True
        node.child_execution = event.child
        if node.halting is not None:
            _halt(run, node)
        else:
            lifecycle.running(run, node)
        return
    assert event.error is not None, "there is a child or an error"
    if node.halting is not None:
        lifecycle.halted(run, node)
    elif event.retryable:
        lifecycle.retry_or_fail(run, node, event.error)
    else:
        lifecycle.fail(run, node, event.error)


def _ended(run: state.Run, node: state.Node, event: events.ChildEnded) -> None:
    if node.child_execution is None:
        # So quick a child may have ended before the answer to its creation is here.
        parent = run.identity.execution
        node.child_execution = identifier_pb2.WorkflowExecutionIdentifier(
            project=parent.project, domain=parent.domain, name=event.child
        )
    lifecycle.running(run, node)
    if event.phase == _Phase.SUCCEEDED:
        if event.outputs is not None:
            lifecycle.keep_outputs(run, node, event.outputs)
        else:
            node.output_uri = event.output_uri
        lifecycle.succeed(run, node)
        return
    lifecycle.fail(run, node, failure_of(event, node.spec.id))


def failure_of(event: events.ChildEnded, node_id: str) -> execution_pb2.ExecutionError:
    """What the bad end of a child means for its node."""
    if event.phase == _Phase.ABORTED:
        message = f"failed at Node[{node_id}]. RemoteChildWorkflowExecutionFailed: launchplan [{event.child}] aborted"
        return state.error("RemoteChildWorkflowExecutionFailed", message, state.USER)
    if event.error is not None:
        return event.error
    if event.phase == _Phase.TIMED_OUT:
        return state.error("Timeout", f"launchplan [{event.child}] timed out", state.USER)
    return state.error("LaunchPlanExecutionFailed", "Unknown Error", state.UNKNOWN)


def _halt(run: state.Run, node: state.Node) -> None:
    child = node.detail
    if not isinstance(child, Child):
        lifecycle.halted(run, node)
    elif child.known and node.child_execution is not None:
        run.commands.append(
            commands.EndChild(node.id, node.attempt, -1, node.child_execution, cascade(run, node.error))
        )
    # Else it is being created: `_started` ends it, once it is known to be there.


def cascade(run: state.Run, error: execution_pb2.ExecutionError | None) -> str:
    """Why a child is ended, as Flyte says it."""
    reason = error.message if error is not None else ""
    return f"cascading abort as parent execution id [{run.identity.execution.name}] aborted, reason [{reason}]"


BEHAVIOUR = behaviour.Behaviour(start=_start, halt=_halt, heard=_heard)

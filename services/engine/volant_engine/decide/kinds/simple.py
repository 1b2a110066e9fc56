"""Nodes that are done as soon as they start: the end of a workflow, echo tasks, and what nobody knows."""

from volant_engine.decide import lifecycle, state
from volant_engine.decide.kinds import attempts, behaviour
from volantidl.core import literals_pb2


def _end(run: state.Run, node: state.Node) -> None:
    inputs = lifecycle.resolve_inputs(run, node)
    if inputs is None:
        return
    node.started_at = node.started_at or run.now
    lifecycle.keep_outputs(run, node, inputs)
    node.input_uri = node.output_uri
    lifecycle.succeed(run, node)


def _echo(run: state.Run, node: state.Node) -> None:
    task = node.spec.task
    assert task is not None, "an echo node has a task"
    inputs = lifecycle.resolve_inputs(run, node)
    if inputs is None:
        return
    node.started_at = node.queued_at = run.now
    lifecycle.keep_inputs(run, node)
    expected, given = task.interface.outputs.variables, inputs.literals
    if len(expected) > 1 or len(expected) != len(task.interface.inputs.variables):
        message = (
            f"echo task [{task.id.name}] must have as many outputs as inputs, and one at most; it has "
            f"{len(task.interface.inputs.variables)} and {len(expected)}"
        )
        lifecycle.fail(run, node, state.error("BadTaskSpecification", message, state.USER))
        return
    outputs = literals_pb2.LiteralMap()
    for name, value in zip(expected, given.values(), strict=False):
        outputs.literals[name].CopyFrom(value)
    lifecycle.keep_outputs(run, node, outputs)
    attempt = node.tasks = state.Try(node, node.attempt, "", run.now)
    attempt.phase = state.TaskPhase.SUCCEEDED
    attempt.started_at = run.now
    attempt.interruptible = lifecycle.interruptible(run, node, node.spec, node.system_failures)
    attempts.touch(run, attempt)
    lifecycle.succeed(run, node)


def _broken(run: state.Run, node: state.Node) -> None:
    message = f"node [{node.spec.id}] has no target that this engine knows"
    lifecycle.fail(run, node, state.error("BadSpecificationError", message, state.USER))


END = behaviour.Behaviour(start=_end, halt=lifecycle.halted)
ECHO = behaviour.Behaviour(start=_echo, halt=lifecycle.halted)
BROKEN = behaviour.Behaviour(start=_broken, halt=lifecycle.halted)

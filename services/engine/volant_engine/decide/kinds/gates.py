"""Gate nodes: wait for a time to pass, for a value, or for a yes."""

from typing import Any

from volant_core.model import literals
from volant_engine.decide import commands, events, lifecycle, state
from volant_engine.decide.kinds import behaviour
from volantidl.core import literals_pb2, types_pb2

_BOOLEAN = types_pb2.LiteralType(simple=types_pb2.BOOLEAN).SerializeToString()


def _start(run: state.Run, node: state.Node) -> None:
    inputs = lifecycle.resolve_inputs(run, node)
    if inputs is None:
        return
    lifecycle.queue(run, node)
    lifecycle.keep_inputs(run, node)
    lifecycle.running(run, node)
    gate = node.spec.message.gate_node
    condition = gate.WhichOneof("condition")
    if condition == "sleep":
        until = node.attempt_started_at + literals.seconds_of(gate.sleep.duration)
        run.commands.append(commands.WakeAt(until, node.id, node.attempt, "sleep"))
    elif condition == "signal":
        _await(run, node, gate.signal.signal_id, gate.signal.type.SerializeToString())
    elif condition == "approve":
        _await(run, node, gate.approve.signal_id, _BOOLEAN)
    else:
        message = "gateNode does not have a supported condition reference"
        lifecycle.fail(run, node, state.error("BadSpecificationError", message, state.SYSTEM))


def _await(run: state.Run, node: state.Node, signal_id: str, type_: bytes) -> None:
    run.signals.setdefault(signal_id, []).append(node)
    run.commands.append(commands.OpenSignal(node.id, signal_id, type_))


def _heard(run: state.Run, node: state.Node, event: Any) -> None:
    if node.halting is not None:
        return
    if isinstance(event, events.Woken) and event.what == "sleep":
        lifecycle.keep_outputs(run, node, literals_pb2.LiteralMap())
        lifecycle.succeed(run, node)
    elif isinstance(event, events.SignalCame):
        _signalled(run, node, event.value)


def _signalled(run: state.Run, node: state.Node, value: literals_pb2.Literal) -> None:
    gate = node.spec.message.gate_node
    outputs = literals_pb2.LiteralMap()
    if gate.WhichOneof("condition") == "signal":
        outputs.literals[gate.signal.output_variable_name].CopyFrom(value)
    else:
        approved = literals.boolean_of(value)
        if approved is None:
            message = "received a non-boolean approve signal value"
            lifecycle.fail(run, node, state.error("RuntimeExecutionError", message, state.UNKNOWN))
            return
        if not approved:
            message = "received a reject signal to disapprove the node input values"
            lifecycle.fail(run, node, state.error("ReceivedRejectSignal", message, state.USER))
            return
        assert node.inputs is not None, "a gate keeps its inputs until it ends"
        outputs.CopyFrom(node.inputs)
    lifecycle.keep_outputs(run, node, outputs)
    lifecycle.succeed(run, node)


BEHAVIOUR = behaviour.Behaviour(start=_start, halt=lifecycle.halted, heard=_heard)

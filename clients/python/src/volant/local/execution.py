"""Running workflows, dynamic tasks and maps here: the same graph, values and types as on a platform."""

from __future__ import annotations

import concurrent.futures
import functools
import queue
from collections.abc import Mapping
from typing import Any

from volant import errors, user_code
from volant.authoring import conditional, dynamic, entity, gate, interface, launch_plan, mapping, node, task, workflow
from volant.authoring import promise as promises
from volant.local import eager, gates, paths, tasks, threads
from volant.types import engine
from volantidl.core import literals_pb2

Literals = dict[str, literals_pb2.Literal]


def run_workflow(one: workflow.Workflow, inputs: Mapping[str, Any]) -> Any:
    """Run a workflow with Python values; gives what its function would return."""
    if one.is_eager:
        assert isinstance(one, workflow.PythonWorkflow)
        complete = _accepted(one, inputs)
        return eager.run_body(one.function, one.interface, complete)
    outputs = run_graph(one, encode(one, inputs))
    return one.interface.wrap_outputs(decode(one.interface, outputs))


def run_entity(one: entity.Entity, inputs: Mapping[str, Any]) -> Any:
    """Run any entity with Python values."""
    outputs = execute(one, encode(one, inputs))
    return one.interface.wrap_outputs(decode(one.interface, outputs))


def run_dynamic(one: dynamic.DynamicTask[..., Any], inputs: Mapping[str, Any]) -> Any:
    """Trace a dynamic task's body and run the graph; eagerly if the body needs values."""
    try:
        graph = one.trace(inputs)
    except promises.NeedsValueError:
        return eager.run_body(one.function, one.interface, inputs)
    results = _GraphRun(graph, {}, fail_late=False).run()
    return one.interface.wrap_outputs(decode(one.interface, results))


def encode(one: entity.Entity, inputs: Mapping[str, Any]) -> Literals:
    """Inputs as literals, completed with defaults."""
    variables = one.interface.typed.inputs.variables
    literals = {}
    for name, python_type in one.interface.inputs.items():
        if name not in inputs and name not in one.interface.defaults:
            continue
        value = inputs[name] if name in inputs else one.interface.defaults[name]
        try:
            literals[name] = engine.to_literal(value, python_type, variables[name].type)
        except errors.TypeMismatchError as cause:
            raise errors.TypeMismatchError(f"{user_code.caller_line()}: {one.name}, input {name!r}: {cause}") from cause
    return literals


def decode(signature: interface.Interface, outputs: Mapping[str, literals_pb2.Literal]) -> dict[str, Any]:
    """Outputs as Python values."""
    return {name: engine.to_python(outputs[name], python_type) for name, python_type in signature.outputs.items()}


def _accepted(one: entity.Entity, inputs: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for name, python_type in one.interface.inputs.items():
        value = inputs[name] if name in inputs else one.interface.defaults[name]
        try:
            values[name] = engine.accept(value, python_type)
        except errors.TypeMismatchError as cause:
            raise errors.TypeMismatchError(f"{user_code.caller_line()}: {one.name}, input {name!r}: {cause}") from cause
    return values


def execute(one: entity.Entity, inputs: Literals, overrides: node.Overrides | None = None) -> Literals:
    """Run any entity with literals."""
    if one.replaced and not isinstance(one, task.Task):
        return _encode_outputs(one.interface, one.run(decode_inputs(one, inputs)))
    if isinstance(one, task.Task):
        return tasks.run_task(
            one, inputs, overrides, holds_slot=not isinstance(one, dynamic.DynamicTask) and not one.is_eager
        )
    if isinstance(one, workflow.Workflow):
        if one.is_eager:
            values = {name: engine.to_python(inputs[name], kind) for name, kind in one.interface.inputs.items()}
            return _encode_outputs(one.interface, run_workflow(one, values))
        return run_graph(one, inputs)
    if isinstance(one, launch_plan.LaunchPlan):
        fixed = {
            name: engine.to_literal(value, one.workflow.interface.inputs[name])
            for name, value in one.fixed_inputs.items()
        }
        return execute(one.workflow, {**inputs, **fixed})
    if isinstance(one, mapping.MapTask):
        return _run_map(one, inputs, overrides)
    if isinstance(one, gate.Gate):
        values = {name: engine.to_python(inputs[name], kind) for name, kind in one.interface.inputs.items()}
        return _encode_outputs(one.interface, one.interface.wrap_outputs(gates.wait(one, values)))
    return _encode_outputs(one.interface, one.run(decode_inputs(one, inputs)))


def decode_inputs(one: entity.Entity, inputs: Literals) -> dict[str, Any]:
    """Python values of inputs."""
    return {name: engine.to_python(inputs[name], kind) for name, kind in one.interface.inputs.items() if name in inputs}


def _encode_outputs(signature: interface.Interface, result: Any) -> Literals:
    values = signature.unwrap_outputs(result)
    return {name: engine.to_literal(value, signature.outputs[name]) for name, value in values.items()}


def run_graph(one: workflow.Workflow, inputs: Literals) -> Literals:
    """Run a workflow's graph; on failure, its failure node first."""
    late = one.settings.failure_policy is workflow.WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
    try:
        return _GraphRun(one.graph, inputs, fail_late=late).run()
    except Exception as error:
        handler = one.failure_node
        if handler is not None:
            _run_failure_node(handler, inputs, error)
        raise


def _run_failure_node(handler: node.Node, inputs: Literals, error: Exception) -> None:
    results = paths.Results(inputs)
    values: Literals = {}
    for name, bound in handler.bindings.items():
        value = results.evaluate(bound)
        if value is not None:
            values[name] = value
    for name, python_type in handler.entity.interface.inputs.items():
        if workflow.takes_error(python_type):
            values[name] = workflow.error_literal(python_type, str(error), getattr(error, "failed_node", ""))
    execute(handler.entity, values, handler.overrides)


class _GraphRun:
    """One run of a graph: nodes start when all before them have ended."""

    def __init__(self, graph: node.Graph, inputs: Literals, *, fail_late: bool) -> None:
        self._graph = graph
        self._results = paths.Results(inputs)
        self._fail_late = fail_late
        self._lane = threads.Lane(threads.AT_ONCE)
        self._after: dict[node.Node, list[node.Node]] = {made: [] for made in graph.nodes}
        self._missing: dict[node.Node, int] = {}
        self._ended: queue.SimpleQueue[tuple[node.Node, concurrent.futures.Future[Literals]]] = queue.SimpleQueue()
        for made in graph.nodes:
            before = [other for other in made.upstream() if other in self._after]
            self._missing[made] = len(before)
            for other in before:
                self._after[other].append(made)

    def run(self) -> Literals:
        """Run all nodes; gives the outputs."""
        ready = [made for made in self._graph.nodes if not self._missing[made]]
        running = 0
        failure: Exception | None = None
        while ready or running:
            if len(ready) == 1 and not running:
                made = ready.pop()
                try:
                    outputs = self._run_node(made)
                except Exception as error:  # noqa: BLE001 - reported when the run ends
                    failure = failure or error
                    outputs = None
            else:
                for other in ready:
                    self._start(other)
                running += len(ready)
                ready = []
                made, future = self._ended.get()
                running -= 1
                error_found = future.exception()
                outputs = None if error_found is not None else future.result()
                if isinstance(error_found, Exception):
                    failure = failure or error_found
                elif error_found is not None:
                    raise error_found
            if failure is not None and not self._fail_late:
                raise failure
            if outputs is not None:
                self._results.of_nodes[made] = outputs
                ready.extend(self._released_by(made))
        if failure is not None:
            raise failure
        return {
            name: value
            for name, bound in self._graph.outputs.items()
            if (value := self._results.evaluate(bound)) is not None
        }

    def _start(self, made: node.Node) -> None:
        future = self._lane.start(lambda: self._run_node(made))
        future.add_done_callback(lambda done: self._ended.put((made, done)))

    def _released_by(self, made: node.Node) -> list[node.Node]:
        released = []
        for other in self._after[made]:
            self._missing[other] -= 1
            if not self._missing[other]:
                released.append(other)
        return released

    def _run_node(self, made: node.Node) -> Literals:
        try:
            return self._run_target(made)
        except Exception as error:
            if not hasattr(error, "failed_node"):
                error.failed_node = made.id  # type: ignore[attr-defined]
                error.add_note(f"in node {made.id} ({made.entity.name}), called at {made.line}")
            raise

    def _run_target(self, made: node.Node) -> Literals:
        if isinstance(made.entity, conditional.Branch):
            return self._run_branch(made.entity)
        inputs: Literals = {}
        for name, bound in made.bindings.items():
            value = self._results.evaluate(bound)
            if value is not None:
                inputs[name] = value
        return execute(made.entity, inputs, made.overrides)

    def _run_branch(self, branch: conditional.Branch) -> Literals:
        for case in branch.cases:
            if self._holds(case.condition):
                return self._run_node(case.then)
        if branch.else_node is not None:
            return self._run_node(branch.else_node)
        raise errors.TaskFailedError(branch.failure or f"no case of the conditional {branch.name!r} holds")

    def _holds(self, condition: promises.Expression) -> bool:
        if isinstance(condition, promises.Conjunction):
            left = self._holds(condition.left)
            if condition.operator == "and":
                return left and self._holds(condition.right)
            return left or self._holds(condition.right)
        assert isinstance(condition, promises.Comparison)
        left_value, right_value = self._operand(condition.left), self._operand(condition.right)
        return bool(_COMPARE[condition.operator](left_value, right_value))

    def _operand(self, side: Any) -> Any:
        if not isinstance(side, promises.Promise):
            return side
        literal = self._results.evaluate(side)
        return None if literal is None else engine.to_python(literal, side._python_type)  # noqa: SLF001


_COMPARE: dict[str, Any] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _run_map(one: mapping.MapTask, inputs: Literals, overrides: node.Overrides | None) -> Literals:
    lists = {name: inputs[name].collection.literals for name in one.listed if name in inputs}
    lengths = {name: len(items) for name, items in lists.items()}
    if len(set(lengths.values())) > 1:
        raise errors.TypeMismatchError(f"{one.name}: the lists differ in length: {lengths}")
    count = next(iter(lengths.values()), 0)
    bound = {name: inputs[name] for name in one.bound}
    elements = [{**bound, **{name: items[index] for name, items in lists.items()}} for index in range(count)]
    outcomes = _run_elements(one, elements, overrides)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    least = one.min_successes if one.min_successes is not None else count * one.min_success_ratio
    if failures and count - len(failures) < least:
        raise failures[0]
    outputs: Literals = {}
    for name, python_type in one.interface.outputs.items():
        item = mapping.item_type(python_type)
        literals = []
        for outcome in outcomes:
            failed = isinstance(outcome, BaseException)
            found = None if failed else outcome[name]
            literals.append(_element(found, item, optional=one.min_success_ratio != 1.0))
        outputs[name] = literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=literals))
    return outputs


def _element(found: literals_pb2.Literal | None, item: Any, *, optional: bool) -> literals_pb2.Literal:
    if not optional:
        assert found is not None
        return found
    return engine.to_literal(None if found is None else engine.to_python(found, item), item)


def _run_elements(one: mapping.MapTask, elements: list[Literals], overrides: node.Overrides | None) -> list[Any]:
    """The outputs of every element, or its failure; at most `concurrency` at a time."""
    lane = threads.Lane(one.concurrency or threads.AT_ONCE)
    running = [lane.start(functools.partial(execute, one.target, element, overrides)) for element in elements]
    return [threads.outcome(future) for future in running]

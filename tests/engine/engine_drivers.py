"""Drivers in the simulated world: processes that outlive engines, add nodes, and wait for what is reported of them."""

import random
from collections.abc import Callable, Generator, Sequence
from typing import Any

import engine_graphs as g

from volant_core.model import naming, phases
from volant_engine.decide import commands, events, graphs
from volantidl.core import compiler_pb2, execution_pb2, literals_pb2, tasks_pb2, workflow_pb2

EAGER = g.task("eager", {"a": g.INT}, {"o0": g.INT}, retries=2, is_eager=True)
_Node = execution_pb2.NodeExecution
_KILLED = execution_pb2.ExecutionError(code="Killed", message="killed", kind=execution_pb2.ExecutionError.SYSTEM)

Call = tuple[str, graphs.Library, literals_pb2.LiteralMap]
"""Key, what runs, inputs."""
Results = dict[str, int | None]
"""What each call gave; None where it failed."""
Body = Generator[Sequence[Call], Results, object]
"""Yields calls and gets their results; returns what an attempt leaves, as `World.outcome` does."""


def library(node: workflow_pb2.Node, *tasks: tasks_pb2.TaskTemplate, subs: Sequence[Any] = ()) -> graphs.Library:
    """A child as admin makes it ready: a compiled workflow of one node."""
    closure = compiler_pb2.CompiledWorkflowClosure(tasks=[compiler_pb2.CompiledTask(template=t) for t in tasks])
    closure.primary.template.nodes.append(node)
    closure.sub_workflows.extend(subs)
    return graphs.Library(closure)


class Lasting:
    """What happens in the world, whether an engine is there or not."""

    def __init__(self, happen: Callable[[], None]) -> None:
        self.happen = happen

    def __call__(self, now: float) -> events.Event:
        self.happen()
        return events.Continued(now)


class Process:
    """One attempt of a driver."""

    def __init__(self, world: Any, command: commands.Launch, body: Body) -> None:
        self.world = world
        self.command = command
        self.body = body
        self.pending: dict[str, str] = {}
        """Keys of calls whose results are waited for, by node id."""
        self.outcome: object = None
        self.is_over = False
        self.began = False

    def begin(self) -> None:
        if not self.is_over:
            self.began = True
            self._advance(None)

    def kill(self) -> None:
        if not self.is_over:
            self._end((_KILLED, True))

    def look(self) -> None:
        """Something was reported: go on, if all that is waited for is there."""
        if self.is_over or not self.pending:
            return
        records = {node_id: self.world.store.nodes.get(node_id) for node_id in self.pending}
        if all(record is not None and record.phase in phases.TERMINAL_NODE for record in records.values()):
            results = {key: self._value(records[node_id]) for node_id, key in self.pending.items()}
            self.pending = {}
            self.world.post(0.05, Lasting(lambda: self._advance(results)))

    def _value(self, record: Any) -> int | None:
        if record.phase not in phases.GOOD_NODE:
            return None
        data = self.world.blobs[record.output_uri] if record.output_uri else record.outputs
        return literals_pb2.LiteralMap.FromString(data).literals["o0"].scalar.primitive.integer

    def _advance(self, results: Results | None) -> None:
        if self.is_over:
            return
        try:
            calls = next(self.body) if results is None else self.body.send(results)
        except StopIteration as stop:
            self._end(stop.value)
            return
        added = []
        for key, child, inputs in calls:
            node_id = naming.driven_node_id(self.command.node_id, key)
            self.pending[node_id] = key
            if node_id not in self.world.store.driven:
                added.append(graphs.Driven(self.command.node_id, node_id, key, child, inputs))
        self.world.store.driven.update({child.node_id: child for child in added})
        if added:
            self.world.post(0.01, lambda now: events.ChildrenAdded(now, added))
        self.look()

    def _end(self, outcome: object) -> None:
        self.is_over = True
        self.outcome = outcome
        self.world.attempts[self.command.name] = self.world.now
        self.world.process_ended(self)


def random_body(world: Any, command: commands.Launch, seed: int, subs: Sequence[Any], failing: float) -> Body:
    """A body that is the same in every attempt: rounds of calls, each with what came of the one before."""
    lot = random.Random(f"{seed} {command.node_id}")
    fails_once = lot.random() < failing
    given = literals_pb2.LiteralMap.FromString(world.blobs[command.input_uri])
    total = given.literals["a"].scalar.primitive.integer
    for number in range(lot.randint(1, 3)):
        calls = []
        for place in range(lot.randint(1, 3)):
            kind = lot.choice(["plain", "echo", "cached", "retried", "sub", "eager"])
            depth = command.node_id.count("f") if number else 9
            calls.append(_call(f"c{number}-{place}", kind if kind != "eager" or depth < 2 else "plain", subs, total))
        results = yield calls
        for value in results.values():
            if value is None and lot.random() < 0.5:
                error = execution_pb2.ExecutionError(code="Raised", message="a child failed", kind=1)
                return (error, False)
            total = (total + (value or 0)) % 50
    if fails_once and command.node_id not in world.failed_once:
        world.failed_once.add(command.node_id)
        return (execution_pb2.ExecutionError(code="Again", message="recoverable", kind=1), True)
    return g.literal_map(o0=total)


CACHED = g.task("cached", {"a": g.INT}, {"o0": g.INT}, discoverable=True, discovery_version="1")
RETRIED = g.task("retried", {"a": g.INT}, {"o0": g.INT}, retries=2)


def _call(key: str, kind: str, subs: Sequence[Any], value: int) -> Call:
    inputs = g.literal_map(a=value)
    if kind == "sub" and subs:
        node = workflow_pb2.Node(id="n0")
        node.workflow_node.sub_workflow_ref.CopyFrom(subs[0].primary.template.id)
        child = library(node, subs=[subs[0].primary, *subs[0].sub_workflows])
        child.tasks.update({graphs.key_of(task.template.id): task.template for task in subs[0].tasks})
        return key, child, inputs
    task = {"echo": g.ECHO, "cached": CACHED, "retried": RETRIED, "eager": EAGER}.get(kind, g.PLAIN)
    return key, library(g.node("n0", task), task), inputs

"""A world in which a run's commands come true in virtual time, and what is reported of it is kept."""

import heapq
import itertools
import random
from collections.abc import Callable

import engine_drivers
from engine_graphs import literal_map

from volant_core.errors import NotFoundError  # noqa: F401 -- documents where missing blobs come from
from volant_core.model import phases
from volant_engine.decide import commands, events, graphs, machine, records, state
from volantidl.admin import execution_pb2 as admin_execution_pb2
from volantidl.core import catalog_pb2, execution_pb2, identifier_pb2, literals_pb2
from volantidl.dispatch import dispatch_pb2

EXECUTION = identifier_pb2.WorkflowExecutionIdentifier(project="p", domain="d", name="exec")


class Store:
    """What an execution's admin keeps: the last record of each thing; terminal is terminal."""

    def __init__(self) -> None:
        self.nodes: dict[str, dispatch_pb2.NodeRecord] = {}
        self.tasks: dict[tuple[str, int], dispatch_pb2.TaskRecord] = {}
        self.elements: dict[tuple[str, int], dispatch_pb2.ArrayElement] = {}
        self.execution = dispatch_pb2.ExecutionRecord()
        self.successes: dict[str, int] = {}
        self.history: list[tuple[str, int]] = []
        self.driven: dict[str, graphs.Driven] = {}
        """What drivers added, by node id."""
        self.watching: list[Callable[[], None]] = []

    def take(self, report: dispatch_pb2.ExecutionReport) -> None:
        report = dispatch_pb2.ExecutionReport.FromString(report.SerializeToString())
        for node in report.nodes:
            known = self.nodes.get(node.node_id)
            if known is not None and known.phase in phases.TERMINAL_NODE:
                assert known.phase == node.phase, f"{node.node_id} left a terminal phase"
            if node.phase == execution_pb2.NodeExecution.SUCCEEDED and (known is None or known.phase != node.phase):
                self.successes[node.node_id] = self.successes.get(node.node_id, 0) + 1
            self.nodes[node.node_id] = node
            self.history.append((node.node_id, node.phase))
        for task in report.tasks:
            key = (task.node_id, task.attempt)
            known_task = self.tasks.get(key)
            if known_task is not None and known_task.phase in phases.TERMINAL_TASK:
                assert known_task.phase == task.phase, f"{key} left a terminal phase"
            self.tasks[key] = task
        for element in report.elements:
            self.elements[element.node_id, element.index] = element
        if report.HasField("record"):
            if self.execution.phase in phases.TERMINAL_EXECUTION:
                assert self.execution.phase == report.record.phase, "the execution left a terminal phase"
            self.execution = report.record
        for look in self.watching:
            look()

    def load(self) -> list[dispatch_pb2.LoadExecutionResponse]:
        return [
            dispatch_pb2.LoadExecutionResponse(
                nodes=self.nodes.values(), tasks=self.tasks.values(), elements=self.elements.values()
            )
        ]

    def unended(self) -> list[graphs.Driven]:
        """What drivers added and that has not ended, below nodes that have not."""

        def ended(node_id: str) -> bool:
            return node_id in self.nodes and self.nodes[node_id].phase in phases.TERMINAL_NODE

        return [d for d in self.driven.values() if not ended(d.node_id) and not ended(d.parent_node_id)]

    def phase(self, node_id: str) -> str:
        return execution_pb2.NodeExecution.Phase.Name(self.nodes[node_id].phase)


class World:
    """Runs one execution. `tasks` says what an attempt does: returns outputs, or an error, or raises."""

    def __init__(
        self,
        closure,
        inputs: literals_pb2.LiteralMap | None = None,
        *,
        outcome: Callable[[commands.Launch], object] | None = None,
        seconds: Callable[[commands.Launch], float] | None = None,
        spec: admin_execution_pb2.ExecutionSpec | None = None,
        limits: state.Limits | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.graph = closure if isinstance(closure, graphs.Graph) else graphs.Library(closure).primary
        self.inputs = inputs or literals_pb2.LiteralMap()
        self.spec = spec or admin_execution_pb2.ExecutionSpec()
        self.limits = limits
        self.outcome = outcome or _default_outcome
        self.seconds = seconds or (lambda _: 1.0)
        self.store = Store()
        self.blobs: dict[str, bytes] = {}
        self.cache: dict[str, literals_pb2.LiteralMap] = {}
        self.reservations: dict[str, str] = {}
        self.signals: dict[str, literals_pb2.Literal] = {}
        self.waiting_signals: set[str] = set()
        self.children: dict[str, commands.CreateChild] = {}
        self.child_outcome: Callable[[commands.CreateChild], object] = lambda _: literals_pb2.LiteralMap()
        self.dynamic: dict[str, graphs.Graph] = {}
        self.now = 1000.0
        self.queue: list[tuple[float, int, object]] = []
        self.number = itertools.count()
        self.launches: list[commands.Launch] = []
        self.attempts: dict[str, float] = {}
        """When each attempt ends, by name; attempts outlive engines."""
        self.dead: set[str] = set()
        self.runs: dict[str, int] = {}
        """How often each attempt was begun."""
        self.stopped: list[str] = []
        self.peak = 0
        self.chance = chance
        self.source: list[dispatch_pb2.NodeRecord] = []
        self.crashed = False
        self.body: Callable[[commands.Launch], engine_drivers.Body] | None = None
        """What the attempts of eager tasks do; without it they are tasks like others."""
        self.processes: dict[str, engine_drivers.Process] = {}
        self.failed_once: set[str] = set()
        self.listening: dict[str, commands.Launch] = {}
        """Attempts of drivers that the engine awaits."""
        self.store.watching.append(self.look)
        self.run = self.fresh()

    def fresh(self) -> state.Run:
        identity = state.Identity(EXECUTION, self.spec, "s3://b")
        return state.Run(identity, self.graph, self.inputs, limits=self.limits)

    def post(self, delay: float, event: object) -> None:
        heapq.heappush(self.queue, (self.now + delay, next(self.number), event))

    def start(self) -> None:
        self.feed(events.Began(self.now, self.store.load(), self.source, driven=self.store.unended()))

    def crash(self) -> None:
        """The engine is gone with all that it had not reported, and another takes over."""
        if self.store.execution.phase in phases.TERMINAL_EXECUTION:
            return
        self.queue = [entry for entry in self.queue if isinstance(entry[2], engine_drivers.Lasting)]
        heapq.heapify(self.queue)
        self.listening = {}
        self.run = self.fresh()
        self.crashed = True
        self.start()

    def feed(self, event) -> None:
        for command in machine.advance(self.run, event):
            self.perform(command)

    def report(self) -> None:
        while True:
            report = records.take(self.run, 100)
            if report is None:
                return
            self.store.take(report)

    def finish(self, *, until: float = 1e12, steps: int = 1_000_000, report: bool = True):
        if self.run.root is None and not self.run.ended:
            self.start()
        for _ in range(steps):
            if self.run.is_urgent:
                self.report()
            if not self.queue or self.queue[0][0] > until:
                break
            self.step()
        if report:
            self.report()
        return self.store

    def step(self) -> None:
        at, _, event = heapq.heappop(self.queue)
        self.now = max(self.now, at)
        self.feed(event(self.now) if callable(event) else event)

    def perform(self, command: commands.Command) -> None:
        handler = getattr(self, f"_{type(command).__name__.lower()}", None)
        if handler is not None:
            handler(command)

    def _continue(self, _: commands.Continue) -> None:
        self.post(0, events.Continued)

    def _launch(self, command: commands.Launch) -> None:
        if command.inputs is not None:
            self.blobs[command.input_uri] = command.inputs.SerializeToString()
        self.launches.append(command)
        if self.body is not None and command.task.metadata.is_eager:
            self._drive(command, self.body)
            return
        if command.name not in self.attempts or command.name in self.dead:
            self.dead.discard(command.name)
            self.attempts[command.name] = self.now + self.seconds(command)
            self.runs[command.name] = self.runs.get(command.name, 0) + 1
        self.peak = max(self.peak, sum(1 for end in self.attempts.values() if end > self.now))
        ends = self.attempts[command.name]
        self.post(0, lambda now: self._news(command, now, events.AttemptState.RUNNING))
        self.post(max(0.0, ends - self.now), lambda now: self._end(command, now))

    def _drive(self, command: commands.Launch, body: Callable[[commands.Launch], engine_drivers.Body]) -> None:
        process = self.processes.get(command.name)
        if process is None or command.name in self.dead:
            self.dead.discard(command.name)
            process = self.processes[command.name] = engine_drivers.Process(self, command, body(command))
            self.runs[command.name] = self.runs.get(command.name, 0) + 1
            self.attempts[command.name] = float("inf")
            self.post(0.2, engine_drivers.Lasting(process.begin))
        self.listening[command.name] = command
        self.post(0, lambda now: self._news(command, now, events.AttemptState.RUNNING))
        if process.is_over:
            self.process_ended(process)

    def process_ended(self, process: engine_drivers.Process) -> None:
        command = self.listening.pop(process.command.name, None)
        if command is not None:
            self.post(0, lambda now: self._concluded(command, process.outcome, now))

    def look(self) -> None:
        for process in self.processes.values():
            process.look()

    def _news(self, command, now: float, phase: events.AttemptState, **fields) -> events.Event:
        if command.name in self.dead:
            return events.Continued(now)
        return events.AttemptNews(
            now, command.node_id, command.attempt, command.index, command.number, phase, now, **fields
        )

    def _end(self, command: commands.Launch, now: float) -> events.Event:
        return self._concluded(command, self.outcome(command), now)

    def _concluded(self, command: commands.Launch, outcome, now: float) -> events.Event:
        if isinstance(outcome, graphs.Graph):
            self.dynamic[command.node_id] = outcome
            return self._news(command, now, events.AttemptState.DYNAMIC)
        if isinstance(outcome, literals_pb2.LiteralMap):
            self.blobs[f"{command.output_dir}/outputs.pb"] = outcome.SerializeToString()
            return self._news(command, now, events.AttemptState.SUCCEEDED, outputs=outcome, has_outputs=True)
        error, retryable = outcome
        return self._news(command, now, events.AttemptState.FAILED, error=error, retryable=retryable)

    def _stop(self, command: commands.Stop) -> None:
        self.dead.add(command.name)
        self.stopped.append(command.name)
        self.listening.pop(command.name, None)
        if command.name in self.processes:
            self.processes[command.name].kill()
        if command.name in self.attempts:
            self.attempts[command.name] = min(self.attempts[command.name], self.now)
        self.post(0, lambda now: events.Stopped(now, command.node_id, command.attempt, command.index))

    def _fetch(self, command: commands.Fetch) -> None:
        self.post(0, lambda now: self._read(command, now))

    def _read(self, command: commands.Fetch, now: float) -> events.Event:
        maps, literals, missing = {}, {}, {}
        for uri in command.uris:
            if uri not in self.blobs:
                missing[uri] = "not found"
            elif command.maps:
                maps[uri] = literals_pb2.LiteralMap.FromString(self.blobs[uri])
            else:
                literals[uri] = literals_pb2.Literal.FromString(self.blobs[uri])
        return events.Fetched(now, command.node_id, maps, literals, missing)

    def _write(self, command: commands.Write) -> None:
        self.post(0.01, lambda now: self._written(command, now))

    def _written(self, command: commands.Write, now: float) -> events.Event:
        self.blobs[command.uri] = command.data
        return events.Written(now, command.node_id)

    def _wakeat(self, command: commands.WakeAt) -> None:
        self.post(
            max(0.0, command.at - self.now),
            lambda now: events.Woken(now, command.node_id, command.attempt, command.what),
        )

    def _lookup(self, command: commands.LookUp) -> None:
        metadata = catalog_pb2.CatalogMetadata()
        metadata.artifact_tag.name = command.key.tag
        found = self.cache.get(command.key.tag)
        self.post(
            0, lambda now: events.CacheAnswered(now, command.node_id, command.attempt, command.index, found, metadata)
        )

    def _cacheput(self, command: commands.CachePut) -> None:
        self.cache[command.key.tag] = command.outputs
        self.post(
            0,
            lambda now: events.CacheStored(
                now, command.node_id, command.attempt, command.index, catalog_pb2.CatalogMetadata()
            ),
        )

    def _reserve(self, command: commands.Reserve) -> None:
        owner = self.reservations.setdefault(command.key.tag, command.owner)
        self.post(
            0,
            lambda now: events.Reserved(now, command.node_id, command.attempt, command.index, owner == command.owner),
        )

    def _release(self, command: commands.Release) -> None:
        if self.reservations.get(command.key.tag) == command.owner:
            del self.reservations[command.key.tag]

    def _opensignal(self, command: commands.OpenSignal) -> None:
        self.waiting_signals.add(command.signal_id)
        if command.signal_id in self.signals:
            self.set_signal(command.signal_id, self.signals[command.signal_id])

    def set_signal(self, signal_id: str, value: literals_pb2.Literal) -> None:
        self.signals[signal_id] = value
        self.post(0, lambda now: events.SignalCame(now, signal_id, value))

    def _createchild(self, command: commands.CreateChild) -> None:
        child = identifier_pb2.WorkflowExecutionIdentifier(project="p", domain="d", name=command.name)
        self.children[command.name] = command
        outcome = self.child_outcome(command)
        self.post(0, lambda now: events.ChildStarted(now, command.node_id, command.attempt, command.index, child))
        if isinstance(outcome, literals_pb2.LiteralMap):
            ended = {"phase": execution_pb2.WorkflowExecution.SUCCEEDED, "outputs": outcome}
        elif outcome is None:
            return
        else:
            ended = outcome
        self.post(1, lambda now: events.ChildEnded(now, command.node_id, command.name, **ended))

    def _endchild(self, command: commands.EndChild) -> None:
        self.stopped.append(command.child.name)
        self.post(0, lambda now: events.Stopped(now, command.node_id, command.attempt, command.index))

    def _compiledynamic(self, command: commands.CompileDynamic) -> None:
        graph = self.dynamic[command.node_id]
        workflow_id = identifier_pb2.Identifier(name="dynamic")
        uri = command.closure_uri or f"s3://b/closure/{command.node_id}"
        self.post(0.1, lambda now: events.GraphCame(now, command.node_id, command.attempt, graph, workflow_id, uri))


def _default_outcome(command: commands.Launch) -> literals_pb2.LiteralMap:
    """Each output is the sum of the integers put in, plus one."""
    total = 1
    if command.inputs is not None:
        total += sum(value.scalar.primitive.integer for value in command.inputs.literals.values())
    return literal_map(**dict.fromkeys(command.task.interface.outputs.variables, total))

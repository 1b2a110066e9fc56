"""Random graphs, random outcomes, crashes at any point, lost and partial reports, repeated news: what always holds."""

import collections
import random

import engine_graphs as g
from engine_drivers import CACHED, EAGER, RETRIED, random_body
from engine_world import World
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from volant_core.model import phases
from volant_engine.decide import events, graphs, records, state
from volantidl.core import execution_pb2, workflow_pb2

_Execution = execution_pb2.WorkflowExecution
_Node = execution_pb2.NodeExecution
USER, SYSTEM = execution_pb2.ExecutionError.USER, execution_pb2.ExecutionError.SYSTEM

ELEMENT = g.task("element", {"a": g.INTS}, {"o0": g.INTS}, retries=1)
TASKS = (g.PLAIN, g.ECHO, ELEMENT, CACHED, RETRIED, EAGER)
MANY = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


def array_node(node_id: str, source: str) -> workflow_pb2.Node:
    node = workflow_pb2.Node(id=node_id, inputs=g.bindings(a=[source, source, 3, 4]))
    node.array_node.node.CopyFrom(g.node("e", ELEMENT))
    node.array_node.parallelism = 2
    return node


class Builder:
    """A random workflow; every node has an integer output o0 (or is an array, which nobody reads)."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.subs: list[workflow_pb2.WorkflowTemplate] = []
        self.dynamic: set[str] = set()

    def template(self, name: str, size: int, depth: int) -> workflow_pb2.WorkflowTemplate:
        nodes, readable = [], ["a"]
        for number in range(size):
            node_id = f"n{number}"
            source = self.chance.choice(readable)
            kind = self.chance.choice(
                ["plain", "echo", "cached", "retried", "branch", "array", "sub", "dynamic", "eager"]
            )
            if kind == "branch":
                then = g.node("n0", g.PLAIN, a=self.chance.choice(readable))
                other = g.node("n1", g.ECHO, a="a")
                cases = [(g.greater(".x", self.chance.randint(0, 6)), then)]
                nodes.append(g.branch_node(node_id, cases, default=other, **{".x": source}))
            elif kind == "array":
                nodes.append(array_node(node_id, f".{source}" if source == "a" else source))
                continue
            elif kind == "sub" and depth:
                inner = self.template(f"{name}-{node_id}", self.chance.randint(1, 4), depth - 1)
                self.subs.append(inner)
                nodes.append(g.sub_node(node_id, inner, a=source))
            else:
                task = {"echo": g.ECHO, "cached": CACHED, "retried": RETRIED, "eager": EAGER}.get(kind, g.PLAIN)
                nodes.append(g.node(node_id, task, a=source))
                if kind == "dynamic":
                    self.dynamic.add(node_id)
            readable.append(f"{node_id}.o0")
        failure = g.node("fn0", g.PLAIN, a="a") if self.chance.random() < 0.3 else None
        outputs = {"o0": self.chance.choice(readable)}
        keep_going = self.chance.random() < 0.5
        return g.workflow(name, nodes, {"a": g.INT}, {"o0": g.INT}, outputs, failure, keep_going=keep_going)


def world_of(seed: int, size: int, failing: float) -> World:
    chance = random.Random(seed)
    builder = Builder(chance)
    template = builder.template("root", size, 2)
    closure = g.closure(template, *TASKS, subs=builder.subs)
    made = g.workflow("made", [g.node("dn0", g.PLAIN, a=5)], {}, {"o0": g.INT}, {"o0": "dn0.o0"})
    graph = graphs.Library(g.closure(made, g.PLAIN)).primary

    def fate(command) -> random.Random:
        return random.Random(f"{seed} {command.name}")

    def outcome(command):
        lot = fate(command)
        if lot.random() < failing:
            kind = lot.choice([USER, SYSTEM])
            error = execution_pb2.ExecutionError(code="Bad", message=command.node_id, kind=kind)
            return (error, lot.random() < 0.7)
        if command.node_id.rpartition("-")[2] in builder.dynamic and command.task.id.name == "plain":
            return graph
        if command.index >= 0:
            return g.literal_map(o0=command.index)
        if command.task.id.name == "cached":
            return g.literal_map(o0=4)  # whoever computes it
        return g.literal_map(o0=len(command.node_id) + lot.randint(0, 3))

    limits = state.Limits(held=40, inline=40, steps=chance.choice([3, 512]))
    spec = None
    world = World(closure, g.literal_map(a=3), outcome=outcome, limits=limits, spec=spec)
    world.seconds = lambda command: 0.5 + fate(command).random() * 3
    small = g.workflow("small", [g.node("n0", g.PLAIN, a="a")], {"a": g.INT}, {"o0": g.INT}, {"o0": "n0.o0"})
    called = [g.closure(small, g.PLAIN)]
    world.body = lambda command: random_body(world, command, seed, called, failing)
    return world


def is_driven(store, record) -> bool:
    """Whether a driver added it or something above it, and so may have lived with its failure."""
    while record is not None and not record.is_awaited:
        record = store.nodes.get(record.parent_node_id)
    return record is not None


def check_end(world: World) -> None:
    store = world.store
    assert store.execution.phase in phases.TERMINAL_EXECUTION
    assert all(count == 1 for count in store.successes.values()), "a node succeeded twice"
    for record in store.nodes.values():
        assert record.phase in phases.TERMINAL_NODE, f"{record.node_id} is lost in {_Node.Phase.Name(record.phase)}"
    for key, task in store.tasks.items():
        assert task.phase in phases.TERMINAL_TASK, f"{key} is lost"
    live = [name for name, end in world.attempts.items() if end > world.now and name not in world.dead]
    # What an engine had launched without a chance to say so is swept up by the reactor, at the end.
    assert world.crashed or not live, "attempts outlive their execution"
    assert not world.run.slots
    assert not world.run.writing
    assert not world.reservations
    if store.execution.phase == _Execution.SUCCEEDED:
        bad = {_Node.FAILED, _Node.TIMED_OUT, _Node.ABORTED}
        assert all(r.phase not in bad or is_driven(store, r) for r in store.nodes.values())
        for record in store.nodes.values():
            if record.phase == _Node.SUCCEEDED and record.output_uri:
                assert record.output_uri in world.blobs, f"outputs of {record.node_id} are not visible"


@MANY
@given(seed=st.integers(0, 10**6), size=st.integers(1, 12), failing=st.sampled_from([0.0, 0.0, 0.1, 0.3]))
def test_every_graph_comes_to_its_end(seed, size, failing):
    world = world_of(seed, size, failing)
    world.finish()
    check_end(world)
    assert set(world.runs.values()) <= {1}


@MANY
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(1, 10),
    failing=st.sampled_from([0.0, 0.0, 0.1, 0.3]),
    faults=st.integers(0, 10**6),
    trouble=st.sampled_from([0.02, 0.1, 0.3]),
)
def test_crashes_and_repetitions_change_nothing(seed, size, failing, faults, trouble):
    calm = world_of(seed, size, failing)
    calm.finish()
    world = world_of(seed, size, failing)
    chance = random.Random(faults)
    world.start()
    crashes = kills = 0
    for _ in range(20_000):
        if not world.queue:
            world.report()  # a driver may wait for it
        if not world.queue:
            break
        running = [process for process in world.processes.values() if process.began and not process.is_over]
        if running and chance.random() < trouble / 8 and kills < 2:
            kills += 1
            chance.choice(running).kill()
        if chance.random() < trouble:
            report = records.take(world.run, chance.randint(1, 20))
            if report is not None:
                world.store.take(report)
                if chance.random() < 0.2:
                    world.store.take(report)
        if chance.random() < trouble / 4 and crashes < 20:
            crashes += 1
            world.crash()
            continue
        if chance.random() < trouble and world.queue:
            at, _, event = world.queue[0]
            if not callable(event):
                world.post(max(0.0, at - world.now), event)
        world.step()
    world.report()
    check_end(world)
    expected, got = calm.store.execution, world.store.execution
    if expected.phase == _Execution.SUCCEEDED:
        assert got.phase == expected.phase, got.error
        assert (got.outputs, got.output_uri) == (expected.outputs, expected.output_uri)
        assert {r.node_id: r.phase for r in world.store.nodes.values()} == {
            r.node_id: r.phase for r in calm.store.nodes.values()
        }
        assert set(world.runs.values()) <= {1}, "something ran twice"


@MANY
@example(seed=194, size=2, when=5.0, crash=True)  # the failure node of a sub-workflow ran
@given(seed=st.integers(0, 10**6), size=st.integers(1, 10), when=st.floats(0, 12), crash=st.booleans())
def test_abort_ends_everything_whenever_it_comes(seed, size, when, crash):
    world = world_of(seed, size, 0.1)
    world.finish(until=1000 + when)
    if crash:
        world.crash()
    world.feed(events.AbortWanted(world.now, "enough"))
    store = world.finish()
    check_end(world)
    if store.execution.phase == _Execution.ABORTED:
        assert world.now <= 1000 + when + 6 or not world.launches


def picture(run: state.Run) -> dict[str, object]:
    """What two runs must agree on to be in the same state."""
    seen: dict[str, object] = {}

    def look(scope: state.Scope, path: str) -> None:
        for node in scope.nodes:
            if node is None or node.spec.branch >= 0:
                continue  # a case is of no interest once its branch has ended
            seen[f"{path}/{node.spec.id}"] = (node.id, node.phase, node.attempt, node.system_failures)
            if node.child_scope is not None:
                look(node.child_scope, f"{path}/{node.spec.id}")

    if run.root is not None:
        look(run.root, "")
    return seen


@MANY
@given(seed=st.integers(0, 10**6), size=st.integers(1, 10), when=st.floats(0, 12))
def test_replaying_the_records_gives_the_same_state(seed, size, when):
    world = world_of(seed, size, 0.0)
    world.finish(until=1000 + when)
    if world.run.ended:
        return
    # What is being stored or asked for is let arrive, so that both are at rest.
    before = picture(world.run)
    runs = dict(world.runs)
    world.crash()
    for _ in range(200):
        if not world.queue or world.queue[0][0] > world.now + 0.15:
            break
        world.step()
    after = picture(world.run)
    ended = {key: value for key, value in before.items() if value[1] in phases.TERMINAL_NODE}
    assert {key: after.get(key) for key in ended} == ended
    assert {name: count for name, count in world.runs.items() if name in runs} == runs


def test_the_cost_of_a_transition_does_not_grow_with_the_graph():
    """Counted in steps, not in time: what one attempt's end sets off is its node's out-degree."""
    counts = {}
    for size in (10, 1000):
        world = World(g.fan_out(size, g.PLAIN), g.literal_map(a=1), limits=state.Limits(steps=1 << 30))
        world.finish(until=1000.5)
        world.run.agenda = counting = CountingDeque()
        world.step()
        counts[size] = counting.taken
    assert counts[10] == counts[1000] <= 3


class CountingDeque(collections.deque):
    taken = 0

    def popleft(self):
        self.taken += 1
        return super().popleft()

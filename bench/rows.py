"""The rows of the benchmark: each measures one thing beside its floor and knows its target (docs/architecture.md)."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterator

from bench import floor_echo, graphs, sdk, zygote_floor
from bench.platform import Client, Platform, free_port
from volantidl.admin import execution_pb2, task_pb2
from volantidl.core import identifier_pb2

ENTRIES = {"flytekit": graphs.FLYTEKIT, "volant": graphs.VOLANT}


@dataclasses.dataclass(frozen=True)
class Row:
    """A measured figure."""

    name: str
    value: float
    unit: str
    target: float | None
    """None: for the reader, without a verdict."""
    at_most: bool = True
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the target was met."""
        if self.target is None:
            return True
        return self.value <= self.target if self.at_most else self.value >= self.target


class Bench:
    """One run: a platform, a client, a version of its own for what it registers."""

    def __init__(self, platform: Platform) -> None:
        """Start the platform twice: the second start is the warm one."""
        self.platform = platform
        self.cold_start = platform.start()
        platform.stop()
        self.warm_start = platform.start()
        self.client = Client(platform.address)
        self.version = f"b{time.time_ns()}"
        self._floors: dict[tuple[str, int], float] = {}

    def floor(self, entry: str, side_by_side: int) -> float:
        """Tasks a second of the bare zygote, `side_by_side` at a time, measured once a run."""
        key = (entry, side_by_side)
        if key not in self._floors:
            count = 100 if side_by_side == 1 else 400
            self._floors[key] = zygote_floor.measure(ENTRIES[entry][0], count, side_by_side)
        return self._floors[key]

    def plan(
        self, make: Callable[..., graphs.Graph], task: task_pb2.TaskCreateRequest, size: int
    ) -> identifier_pb2.Identifier:
        """Register a graph of `size` nodes."""
        return self.client.register(make(task, size, self.version))


def start_up(bench: Bench) -> Iterator[Row]:
    """Start to ready, on an empty folder and on a used one."""
    yield Row("volant up, empty folder", bench.cold_start, "s", None)
    yield Row("volant up, used folder", bench.warm_start, "s", 3.0)


def memory(bench: Bench) -> Iterator[Row]:
    """Idle memory: proportional, PostgreSQL included, zygotes apart."""
    time.sleep(5)
    ours, zygotes = bench.platform.memory()
    yield Row("idle memory", ours, "MB", 250, note=f"zygotes {zygotes:.0f} MB apart")


def import_sdk(_bench: Bench) -> Iterator[Row]:
    """What `import volant` costs a script, beside flytekit."""
    ours, theirs = sdk.measure("import_time", runs=1)
    yield Row("import volant", ours * 1000, "ms", 100, note=f"flytekit {theirs * 1000:.0f} ms")
    loaded, loaded_by_flytekit = sdk.measure("import_modules", runs=1)
    yield Row("modules that import volant loads", loaded, "modules", 350, note=f"flytekit {loaded_by_flytekit:.0f}")
    used, _ = sdk.measure("import_used", runs=1)
    yield Row("from volant import task, workflow", used * 1000, "ms", None)


def define(_bench: Bench) -> Iterator[Row]:
    """A workflow of 1,000 task nodes is defined and made into messages, beside flytekit."""
    ours, theirs = sdk.measure("compile_graph")
    note = f"{ours * 1000:.0f} ms, flytekit {theirs * 1000:.0f} ms"
    yield Row("1,000 nodes defined, serialized", ours / theirs, "x flytekit", 1.0, note=note)


def local_calls(_bench: Bench) -> Iterator[Row]:
    """What a task costs on this machine beyond its function, beside flytekit."""
    for name, what in (("call of a task", "task_call"), ("a task of a local workflow", "local_node")):
        ours, theirs = sdk.measure(what)
        note = f"{ours * 1e6:.0f} µs, flytekit {theirs * 1e6:.0f} µs"
        yield Row(f"{name}, overhead", ours / theirs, "x flytekit", 1 / 3, note=note)


def one_task(bench: Bench) -> Iterator[Row]:
    """A workflow of one task, warm: CreateExecution to SUCCEEDED as a client sees it."""
    for name, entry in ENTRIES.items():
        plan = bench.plan(graphs.chain, graphs.python_task(entry, bench.version), 1)
        runs = [bench.client.seconds(plan) for _ in range(25)][5:]
        yield Row(f"one task, {name}", statistics.median(runs) * 1000, "ms", 50)


def chain(bench: Bench) -> Iterator[Row]:
    """A chain of 50 tasks: what each costs beyond the bare zygote's own time, one at a time."""
    for name, entry in ENTRIES.items():
        plan = bench.plan(graphs.chain, graphs.python_task(entry, bench.version), 50)
        bench.client.seconds(plan)
        each = statistics.median(bench.client.seconds(plan) for _ in range(3)) / 50 * 1000
        floor = 1000 / bench.floor(name, 1)
        yield Row(f"chain of 50, {name}", each - floor, "ms", 15, note=f"{each:.1f} a task, floor {floor:.1f}")


def fan_out(bench: Bench) -> Iterator[Row]:
    """Tasks side by side, as a share of the bare zygote's rate, two at a time."""
    for name, entry in ENTRIES.items():
        for width in (200, 1000):
            plan = bench.plan(graphs.side_by_side, graphs.python_task(entry, bench.version), width)
            rate = width / bench.client.seconds(plan, 0.02)
            floor = bench.floor(name, 2)
            note = f"{rate:.0f}/s, floor {floor:.0f}/s"
            target = 60.0 if width == 1000 else None
            yield Row(f"fan-out of {width}, {name}", rate / floor * 100, "% of floor", target, at_most=False, note=note)


def cached(bench: Bench) -> Iterator[Row]:
    """1,000 tasks whose results are in the cache."""
    task = graphs.python_task(graphs.VOLANT, bench.version, cached=True)
    plan = bench.plan(graphs.side_by_side, task, 1000)
    bench.client.seconds(plan, 0.02)
    rate = 1000 / statistics.median(bench.client.seconds(plan, 0.01) for _ in range(3))
    yield Row("1,000 cached tasks", rate, "tasks/s", 1000, at_most=False)


def echo(bench: Bench) -> Iterator[Row]:
    """The engine alone: nodes that it does itself."""
    task = graphs.echo_task(bench.version)
    plan = bench.plan(graphs.chain, task, 50)
    bench.client.seconds(plan)
    each = statistics.median(bench.client.seconds(plan) for _ in range(9)) / 50 * 1000
    yield Row("chain of 50 echo nodes", each, "ms a node", 2.5)
    plan = bench.plan(graphs.side_by_side, task, 1000)
    bench.client.seconds(plan)
    rate = 1000 / statistics.median(bench.client.seconds(plan, 0.01) for _ in range(5))
    yield Row("1,000 echo nodes side by side", rate, "nodes/s", 1000, at_most=False)


def growth(bench: Bench) -> Iterator[Row]:
    """Whether a node costs the same in a graph a hundred times as large."""
    task = graphs.echo_task(bench.version)
    for name, make in (("side by side", graphs.side_by_side), ("in a chain", graphs.chain)):
        each = {}
        for size, runs in ((100, 9), (1000, 3), (10_000, 1)):
            plan = bench.plan(make, task, size)
            bench.client.seconds(plan, 0.01)
            each[size] = statistics.median(bench.client.seconds(plan, 0.005) for _ in range(runs)) / size
        note = ", ".join(f"{size}: {seconds * 1000:.2f} ms" for size, seconds in each.items())
        ratio = each[10_000] / each[100]
        yield Row(f"growth 100 to 10,000, {name}", ratio, "x a node", 1.2, note=note)


def reads(bench: Bench) -> Iterator[Row]:
    """GetExecution by one client, as a share of an empty echo of the same size."""
    plan = bench.plan(graphs.chain, graphs.echo_task(bench.version), 1)
    execution = bench.client.start(plan)
    bench.client.wait(execution, 0.01)
    request = execution_pb2.WorkflowExecutionGetRequest(id=execution)
    size = bench.client.admin.GetExecution(request).ByteSize()
    calls = 3000
    floor = floor_echo.measure(free_port(), calls, size)
    begin = time.perf_counter()
    for _ in range(calls):
        bench.client.admin.GetExecution(request)
    rate = calls / (time.perf_counter() - begin)
    yield Row(
        "GetExecution", rate / floor * 100, "% of echo", 60, at_most=False, note=f"{rate:.0f}/s, echo {floor:.0f}/s"
    )


ROWS = {
    row.__name__: row
    for row in (
        start_up,
        memory,
        import_sdk,
        define,
        local_calls,
        one_task,
        chain,
        fan_out,
        cached,
        echo,
        growth,
        reads,
    )
}

"""The SDK beside flytekit: what importing costs, compiling a workflow of 1,000 nodes, a task call on this machine.

Each is measured in processes of its own, ours and flytekit's in turn: run as `python -m bench.sdk WHAT KIT`, this
module prints one figure.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable

NODES = 1000
CALLS = 2000
_KITS = ("volant", "flytekit")
_FOLDER = tempfile.TemporaryDirectory(prefix="volant-bench-sdk-")


def compile_graph(kit: str) -> float:
    """Seconds to define a workflow of 1,000 task nodes, half of them in a chain, and to make its messages."""
    source = f"""
from {kit} import task, workflow

@task
def one(x: int, y: int = 2) -> int:
    return x

@workflow
def wide(x: int) -> int:
    last = x
    for number in range({NODES}):
        last = one(x=last if number % 2 else x, y=number)
    return last
"""
    _prepare(kit)
    module = _module(source)
    begin = time.perf_counter()
    _run(module, source)
    size = _serialize(kit, module["wide"])
    took = time.perf_counter() - begin
    if size != NODES:
        raise RuntimeError(f"{kit} made {size} nodes")
    return took


def _prepare(kit: str) -> None:
    """Load what serializing needs, which importing is measured apart from."""
    small = f"""
from {kit} import task, workflow

@task
def one(x: int) -> int:
    return x

@workflow
def small(x: int) -> int:
    return one(x=x)
"""
    module = _module(small)
    _run(module, small)
    _serialize(kit, module["small"])


def _module(source: str) -> dict[str, object]:
    """A module that is a file: flytekit looks for one."""
    file = pathlib.Path(_FOLDER.name, f"bench_graph_{len(sys.modules)}.py")
    file.write_text(source)
    module = types.ModuleType(file.stem)
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    return vars(module)


def _run(module: dict[str, object], source: str) -> None:
    exec(compile(source, str(module["__file__"]), "exec"), module)


def _serialize(kit: str, workflow: object) -> int:
    """Make the messages that registering sends; gives the number of the workflow's nodes."""
    if kit == "volant":
        from volant.serialization import settings, specs  # noqa: PLC0415 - either kit is loaded alone

        made = specs.specs_for(workflow, settings.SerializationSettings(version="v"))  # type: ignore[arg-type]
        for _, spec in made:
            spec.SerializeToString()  # type: ignore[attr-defined]
        return max(len(spec.template.nodes) for spec in made.workflows.values())
    from collections import OrderedDict  # noqa: PLC0415 - as above

    from flytekit.configuration import Image, ImageConfig, SerializationSettings  # noqa: PLC0415
    from flytekit.tools.translator import get_serializable  # noqa: PLC0415

    image = Image("default", "bench", "v")
    theirs = SerializationSettings(ImageConfig(image, [image]), project="p", domain="d", version="v")
    found: OrderedDict[object, object] = OrderedDict()
    get_serializable(found, theirs, workflow)
    nodes = 0
    for spec in found.values():
        message = spec.to_flyte_idl()  # type: ignore[attr-defined]
        message.SerializeToString()
        if hasattr(message, "template") and hasattr(message.template, "nodes"):
            nodes = len(message.template.nodes)
    return nodes


def task_call(kit: str) -> float:
    """Seconds that a call of a task costs a script, beyond what the function itself takes."""
    source = f"""
from {kit} import task

def plain(x: int) -> int:
    return x

@task
def one(x: int) -> int:
    return x
"""
    module = _module(source)
    _run(module, source)

    def each(function: Callable[..., object]) -> float:
        for number in range(50):
            function(x=number)
        begin = time.perf_counter()
        for number in range(CALLS):
            function(x=number)
        return (time.perf_counter() - begin) / CALLS

    return each(module["one"]) - each(module["plain"])  # type: ignore[arg-type]


def local_node(kit: str) -> float:
    """Seconds for each task of a workflow that runs on this machine: a chain of 200."""
    source = f"""
from {kit} import task, workflow

@task
def one(x: int) -> int:
    return x

@workflow
def chain(x: int) -> int:
    for _ in range(200):
        x = one(x=x)
    return x
"""
    module = _module(source)
    _run(module, source)
    run: Callable[..., object] = module["chain"]  # type: ignore[assignment]
    run(x=1)
    begin = time.perf_counter()
    for number in range(3):
        run(x=number)
    return (time.perf_counter() - begin) / 3 / 200


def import_modules(kit: str) -> float:
    """How many modules importing the kit loads."""
    before = set(sys.modules)
    __import__(kit)
    return len(set(sys.modules) - before)


def import_time(kit: str) -> float:
    """Seconds that an interpreter which imports the kit takes longer than one that doesn't."""

    def seconds(code: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
        return time.perf_counter() - begin

    pairs = [(seconds("pass"), seconds(f"import {kit}")) for _ in range(9 if kit == "volant" else 3)]
    return statistics.median(loaded for _, loaded in pairs) - statistics.median(bare for bare, _ in pairs)


def import_used(kit: str) -> float:
    """Seconds until the decorators are there, in an interpreter that runs."""
    begin = time.perf_counter()
    exec(f"from {kit} import task, workflow", {})
    return time.perf_counter() - begin


_MEASURES = {
    one.__name__: one for one in (compile_graph, task_call, local_node, import_modules, import_time, import_used)
}


def measure(what: str, runs: int = 3) -> tuple[float, float]:
    """The median figures of our SDK and of flytekit, taken in turn in fresh processes."""
    found: dict[str, list[float]] = {kit: [] for kit in _KITS}
    for _ in range(runs):
        for kit in _KITS:
            command = [sys.executable, "-m", "bench.sdk", what, kit]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[kit].append(float(done.stdout.split()[-1]))
    return statistics.median(found["volant"]), statistics.median(found["flytekit"])


if __name__ == "__main__":
    print(_MEASURES[sys.argv[1]](sys.argv[2]))

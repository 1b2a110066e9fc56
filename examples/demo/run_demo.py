"""`make demo`: start the platform and run workflows on it, with Volant's SDK first, then with stock flytekit.

The platform keeps running afterwards, with its data in .data/demo; the last line says how to stop it.
"""

import concurrent.futures
import logging
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import warnings

warnings.simplefilter("ignore")
HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
DATA = ROOT / ".data" / "demo"
VOLANT = str(pathlib.Path(sys.executable).parent / "volant")


def say(text: str = "") -> None:
    """Print a line at once."""
    print(text, flush=True)


def heading(text: str) -> None:
    """Print a title."""
    bold, plain = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() else ("", "")
    say(f"\n{bold}── {text} {'─' * max(76 - len(text), 0)}{plain}")


def volant(*words: str, environment: dict[str, str]) -> None:
    """Run a command of ours, showing it as it would be typed."""
    shown = ["volant", *words]
    say(f"$ {' '.join(shown)}")
    begin = time.perf_counter()
    code = subprocess.run([VOLANT, *words], env=environment, cwd=HERE, check=False).returncode
    if code:
        sys.exit(code)
    say(f"  ({time.perf_counter() - begin:.1f} s)\n")


def free(port: int) -> int:
    """`port`, or any free one where somebody listens there already."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start() -> tuple[str, str]:
    """Start the platform unless it runs; its gRPC and HTTP addresses."""
    status = subprocess.run([VOLANT, "status", "--data", DATA], capture_output=True, text=True, check=False)
    if status.returncode != 0:
        begin = time.perf_counter()
        ports = ["--grpc", f"127.0.0.1:{free(8089)}", "--http", f"127.0.0.1:{free(8088)}"]
        up = subprocess.run([VOLANT, "up", "--detach", "--data", DATA, *ports], text=True, check=False)
        if up.returncode != 0:
            sys.exit(up.returncode)
        say(f"The platform was ready after {time.perf_counter() - begin:.1f} s.")
        status = subprocess.run([VOLANT, "status", "--data", DATA], capture_output=True, text=True, check=True)
    grpc = re.search(r"gRPC\s+(127\S+?)(,|\s)", status.stdout)
    http = re.search(r"HTTP\s+(http://127\S+?)(,|\s)", status.stdout)
    if grpc is None or http is None:
        sys.exit(f"volant status says no addresses:\n{status.stdout}")
    return grpc[1], http[1]


def run(remote, workflow, title: str):
    """Run the pipeline and show every node."""
    import flytekit.models.core.execution as phases  # noqa: PLC0415 - flytekit only after its settings are made

    say(f"\n{title}")
    begin = time.perf_counter()
    execution = remote.execute(workflow, inputs={"path": str(HERE / "temperatures.csv")})
    execution = remote.wait(execution, poll_interval=0.2)
    took = time.perf_counter() - begin
    if execution.error is not None:
        say(f"  it failed: {execution.error.message}")
        sys.exit(1)
    for name, node in in_order(execution.node_executions)[1:-1]:  # without start and end
        show(phases, name, node, "  ")
    say(f"  {took:.2f} s from the first call to the last output")
    values = execution.outputs.as_python_native(workflow.python_interface)
    for name, value in zip(workflow.python_interface.outputs, values, strict=True):
        say(f"  {name}: {type(value).__name__} = {value}")
    return execution


def show(phases, name: str, node, indent: str) -> None:
    """A line for a node, then its children."""
    phase = phases.NodeExecutionPhase.enum_to_string(node.closure.phase)
    cache = cache_status(node)
    spec = node.metadata.spec_node_id if node.metadata else name
    what = node._node.metadata.name if getattr(node, "_node", None) and node._node.metadata else ""  # noqa: SLF001
    what = re.sub(r".*\.map_(.+)_[0-9a-f]{32}-arraynode", r"map of \1", what or spec)
    say(f"{indent}{name:{20 - len(indent)}} {phase:10} {what} {cache}")
    for child_name, child in in_order(node.subworkflow_node_executions or {}):
        if not child_name.endswith(("start-node", "end-node")):
            show(phases, child_name, child, indent + "  ")


def in_order(nodes) -> list:
    """Nodes by name, n2 before n10; the start first, the end last."""

    def key(item) -> list:
        name = item[0]
        place = 0 if name.endswith("start-node") else 2 if name.endswith("end-node") else 1
        return [place, *(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name))]

    return sorted(nodes.items(), key=key)


def cache_status(node) -> str:
    """ "cache hit" or what else the cache did, if it was asked."""
    metadata = node.closure.task_node_metadata
    words = {1: "(cache: miss)", 2: "(cache: HIT)", 3: "(cache: stored)"}
    return words.get(metadata.cache_status, "") if metadata is not None else ""


def with_volant(environment: dict[str, str]) -> None:
    """The article's data quality pipeline and its hyperparameter search, with our SDK."""
    quality = ("quality.py", "data_quality_pipeline", "--path", str(HERE / "temperatures.csv"))
    heading("A data quality pipeline, here: tasks are functions (quality.py)")
    volant("run", *quality, environment=environment)
    heading("The same on the platform: each task in a process of its own")
    volant("run", "--remote", "--watch", *quality, environment=environment)
    heading("Once more: nothing new to register, and the cache knows the statistics")
    volant("run", "--remote", "--watch", *quality, environment=environment)
    heading("Hyperparameters side by side, as many as there are at run time (tuning.py)")
    tuning = ("tuning.py", "tuning_pipeline", "--dataset", str(HERE / "temperatures.csv"))
    volant("run", "--remote", "--watch", *tuning, environment=environment)


def load_flytekit():
    """The pipeline in flytekit. It takes seconds to import, so that goes on beside the first part."""
    logging.getLogger("flytekit").setLevel(logging.ERROR)
    sys.path.insert(0, str(HERE))
    import flytekit_quality  # noqa: PLC0415 - it reads the environment at import

    return flytekit_quality


def with_flytekit(flytekit_quality) -> None:
    """A larger pipeline in stock flytekit, which needs no change."""
    from flytekit.configuration import Config  # noqa: PLC0415 - only after its settings are made
    from flytekit.remote import FlyteRemote  # noqa: PLC0415

    heading("Stock flytekit, unchanged: map, condition, dynamic (flytekit_quality.py)")
    remote = FlyteRemote(Config.auto(), "flytesnacks", "development")
    pipeline = flytekit_quality.quality_pipeline
    workflow = remote.register_script(pipeline, source_path=str(HERE), module_name="flytekit_quality")
    say(f"Registered as {workflow.id.name}, version {workflow.id.version}.")
    run(remote, pipeline, "First run:")
    execution = run(remote, pipeline, "Second run, the same file again:")
    say(f"\nLook at it: {remote.generate_console_url(execution)}")


def main() -> None:
    """Run the demo."""
    begin = time.perf_counter()
    grpc, http = start()
    environment = {**os.environ, "VOLANT_ENDPOINT": grpc}
    environment.pop("VOLANT_CONFIG", None)
    os.environ.update(FLYTE_PLATFORM_URL=grpc, FLYTE_PLATFORM_INSECURE="true", FLYTE_PLATFORM_CONSOLE_ENDPOINT=http)
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        loaded = beside.submit(load_flytekit)
        with_volant(environment)
        with_flytekit(loaded.result())
    say(f"\nAll of it took {time.perf_counter() - begin:.0f} s.")
    command = f"{pathlib.Path(VOLANT).relative_to(ROOT)} down --data {DATA.relative_to(ROOT)}"
    say(f"The platform still runs. Go on with it: VOLANT_ENDPOINT={grpc}. Stop it: {command}")


if __name__ == "__main__":
    main()

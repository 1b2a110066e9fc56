"""A platform of its own for a run of the benchmarks, and a client of it."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import grpc

from bench.graphs import DOMAIN, PROJECT, Graph
from volantidl.admin import execution_pb2, launch_plan_pb2
from volantidl.core import execution_pb2 as core_execution_pb2
from volantidl.core import identifier_pb2, literals_pb2
from volantidl.service import admin_pb2_grpc

HERE = pathlib.Path(__file__).parent
_PHASE = core_execution_pb2.WorkflowExecution.Phase
_TERMINAL = {_PHASE.SUCCEEDED, _PHASE.FAILED, _PHASE.ABORTED, _PHASE.TIMED_OUT}


def free_port() -> int:
    """A TCP port that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Client:
    """Registers graphs and runs them."""

    def __init__(self, address: str) -> None:
        """Connect to a platform's gRPC address."""
        self._channel = grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)])
        self.admin = admin_pb2_grpc.AdminServiceStub(self._channel)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def register(self, graph: Graph) -> identifier_pb2.Identifier:
        """Register tasks, workflow and a launch plan of the same name, where they are not; the launch plan's id."""
        plan = identifier_pb2.Identifier()
        plan.CopyFrom(graph.workflow.id)
        plan.resource_type = identifier_pb2.ResourceType.LAUNCH_PLAN
        spec = launch_plan_pb2.LaunchPlanSpec(workflow_id=graph.workflow.id)
        for call, request in (
            *((self.admin.CreateTask, task) for task in graph.tasks),
            (self.admin.CreateWorkflow, graph.workflow),
            (self.admin.CreateLaunchPlan, launch_plan_pb2.LaunchPlanCreateRequest(id=plan, spec=spec)),
        ):
            try:
                call(request)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.ALREADY_EXISTS:
                    raise
        return plan

    def start(
        self, plan: identifier_pb2.Identifier, *, overwrite_cache: bool = False
    ) -> identifier_pb2.WorkflowExecutionIdentifier:
        """Create an execution without a bound on its parallelism."""
        value = literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=1)))
        request = execution_pb2.ExecutionCreateRequest(
            project=PROJECT,
            domain=DOMAIN,
            inputs=literals_pb2.LiteralMap(literals={"x": value}),
            spec=execution_pb2.ExecutionSpec(
                launch_plan=plan, max_parallelism=100_000, overwrite_cache=overwrite_cache
            ),
        )
        return self.admin.CreateExecution(request).id

    def wait(self, execution: identifier_pb2.WorkflowExecutionIdentifier, every: float, limit: float = 600) -> None:
        """Poll until the execution has succeeded; RuntimeError when it did anything else."""
        end = time.monotonic() + limit
        request = execution_pb2.WorkflowExecutionGetRequest(id=execution)
        while time.monotonic() < end:
            closure = self.admin.GetExecution(request).closure
            if closure.phase in _TERMINAL:
                if closure.phase != _PHASE.SUCCEEDED:
                    raise RuntimeError(f"{execution.name}: {_PHASE.Name(closure.phase)}: {closure.error}")
                return
            time.sleep(every)
        raise RuntimeError(f"{execution.name} did not end in {limit} s")

    def seconds(self, plan: identifier_pb2.Identifier, every: float = 0.002, *, overwrite_cache: bool = False) -> float:
        """How long one execution takes, from the call that creates it to its success being told."""
        begin = time.perf_counter()
        self.wait(self.start(plan, overwrite_cache=overwrite_cache), every)
        return time.perf_counter() - begin


class Platform:
    """A running `volant up`."""

    def __init__(self, data: pathlib.Path, more: tuple[str, ...] = ()) -> None:
        """Use the folder `data`; ports are chosen at each start, where `more` words of the command don't say them."""
        self.data = data
        self._more = more
        self.address = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start the platform; the seconds until it says that it is ready."""
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        environment = {**os.environ, "PYTHONPATH": str(HERE / "tasks")}
        command = [sys.executable, "-m", "volant_server", "up", "--data", str(self.data)]
        command += ["--grpc", self.address, "--http", f"127.0.0.1:{free_port()}", *self._more]
        begin = time.perf_counter()
        log = (self.data.parent / "platform.log").open("ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if b"ready" in line:
                return time.perf_counter() - begin
        raise RuntimeError(f"the platform did not start; see {self.data.parent / 'platform.log'}")

    def stop(self) -> None:
        """End the platform as Ctrl-C does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)

    def memory(self) -> tuple[float, float]:
        """MB of proportional memory: of the platform with PostgreSQL, and of the zygotes."""
        assert self.process is not None
        ours = zygotes = 0.0
        for pid in _family(self.process.pid):
            with contextlib.suppress(OSError):
                command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                size = next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
                if b"zygote" in command:
                    zygotes += size
                else:
                    ours += size
        return ours, zygotes


def _family(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


@contextlib.contextmanager
def platform() -> Iterator[Platform]:
    """A platform in a folder of its own, not yet started."""
    with tempfile.TemporaryDirectory(prefix="volant-bench-") as folder:
        running = Platform(pathlib.Path(folder) / "data")
        try:
            yield running
        finally:
            running.stop()

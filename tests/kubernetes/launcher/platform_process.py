"""`volant up` with the Kubernetes launcher, and further engines beside it, as processes that can be killed."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import uuid

import grpc
from kubernetes_world import KUBECONFIG, kubectl

from volantidl.admin import execution_pb2, project_pb2
from volantidl.core import execution_pb2 as core_execution_pb2
from volantidl.core import identifier_pb2
from volantidl.service import admin_pb2_grpc

HOST = os.environ.get("VOLANT_TEST_HOST", "172.30.0.1")
"""This machine, as pods reach it."""
IMAGE = os.environ.get("VOLANT_TEST_FLYTEKIT_IMAGE", "localhost/flytekit:1")
FLOWS = pathlib.Path(__file__).parent / "flows"
BIN = pathlib.Path(sys.executable).parent
PHASES = core_execution_pb2.WorkflowExecution.Phase
ENDED = {PHASES.SUCCEEDED, PHASES.FAILED, PHASES.ABORTED, PHASES.TIMED_OUT}


def free_ports(count: int) -> list[int]:
    found = []
    for port in range(27000 + os.getpid() % 900, 28000):
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("0.0.0.0", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


class PlatformProcess:
    """The platform, in a folder."""

    def __init__(self, folder: pathlib.Path, project: str, **settings: str) -> None:
        self.folder = folder
        self.project = project
        self.grpc, self.http, self.s3 = free_ports(3)
        reached = {
            "FLYTE_AWS_ENDPOINT": f"http://{HOST}:{self.s3}",
            "FLYTE_PLATFORM_URL": f"{HOST}:{self.grpc}",
            "VOLANT_DRIVER_ENDPOINT": f"{HOST}:{self.grpc}",
        }
        self.environment = {
            **os.environ,
            "VOLANT_TASKS__LAUNCHER": "kubernetes",
            "VOLANT_KUBERNETES__KUBECONFIG": KUBECONFIG,
            "VOLANT_KUBERNETES__INSTALLATION": project,
            "VOLANT_KUBERNETES__ENVIRONMENT": json.dumps(reached),
            "VOLANT_KUBERNETES__KEEP_SUCCEEDED_SECONDS": "600",
            "VOLANT_KUBERNETES__STOP_SECONDS": "1",
            "VOLANT_ADMIN__SEED_PROJECTS": project,
            "VOLANT_PEERS__TOKEN": uuid.uuid4().hex,
            **settings,
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """The whole platform."""
        words = ["up", "--data", str(self.folder / "data"), "--grpc", f"0.0.0.0:{self.grpc}"]
        words += ["--http", f"0.0.0.0:{self.http}", "--s3", f"0.0.0.0:{self.s3}"]
        return self._started("up", [str(BIN / "volant"), *words])

    def start_engine(self, name: str) -> subprocess.Popen[bytes]:
        """One more engine."""
        keys = json.loads((self.folder / "data" / "keys.json").read_text())
        more = {
            "VOLANT_PEERS__ADMIN": f"127.0.0.1:{self.grpc}",
            "VOLANT_PEERS__DATACATALOG": f"127.0.0.1:{self.grpc}",
            "VOLANT_BLOBS__ENDPOINT": f"http://127.0.0.1:{self.s3}",
            "VOLANT_BLOBS__ACCESS_KEY": keys["access_key"],
            "VOLANT_BLOBS__SECRET_KEY": keys["secret_key"],
            "VOLANT_ENGINE__NAME": name,
            "VOLANT_LISTEN__HTTP": "127.0.0.1:0",
        }
        return self._started(name, [str(BIN / "volant-server"), "run", "--service", "engine"], more)

    def _started(self, name: str, words: list[str], more: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log, env={**self.environment, **(more or {})})
        self.processes.append(process)
        return process

    def wait_ready(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                self.call("ListProjects", project_pb2.ProjectListRequest())
            except grpc.RpcError:
                assert time.monotonic() < deadline, (self.folder / "up.log").read_text()
                time.sleep(0.2)
            else:
                return

    def call(self, method: str, request):
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc}") as channel:
            return getattr(admin_pb2_grpc.AdminServiceStub(channel), method)(request, timeout=30)

    def run(self, workflow: str, *inputs: str, file: str = "kinds.py") -> str:
        """Register and start a workflow of `flows` by pyflyte; the execution's name."""
        config = self.folder / "config.yaml"
        config.write_text(f"admin:\n  endpoint: dns:///127.0.0.1:{self.grpc}\n  insecure: true\n")
        words = [str(BIN / "pyflyte"), "-c", str(config), "run", "--remote", "-p", self.project, "-d", "development"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FLYTE")}
        done = subprocess.run(
            [*words, "--image", IMAGE, file, workflow, *inputs],
            check=False,
            cwd=FLOWS,
            capture_output=True,
            text=True,
            env=environment,
        )
        assert not done.returncode, done.stdout + done.stderr
        return done.stdout.split("/executions/")[1].split()[0]

    def again(self, name: str) -> str:
        """Start what an execution runs once more."""
        spec = self.get(name).spec
        request = execution_pb2.ExecutionCreateRequest(
            project=self.project,
            domain="development",
            spec=execution_pb2.ExecutionSpec(launch_plan=spec.launch_plan),
            inputs=self.call(
                "GetExecutionData", execution_pb2.WorkflowExecutionGetDataRequest(id=self.get(name).id)
            ).full_inputs,
        )
        return self.call("CreateExecution", request).id.name

    def get(self, name: str) -> execution_pb2.Execution:
        identifier = identifier_pb2.WorkflowExecutionIdentifier(project=self.project, domain="development", name=name)
        return self.call("GetExecution", execution_pb2.WorkflowExecutionGetRequest(id=identifier))

    def wait(self, name: str, patience: float = 400.0) -> execution_pb2.Execution:
        deadline = time.monotonic() + patience
        while True:
            found = self.get(name)
            if found.closure.phase in ENDED:
                return found
            assert time.monotonic() < deadline, f"{name} is {PHASES.Name(found.closure.phase)}"
            time.sleep(0.5)

    def pods(self, execution: str) -> list[dict]:
        text = kubectl(
            "-n", f"{self.project}-development", "get", "pods", "-l", f"execution-id={execution}", "-o", "json"
        )
        return json.loads(text)["items"]

    def wait_pods(self, execution: str, phase: str, count: int, patience: float = 200.0) -> list[dict]:
        deadline = time.monotonic() + patience
        while True:
            found = [pod for pod in self.pods(execution) if pod["status"]["phase"] == phase]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, f"{len(found)} pods are {phase}"
            time.sleep(0.3)

    def stop(self) -> None:
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        kubectl("delete", "namespace", f"{self.project}-development", "--wait=false", check=False)

"""Services as processes of their own, several of each, on one database: what the chart deploys, without pods.

An address list ("ipv4:a,b") stands in for a Kubernetes Service: a connection goes to the first that answers, and to
another when that is gone.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc

from volantidl.admin import execution_pb2, task_pb2
from volantidl.core import execution_pb2 as core_execution_pb2
from volantidl.core import identifier_pb2, interface_pb2, tasks_pb2
from volantidl.service import admin_pb2_grpc

PHASE = core_execution_pb2.WorkflowExecution.Phase
LEASE_S = 3
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("VOLANT_")}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def service(addresses: Sequence[str]) -> str:
    """One address that stands for several processes."""
    return f"ipv4:{','.join(addresses)}"


class Process:
    """A `volant-server run --service NAME`."""

    def __init__(self, name: str, log: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.log = log
        self.environment = environment
        with log.open("ab") as errors:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "volant_server", "run", "--service", name],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**_ENVIRONMENT, **environment},
            )
        self.said = ""

    def ready(self) -> "Process":
        assert self.popen.stdout is not None
        self.said = self.popen.stdout.readline()
        assert self.said.startswith("ready"), self.said + self.log.read_text()[-3000:]
        return self

    def address(self, of: str) -> str:
        match = re.search(rf"{of} ([^,\s]+)", self.said)
        assert match, self.said
        return match[1]

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Fleet:
    """Processes on one database and in one folder."""

    def __init__(self, folder: Path, dsn: str, **environment: str) -> None:
        self.folder = folder
        self.notes = folder / "notes"
        self.notes.mkdir()
        self.dsn = dsn
        self.store = f"127.0.0.1:{free_port()}"
        self.processes: list[Process] = []
        self.environment = {
            "VOLANT_LISTEN__GRPC": "127.0.0.1:0",
            "VOLANT_LISTEN__HTTP": "127.0.0.1:0",
            "VOLANT_LISTEN__S3": self.store,
            "VOLANT_BLOBS__ENDPOINT": f"http://{self.store}",
            "VOLANT_BLOBS__ACCESS_KEY": "key",
            "VOLANT_BLOBS__SECRET_KEY": "secret" * 4,
            "VOLANT_ADMIN__DISPATCH__LEASE": str(LEASE_S),
            "VOLANT_PEERS__TOKEN": "token" * 4,
            "VOLANT_TASKS__FOLDER": str(folder / "tasks"),
            "VOLANT_TASKS__SLOTS": "12",
            "NOTES": str(self.notes),
            **environment,
        }

    def start(self, name: str, **environment: str) -> Process:
        """Start a process, without waiting for it."""
        told = {**self.environment, **environment}
        if name in {"admin", "datacatalog"}:
            told.setdefault("VOLANT_DATABASE__DSN", self.dsn)
        if name == "objectstore":
            told["VOLANT_BLOBS__ROOT"] = str(self.folder / "objects")
        process = Process(name, self.folder / f"{len(self.processes)}-{name}.log", told)
        self.processes.append(process)
        return process

    def engine(self, admins: Sequence[str], catalogs: Sequence[str], name: str) -> Process:
        return self.start(
            "engine",
            VOLANT_PEERS__ADMIN=service(admins),
            VOLANT_PEERS__DATACATALOG=service(catalogs),
            VOLANT_ENGINE__NAME=name,
        )

    def count(self, name: str, what: str) -> int:
        """How often a script noted that it began or ended."""
        note = self.notes / name
        return note.read_text().count(what) if note.exists() else 0

    def close(self) -> None:
        for process in reversed(self.processes):
            if process.popen.poll() is None:
                process.stop()
            assert process.popen.stdout is not None
            process.popen.stdout.close()

    def tracebacks(self) -> list[str]:
        return [process.log.name for process in self.processes if "Traceback" in process.log.read_text()]


class Client:
    """Shell scripts as tasks, each noting when it began and ended."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)
        self.admin = admin_pb2_grpc.AdminServiceStub(self.channel)

    def close(self) -> None:
        self.channel.close()

    def register(self, name: str, seconds: float, *, cached: bool = False) -> identifier_pb2.Identifier:
        note = f'"$NOTES/{name}"'
        return self.register_script(name, f"echo began >>{note}; sleep {seconds}; echo ended >>{note}", cached=cached)

    def register_script(self, name: str, script: str, *, cached: bool = False) -> identifier_pb2.Identifier:
        identifier = identifier_pb2.Identifier(
            resource_type=identifier_pb2.TASK, project="flytesnacks", domain="development", name=name, version="1"
        )
        template = tasks_pb2.TaskTemplate(
            id=identifier,
            type="raw-container",
            metadata=tasks_pb2.TaskMetadata(discoverable=cached, discovery_version="1" if cached else ""),
            interface=interface_pb2.TypedInterface(),
            container=tasks_pb2.Container(image="any", command=["/bin/sh", "-c", script]),
        )
        self.admin.CreateTask(task_pb2.TaskCreateRequest(id=identifier, spec=task_pb2.TaskSpec(template=template)))
        return identifier

    def execute(self, task: identifier_pb2.Identifier, name: str = "") -> identifier_pb2.WorkflowExecutionIdentifier:
        request = execution_pb2.ExecutionCreateRequest(
            project=task.project, domain=task.domain, name=name, spec=execution_pb2.ExecutionSpec(launch_plan=task)
        )
        return self.admin.CreateExecution(request, timeout=20).id

    def closure(self, execution: identifier_pb2.WorkflowExecutionIdentifier) -> execution_pb2.ExecutionClosure:
        request = execution_pb2.WorkflowExecutionGetRequest(id=execution)
        return self.admin.GetExecution(request, timeout=20).closure

    def abort(self, execution: identifier_pb2.WorkflowExecutionIdentifier) -> None:
        self.admin.TerminateExecution(execution_pb2.ExecutionTerminateRequest(id=execution, cause="enough"))

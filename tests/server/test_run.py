"""`volant-server run`: services in processes of their own, with settings from a file and the environment."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tests.server import scripts
from tests.server.conftest import ANY, ENVIRONMENT

from volantidl.admin import execution_pb2
from volantidl.core import execution_pb2 as core_execution_pb2
from volantidl.service import admin_pb2_grpc

PHASE = core_execution_pb2.WorkflowExecution.Phase
KEYS = {"VOLANT_BLOBS__ACCESS_KEY": "key", "VOLANT_BLOBS__SECRET_KEY": "secret" * 4}
TOKEN = {"VOLANT_PEERS__TOKEN": "a token, of any letters: é"}


class Processes:
    def __init__(self) -> None:
        self.all: list[subprocess.Popen[str]] = []

    def run(self, *arguments: str, **environment: str) -> str:
        """Start one; the line that it says when ready."""
        line = [sys.executable, "-m", "volant_server", "run", *arguments]
        process = subprocess.Popen(
            line,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**ENVIRONMENT, **KEYS, **TOKEN, **environment},
        )
        self.all.append(process)
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("ready"), process.communicate()
        return said


@pytest.fixture
def processes(postgres_dsn: str) -> Iterator[Processes]:
    """Ended before the database is dropped."""
    made = Processes()
    yield made
    ended = []
    for process in reversed(made.all):
        process.send_signal(signal.SIGTERM)
        _, complaint = process.communicate(timeout=60)
        ended.append((process.returncode, "Traceback" in complaint, complaint))
    assert [one[:2] for one in ended] == [(0, False)] * len(ended), ended


def test_services_of_their_own(processes: Processes, postgres_dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "volant.toml"
    s3 = _free_port()
    file.write_text(
        f'[listen]\ngrpc = "{ANY}"\nhttp = "{ANY}"\ns3 = "127.0.0.1:{s3}"\n'
        f'[blobs]\nkind = "s3"\nendpoint = "http://127.0.0.1:{s3}"\nroot = "{tmp_path / "objects"}"\n'
        f'[tasks]\nfolder = "{tmp_path / "tasks"}"\n'
    )
    settings = ("--settings", str(file))
    store = processes.run(*settings, "--service", "objectstore")
    assert "ready: objectstore" in store
    database = {"VOLANT_DATABASE__DSN": postgres_dsn}
    catalog = _grpc(processes.run(*settings, "--service", "datacatalog", **database))
    address = _grpc(processes.run(*settings, "--service", "admin", **database))
    peers = {"VOLANT_PEERS__ADMIN": address, "VOLANT_PEERS__DATACATALOG": catalog}
    processes.run(*settings, "--service", "engine", **peers)

    with grpc.insecure_channel(address) as channel:
        admin = admin_pb2_grpc.AdminServiceStub(channel)
        create_task, create_execution = scripts.requests("true", cached=True)
        admin.CreateTask(create_task)
        execution = admin.CreateExecution(create_execution).id
        end = time.monotonic() + 60
        closure = execution_pb2.ExecutionClosure()
        while closure.phase not in {PHASE.SUCCEEDED, PHASE.FAILED}:
            assert time.monotonic() < end
            time.sleep(0.05)
            closure = admin.GetExecution(execution_pb2.WorkflowExecutionGetRequest(id=execution)).closure
        assert closure.phase == PHASE.SUCCEEDED, closure.error


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (("--service", "nonsense"), {}, "there is no service 'nonsense'; there are admin"),
        (("--settings", "/nowhere.toml"), {}, "can't read the settings in /nowhere.toml"),
        (("--service", "admin"), TOKEN, "no database is named"),
        (("--service", "admin"), {}, "peers.token (or VOLANT_PEERS__TOKEN) is needed"),
        (("--service", "engine"), {"VOLANT_PEERS__ADMIN": "127.0.0.1:1"}, "peers.token (or VOLANT_PEERS__TOKEN)"),
    ],
)
def test_what_is_missing_is_a_sentence(arguments: tuple[str, ...], environment: dict[str, str], sentence: str) -> None:
    line = [sys.executable, "-m", "volant_server", "run", *arguments]
    told = {**ENVIRONMENT, "VOLANT_LISTEN__GRPC": ANY, "VOLANT_LISTEN__HTTP": ANY, **environment}
    said = subprocess.run(line, capture_output=True, text=True, timeout=60, env=told, check=False)
    assert said.returncode == 1
    assert sentence in said.stderr
    assert "Traceback" not in said.stderr


def _grpc(said: str) -> str:
    match = re.search(r"gRPC ([^,\s]+)", said)
    assert match
    return match[1]


def _free_port() -> int:
    from volant_core import sockets

    (address,) = sockets.claim((sockets.Address("127.0.0.1", 0),), what="test")
    return address.port

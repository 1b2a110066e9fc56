"""Stopping ends what runs, says so, and costs the user's retries nothing."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from tests.server import scripts
from tests.server.conftest import Up, volant

from volant_core.postgres import leftovers
from volantidl.admin import common_pb2, execution_pb2, node_execution_pb2, task_execution_pb2
from volantidl.core import execution_pb2 as core_execution_pb2
from volantidl.core import identifier_pb2
from volantidl.service import admin_pb2_grpc

PHASE = core_execution_pb2.WorkflowExecution.Phase


class Client:
    def __init__(self, server: Up) -> None:
        self.channel = grpc.insecure_channel(server.address("gRPC"))
        self.admin = admin_pb2_grpc.AdminServiceStub(self.channel)

    def launch(self, script: str) -> identifier_pb2.WorkflowExecutionIdentifier:
        """Run a shell script as a task of its own, without retries."""
        create_task, create_execution = scripts.requests(script)
        self.admin.CreateTask(create_task)
        return self.admin.CreateExecution(create_execution).id

    def closure(self, execution: identifier_pb2.WorkflowExecutionIdentifier) -> execution_pb2.ExecutionClosure:
        return self.admin.GetExecution(execution_pb2.WorkflowExecutionGetRequest(id=execution)).closure

    def attempts(self, execution: identifier_pb2.WorkflowExecutionIdentifier) -> list[tuple[int, str]]:
        """Number and phase of each attempt of the task."""
        nodes = self.admin.ListNodeExecutions(
            node_execution_pb2.NodeExecutionListRequest(workflow_execution_id=execution, limit=100)
        ).node_executions
        found = []
        for node in nodes:
            request = task_execution_pb2.TaskExecutionListRequest(
                node_execution_id=node.id,
                limit=100,
                sort_by=common_pb2.Sort(key="retry_attempt", direction=common_pb2.Sort.ASCENDING),
            )
            for attempt in self.admin.ListTaskExecutions(request).task_executions:
                phase = core_execution_pb2.TaskExecution.Phase.Name(attempt.closure.phase)
                found.append((attempt.id.retry_attempt, phase))
        return found


@pytest.fixture
def client() -> Iterator[Callable[[Up], Client]]:
    made: list[Client] = []

    def connect(server: Up) -> Client:
        made.append(Client(server))
        return made[-1]

    yield connect
    for one in made:
        one.channel.close()


def until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.mark.parametrize("way", ["Ctrl-C", "down", "kill -9"])
def test_what_runs_is_ended_and_tried_again(
    up: Callable[..., Up], client: Callable[[Up], Client], tmp_path: Path, way: str
) -> None:
    notes, go = tmp_path / "notes", tmp_path / "go"
    notes.touch()
    script = f"echo $$ >> {notes}; while [ ! -e {go} ]; do sleep 0.1; done"
    server = up(engine=True).ready()
    execution = client(server).launch(script)
    until(lambda: notes.read_text().count("\n") == 1, "the task did not start")
    pid = int(notes.read_text())

    sentence = "1 running task was ended; at the next start"
    if way == "Ctrl-C":
        assert sentence in server.stop()
    elif way == "down":
        assert sentence in volant("down", "--data", str(server.data)).stdout
        server.process.wait(30)
    else:
        server.process.kill()
        server.process.wait(30)
    assert Path(f"/proc/{pid}").exists() == (way == "kill -9"), "only a crash leaves attempts, to be adopted"

    again = up(engine=True).ready()
    asked = client(again)
    runs = 1 if way == "kill -9" else 2
    until(lambda: notes.read_text().count("\n") == runs, f"it should have run {runs} times")
    until(lambda: asked.closure(execution).phase == PHASE.RUNNING, "it was never told to run")
    go.touch()
    until(lambda: asked.closure(execution).phase not in {PHASE.QUEUED, PHASE.RUNNING}, "it did not end")
    closure = asked.closure(execution)
    assert PHASE.Name(closure.phase) == "SUCCEEDED", closure.error
    assert notes.read_text().count("\n") == runs
    phases = [(0, "SUCCEEDED")] if runs == 1 else [(0, "FAILED"), (1, "SUCCEEDED")]
    assert asked.attempts(execution) == phases
    assert "ended" not in again.stop(), "nothing runs any more"


def test_the_database_dies_meanwhile(up: Callable[..., Up], client: Callable[[Up], Client], tmp_path: Path) -> None:
    notes, go = tmp_path / "notes", tmp_path / "go"
    notes.touch()
    server = up(engine=True).ready()
    asked = client(server)
    execution = asked.launch(f"echo $$ >> {notes}; while [ ! -e {go} ]; do sleep 0.1; done")
    until(lambda: notes.read_text().count("\n") == 1, "the task did not start")
    for pid in leftovers.processes_in(server.data / "postgres" / "data"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    go.touch()

    def ended() -> bool:
        with contextlib.suppress(grpc.RpcError):
            return asked.closure(execution).phase == PHASE.SUCCEEDED
        return False

    until(ended, "it did not succeed")
    assert notes.read_text().count("\n") == 1
    assert asked.attempts(execution) == [(0, "SUCCEEDED")]

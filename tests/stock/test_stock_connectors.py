"""Tasks of flytekit's connectors, served by flytekit's own `pyflyte serve connector`."""

import contextlib
import datetime
import pathlib
import signal
import socket
import sys
import time

import pytest
from flytekit.models.core.execution import WorkflowExecutionPhase as Phase
from flytekit.remote import FlyteRemote

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

import stock_connectors  # noqa: E402 - beside this file, as flytekit's server finds it
import stock_platform  # noqa: E402 - likewise

pytestmark = pytest.mark.timeout(180)


@contextlib.contextmanager
def connector(port: int, folder: pathlib.Path):
    words = ["serve", "connector", "--port", str(port), "--prometheus_port", str(stock_platform.free_port())]
    program = "from flytekit.clis.sdk_in_container.pyflyte import main; main()"
    command = [sys.executable, "-c", program, *words, "--modules", "stock_connectors"]
    # flytekit's server ignores what asks it to end.
    with stock_platform.started(command, folder / "connector.log", signal.SIGKILL):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield


@contextlib.contextmanager
def platform(connectors: int | None, folder: pathlib.Path):
    told = {"VOLANT_CONNECTORS__ENDPOINTS": f"127.0.0.1:{connectors}"} if connectors else {}
    with stock_platform.platform(folder, **told) as grpc:
        yield stock_platform.remote_of(grpc)


def launched(remote: FlyteRemote, flow):
    return remote.execute(remote.register_workflow(flow, stock_platform.SETTINGS, version="1"), inputs={"value": 3})


def end_of(remote: FlyteRemote, execution, limit: float = 60):
    return remote.wait(execution, datetime.timedelta(seconds=limit), datetime.timedelta(seconds=0.2))


def notes(folder: pathlib.Path, execution) -> list[str]:
    return (folder / execution.id.name).read_text().split()


def until(condition, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_jobs_of_connectors(tmp_path: pathlib.Path) -> None:
    flows = stock_connectors.flows(str(tmp_path))
    port = stock_platform.free_port()
    with platform(port, tmp_path) as remote, contextlib.ExitStack() as stack:
        runs = {name: launched(remote, flow) for name, flow in flows.items()}
        # It comes up after the first tasks have asked for it.
        stack.enter_context(connector(port, tmp_path))

        mixed = end_of(remote, runs["mixed"])
        assert mixed.outputs["o0"] == 64
        assert notes(tmp_path, mixed) == ["created", "looked", "looked", "looked"]

        fails = end_of(remote, runs["fails"])
        assert fails.closure.phase == Phase.FAILED
        assert "the warehouse is on fire" in fails.closure.error.message
        assert fails.closure.error.kind == 1

        refused = end_of(remote, runs["refused"])
        assert refused.closure.phase == Phase.FAILED
        assert "this job cannot be created" in refused.closure.error.message

        waits = runs["waits"]
        until(lambda: (tmp_path / waits.id.name).exists() and "looked" in notes(tmp_path, waits))
        remote.terminate(waits, "enough")
        assert end_of(remote, waits).closure.phase == Phase.ABORTED
        until(lambda: notes(tmp_path, waits)[-1] == "deleted")
        assert notes(tmp_path, waits).count("created") == 1


def test_jobs_outlive_the_platform(tmp_path: pathlib.Path) -> None:
    flow = stock_connectors.flows(str(tmp_path))["waits"]
    port = stock_platform.free_port()
    with connector(port, tmp_path):
        with platform(port, tmp_path) as remote:
            execution = launched(remote, flow)
            until(lambda: (tmp_path / execution.id.name).exists() and "looked" in notes(tmp_path, execution))
        seen = len(notes(tmp_path, execution))
        with platform(port, tmp_path) as remote:
            until(lambda: len(notes(tmp_path, execution)) > seen)
            remote.terminate(execution, "enough")
            until(lambda: notes(tmp_path, execution)[-1] == "deleted")
        assert notes(tmp_path, execution).count("created") == 1


def test_a_task_type_that_nobody_serves_says_so(tmp_path: pathlib.Path) -> None:
    flow = stock_connectors.flows(str(tmp_path))["fails"]
    with platform(None, tmp_path) as remote:
        error = end_of(remote, launched(remote, flow)).closure.error
    assert "'stock_job'" in error.message
    assert "connectors.endpoints" in error.message
    assert error.kind == 1

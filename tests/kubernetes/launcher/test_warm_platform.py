"""Stock flytekit in warm workers."""

import time
import uuid

import pytest
from platform_process import PHASES, PlatformProcess
from test_platform import output

from volantidl.admin import node_execution_pb2
from volantidl.core import execution_pb2


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    folder = tmp_path_factory.mktemp("platform")
    made = PlatformProcess(folder, f"kube-a-{uuid.uuid4().hex[:6]}", VOLANT_KUBERNETES__WARM_PODS="3")
    made.start()
    try:
        made.wait_ready()
        yield made
    finally:
        made.stop()


def wait_running(platform: PlatformProcess, name: str, count: int) -> None:
    """Until so many of an execution's tasks run."""
    request = node_execution_pb2.NodeExecutionListRequest(workflow_execution_id=platform.get(name).id, limit=100)
    deadline = time.monotonic() + 100
    while True:
        nodes = platform.call("ListNodeExecutions", request).node_executions
        tasks = [node for node in nodes if not node.id.node_id.endswith("-node")]
        if sum(node.closure.phase == execution_pb2.NodeExecution.RUNNING for node in tasks) >= count:
            return
        assert time.monotonic() < deadline
        time.sleep(0.3)


def test_every_kind_of_node(platform):
    name = platform.run("every", "--x", "3")
    found = platform.wait(name, 600)
    assert found.closure.phase == PHASES.SUCCEEDED, found.closure.error
    assert output(platform, name) == 12 + 12 + 2 + 7 + 6
    assert platform.pods(name) == []


def test_files_folders_tables_decks_and_checkpoints(platform):
    name = platform.run("kept", "--size", "3000000", file="kept.py")
    found = platform.wait(name, 300)
    assert found.closure.phase == PHASES.SUCCEEDED, found.closure.error
    assert output(platform, name) == 3_000_000 + 7 + 3
    assert platform.pods(name) == []
    top = platform.folder / "data" / "objects" / "volant"
    assert [one for one in top.rglob("deck.html") if f"{name}~" in str(one)]


def test_a_killed_engine_goes_on_with_its_workers(platform):
    name = platform.run("slowly", "--seconds", "15")
    wait_running(platform, name, 2)
    process = platform.processes[-1]
    process.kill()
    process.wait()
    platform.start()
    platform.wait_ready()
    assert platform.wait(name).closure.phase == PHASES.SUCCEEDED
    assert output(platform, name) == 3
    assert platform.pods(name) == []

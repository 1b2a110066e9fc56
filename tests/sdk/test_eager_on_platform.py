"""Eager workflows on an embedded platform: their calls are nodes below the driver's, and outlive it."""

import os
import pathlib
import signal
import time

import grpc
import pytest
from tests.reliability import killable

from volant import Remote
from volant.errors import RemoteError
from volantidl.driver import driver_pb2, driver_pb2_grpc

FLOWS = pathlib.Path(__file__).parent / "flows"
WAIT_S = 90


@pytest.fixture(scope="module")
def remote(platform_endpoint):
    return Remote(platform_endpoint, insecure=True)


@pytest.fixture
def eager_flows():
    import eager_flows

    return eager_flows


def ran(folder: pathlib.Path, name: str) -> int:
    file = folder / name
    return file.read_text().count("began") if file.exists() else 0


def until(condition):
    patience = time.monotonic() + WAIT_S
    while not (found := condition()):
        assert time.monotonic() < patience
        time.sleep(0.05)
    return found


def children(execution):
    """What the driver of an eager workflow has added, by the name of what was called."""
    return {node.name.rpartition("-")[0]: node for node in execution.nodes["n0"].children}


def test_a_driver_that_is_killed_runs_no_child_again(remote, eager_flows, tmp_path):
    assert eager_flows.ten.is_eager
    execution = remote.execute(eager_flows.ten, {"folder": str(tmp_path)}).wait(WAIT_S)
    assert execution.is_successful, execution.error
    assert execution.outputs["o0"] == 10
    assert (tmp_path / "killed").exists()
    assert {number: ran(tmp_path, f"child{number}") for number in range(10)} == dict.fromkeys(range(10), 1)
    driver = execution.nodes["n0"]
    assert len(driver.attempts) == 2
    found = driver.children
    assert len(found) == 10
    assert {node.message.metadata.retry_group for node in found} == {"0"}
    assert {len(node.attempts) for node in found} == {1}
    assert {node.outputs.literals["o0"].scalar.primitive.integer for node in found} == set(range(1, 11))


def test_values_that_each_attempt_stores_elsewhere(remote, eager_flows, tmp_path):
    execution = remote.execute(eager_flows.framed, {"folder": str(tmp_path)}).wait(WAIT_S)
    assert execution.is_successful, execution.error
    assert (tmp_path / "killed").exists()
    assert ran(tmp_path, "rows") == 1


def test_a_failed_child_can_be_caught(remote, eager_flows):
    assert eager_flows.catching(x=3) == "caught"
    execution = remote.execute(eager_flows.catching, {"x": 3}).wait(WAIT_S)
    assert execution.is_successful, execution.error
    assert execution.outputs["o0"] == "caught"
    (child,) = execution.nodes["n0"].children
    assert child.phase == "FAILED"


def test_everything_that_can_be_called(remote, eager_flows):
    execution = remote.execute(eager_flows.kinds, {"xs": [1, 2]})

    def approved():
        try:
            remote.approve("go", execution)
        except RemoteError:
            return False
        return True

    until(approved)
    assert execution.wait(WAIT_S).is_successful, execution.error
    assert execution.outputs["o0"] == [2, 4, 4, 4, 4]
    found = children(execution)
    assert any(name.startswith("map-double") for name in found)
    assert {"graph", "go"} <= set(found)
    launched = [
        node for node in execution.nodes["n0"].children if node.message.closure.HasField("workflow_node_metadata")
    ]
    assert len(launched) == 1


def test_children_are_cached(remote, eager_flows, tmp_path):
    for status in ("CACHE_POPULATED", "CACHE_HIT"):
        execution = remote.execute(eager_flows.caching, {"folder": str(tmp_path)}).wait(WAIT_S)
        assert execution.outputs["o0"] == 3
        assert {node.cache_status for node in execution.nodes["n0"].children} == {status}
    assert ran(tmp_path, "costly") == 2


def test_a_body_that_fails_ends_its_children(remote, eager_flows, tmp_path):
    execution = remote.execute(eager_flows.giving_up, {"folder": str(tmp_path)}).wait(WAIT_S)
    assert "ValueError: enough" in execution.error.message
    assert {node.phase for node in execution.nodes["n0"].children} == {"SUCCEEDED", "ABORTED"}
    assert "ended" not in ((tmp_path / "slow").read_text() if (tmp_path / "slow").exists() else "")


def test_an_execution_that_is_aborted_ends_its_children(remote, eager_flows, tmp_path):
    execution = remote.execute(eager_flows.waiting_long, {"folder": str(tmp_path)})
    until((tmp_path / "slow").exists)
    pid = int((tmp_path / "slow").read_text().split()[1])
    execution.abort("not needed")
    assert execution.wait(WAIT_S).phase == "ABORTED"
    assert [node.phase for node in execution.nodes["n0"].children] == ["ABORTED"]
    until(lambda: not pathlib.Path(f"/proc/{pid}").exists())


def test_a_wrong_token(platform_endpoint):
    with grpc.insecure_channel(platform_endpoint) as channel, pytest.raises(grpc.RpcError) as refused:
        driver_pb2_grpc.DriverServiceStub(channel).AddChildren(driver_pb2.AddChildrenRequest(token="1:0:n0:x"))
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture
def platform(tmp_path):
    (tmp_path / "platform").mkdir()
    running = killable.Platform(tmp_path / "platform", 20, FLOWS)
    yield running
    running.stop()


@pytest.mark.timeout(300)
def test_one_slot_and_twenty_and_a_server_that_is_killed(platform, eager_flows, tmp_path):
    """Platforms of its own take a while to start: three tests in one."""
    platform.start()
    remote = Remote(f"127.0.0.1:{platform.port}", insecure=True)
    execution = remote.execute(eager_flows.together, {"folder": str(tmp_path), "count": 20}).wait(WAIT_S)
    assert execution.is_successful, execution.error
    assert execution.outputs["o0"] == sum(range(20)), "they ended, so all ran side by side"

    notes = platform.notes
    execution = remote.execute(eager_flows.slow, {"folder": str(notes)})
    until(lambda: ran(notes, "2"))
    spared = platform.kill()
    assert 100 in spared, "the driver should have outlived the server"
    platform.slots = 1
    platform.start()
    remote = Remote(f"127.0.0.1:{platform.port}", insecure=True)
    execution = remote.fetch_execution(execution.name).wait(WAIT_S)
    assert execution.is_successful, execution.error
    assert {name: ran(notes, name) for name in map(str, range(6))} == dict.fromkeys(map(str, range(6)), 1)
    assert ran(notes, "100") == 1, "the driver itself was adopted"

    execution = remote.execute(eager_flows.outer, {"x": 1}).wait(WAIT_S)
    assert execution.outputs["o0"] == 6, "drivers in drivers hold no slot"


@pytest.mark.timeout(300)
def test_a_driver_on_a_machine_that_is_gone(platform, eager_flows):
    """Server and driver are killed together: both start again, the children do not."""
    platform.start()
    remote = Remote(f"127.0.0.1:{platform.port}", insecure=True)
    execution = remote.execute(eager_flows.slow, {"folder": str(platform.notes)})
    until(lambda: ran(platform.notes, "3"))
    spared = platform.kill()
    os.kill(spared[100][0], signal.SIGKILL)
    platform.start()
    remote = Remote(f"127.0.0.1:{platform.port}", insecure=True)
    execution = remote.fetch_execution(execution.name).wait(WAIT_S)
    assert execution.is_successful, execution.error
    assert {name: ran(platform.notes, name) for name in map(str, range(6))} == dict.fromkeys(map(str, range(6)), 1)
    assert ran(platform.notes, "100") == 2

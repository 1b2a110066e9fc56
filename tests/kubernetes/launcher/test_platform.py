"""The platform on pods: stock flytekit's nodes of every kind, engines that are killed, two engines at once, an abort."""

import subprocess
import uuid

import pytest
from platform_process import BIN, PHASES, PlatformProcess

from volantidl.admin import execution_pb2
from volantidl.core import literals_pb2


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    made = PlatformProcess(tmp_path_factory.mktemp("platform"), f"kube-a-{uuid.uuid4().hex[:6]}")
    made.start()
    try:
        made.wait_ready()
        yield made
    finally:
        made.stop()


def output(platform: PlatformProcess, name: str) -> int:
    found = platform.get(name)
    request = execution_pb2.WorkflowExecutionGetDataRequest(id=found.id)
    outputs: literals_pb2.LiteralMap = platform.call("GetExecutionData", request).full_outputs
    return outputs.literals["o0"].scalar.primitive.integer


def only_once(platform: PlatformProcess, name: str, count: int) -> None:
    """As many pods as attempts, and each ran through."""
    # A task has ended as soon as its container has; its pod says so a moment later.
    platform.wait_pods(name, "Succeeded", count)
    assert len(platform.pods(name)) == count


def test_every_kind_of_node(platform):
    name = platform.run("every", "--x", "3")
    found = platform.wait(name, 600)
    assert found.closure.phase == PHASES.SUCCEEDED, found.closure.error
    # b, c = 12; d = 2; e = 7 (at its second attempt); mapped = 6
    assert output(platform, name) == 12 + 12 + 2 + 7 + 6
    words = ["logs", name, "--endpoint", f"127.0.0.1:{platform.grpc}", "--insecure", "-p", platform.project]
    texts = subprocess.run(
        [str(BIN / "volant"), *words, "-d", "development"], check=False, capture_output=True, text=True
    )
    assert "doubling 3" in texts.stdout, texts.stdout + texts.stderr


def test_an_abort_deletes_the_pods(platform):
    name = platform.run("slowly", "--seconds", "600")
    platform.wait_pods(name, "Running", 2)
    request = execution_pb2.ExecutionTerminateRequest(id=platform.get(name).id, cause="the test says so")
    platform.call("TerminateExecution", request)
    assert platform.wait(name, 60).closure.phase == PHASES.ABORTED
    left = [pod for pod in platform.pods(name) if "deletionTimestamp" not in pod["metadata"]]
    assert not left


def test_a_killed_engine_adopts_its_pods(platform):
    name = platform.run("slowly", "--seconds", "30")
    platform.wait_pods(name, "Running", 2)
    process = platform.processes[-1]
    process.kill()
    process.wait()
    platform.start()
    platform.wait_ready()
    assert platform.wait(name).closure.phase == PHASES.SUCCEEDED
    assert output(platform, name) == 3
    only_once(platform, name, 3)


def test_two_engines_and_one_is_killed(platform):
    other = platform.start_engine("second")
    names = [platform.run("slowly", "--seconds", "45")]
    names += [platform.again(names[0]) for _ in range(3)]
    for name in names:
        platform.wait_pods(name, "Running", 1)
    other.kill()
    other.wait()
    for name in names:
        assert platform.wait(name).closure.phase == PHASES.SUCCEEDED
        assert output(platform, name) == 3
        only_once(platform, name, 3)

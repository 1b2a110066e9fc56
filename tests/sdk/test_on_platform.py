"""The SDK on an embedded platform: what it registers runs there as it does here."""

import json
import os
import pathlib
import time

import pandas as pd
import pytest
from click.testing import CliRunner

from volant import Remote
from volant.cli import main
from volant.errors import NotFoundError, RemoteError, TaskFailedError, TimedOutError, TypeMismatchError

FLOWS = pathlib.Path(__file__).parent / "flows"
FILE = str(FLOWS / "sdk_flows.py")
WAIT_S = 60


@pytest.fixture(scope="module")
def remote(platform_endpoint):
    return Remote(platform_endpoint, insecure=True)


@pytest.fixture
def run(remote):
    def execute(entity, **inputs):
        execution = remote.execute(entity, inputs).wait(WAIT_S)
        assert execution.is_successful, f"{execution.error}"
        return execution

    return execute


@pytest.fixture
def cli(platform_endpoint, monkeypatch):
    monkeypatch.setenv("VOLANT_ENDPOINT", platform_endpoint)

    def invoke(*words, **kwargs):
        return CliRunner().invoke(main, list(map(str, words)), **kwargs)

    return invoke


def test_task(run, flows):
    assert run(flows.add, a=2).outputs["o0"] == 5


def test_async_task(run, flows):
    assert run(flows.add_later, a=2, b=2).outputs["o0"] == 4


def test_several_outputs(run, flows):
    assert dict(run(flows.divide, a=7, b=2).outputs) == {"o0": 3, "o1": 1}


def test_no_outputs(run, flows):
    assert dict(run(flows.nothing, a=7).outputs) == {}


def test_workflow(run, flows):
    execution = run(flows.chain, a=1, b=2)
    assert execution.outputs["o0"] == 8
    assert {node.phase for node in execution.nodes.values()} == {"SUCCEEDED"}
    assert execution.inputs["a"] == 1
    assert execution.nodes["n0"].outputs.literals


def test_files_and_folders(run, flows):
    assert run(flows.files, text="hello").outputs["o0"] == "hello"
    assert run(flows.folders, names=["a", "b"]).outputs["o0"] == ["A", "B"]


def test_outputs_are_downloaded(run, flows):
    found = run(flows.write_file, text="content").outputs["o0"]
    assert pathlib.Path(found.download()).read_text() == "content"


def test_folders_are_downloaded_without_credentials(run, flows):
    found = run(flows.write_folder, names=["a", "b"]).outputs["o0"]
    assert found.listdir() == ["a", "b"]
    assert (found / "b").read_text() == "B"


def test_conditional_in_a_dynamic_task(run, flows):
    assert run(flows.sized, n=3).outputs["o0"] == 9
    assert run(flows.sized, n=30).outputs["o0"] == 33


def test_inputs_are_uploaded(run, flows, tmp_path):
    (tmp_path / "in.txt").write_text("from here")
    assert run(flows.read_file, file=str(tmp_path / "in.txt")).outputs["o0"] == "from here"
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").write_text("in the folder")
    assert run(flows.read_folder, folder=str(tmp_path / "d")).outputs["o0"] == ["in the folder"]
    assert run(flows.unannotated, thing=pd.DataFrame({"a": [1]})).outputs["o0"]["got"].shape == (1, 1)


def test_dataclass(run, flows):
    assert run(flows.make_point, x=4).outputs["o0"] == flows.Point(4)


def test_map(run, flows):
    assert run(flows.squares, xs=[1, 2, 3]).outputs["o0"] == [1, 4, 9]


def test_dynamic(run, flows):
    assert run(flows.grown, n=3).outputs["o0"] == [3, 4, 5]


def test_launch_plan_as_node(run, flows):
    assert run(flows.planned).outputs["o0"] == 13


def test_retries(run, flows, tmp_path):
    execution = run(flows.tried, folder=str(tmp_path))
    assert execution.outputs["o0"] == 3
    assert len(execution.nodes["n0"].attempts) == 3


def test_checkpoint_between_attempts(remote, flows):
    assert remote.execute(flows.counting, {"a": 2}).wait(WAIT_S).outputs["o0"] == 0


def test_failure(remote, flows):
    execution = remote.execute(flows.failing, {"a": 1}).wait(WAIT_S)
    assert execution.phase == "FAILED"
    assert "no 4 today" in execution.error.message
    with pytest.raises(TaskFailedError, match="no 4 today"):
        _ = execution.outputs


def test_failure_handler(remote, flows, tmp_path):
    execution = remote.execute(flows.guarded, {"a": 2}, environment={"NOTES": str(tmp_path)}).wait(WAIT_S)
    assert execution.phase == "FAILED"
    assert (tmp_path / "failure").read_text() == "2 ValueError: no 2 today"


def test_gates(remote, flows):
    execution = remote.execute(flows.gated, {"a": 1})
    patience = time.monotonic() + WAIT_S
    while True:
        try:
            remote.set_signal("more", execution, 7)
            remote.approve("go", execution)
            break
        except RemoteError:
            assert time.monotonic() < patience
            time.sleep(0.05)
    assert execution.wait(WAIT_S).outputs["o0"] == 11


def test_registering_again_changes_nothing(remote, flows):
    first = remote.register(flows.chain)
    assert remote.register(flows.chain) == first


def test_fetched_entities(remote, flows):
    remote.register(flows.chain)
    found = remote.fetch_workflow("sdk_flows.chain")
    assert remote.execute(found, {"a": 1, "b": 2}).wait(WAIT_S).outputs["o0"] == 8
    task = remote.fetch_task("sdk_flows.add")
    assert remote.execute(task, {"a": 1, "b": 3}).wait(WAIT_S).outputs["o0"] == 4
    with pytest.raises(NotFoundError):
        remote.fetch_task("sdk_flows.none")


def test_flytekits_entities_are_launched(remote, tmp_path, platform_endpoint):
    """What flytekit registered is launched through our Remote."""
    flytekit = pytest.importorskip("flytekit")
    from flytekit.configuration import Config, PlatformConfig
    from flytekit.remote import FlyteRemote

    module = tmp_path / "theirs.py"
    module.write_text("from flytekit import task\n\n@task\ndef triple(x: int) -> int:\n    return 3 * x\n")
    import importlib
    import sys

    sys.path.insert(0, str(tmp_path))
    try:
        theirs = importlib.import_module("theirs")
    finally:
        sys.path.remove(str(tmp_path))
    config = Config(platform=PlatformConfig(endpoint=platform_endpoint, insecure=True))
    their_remote = FlyteRemote(config, default_project="flytesnacks", default_domain="development")
    assert flytekit
    their_remote.register_script(theirs.triple, source_path=str(tmp_path), module_name="theirs", version="v1")
    found = remote.fetch_task("theirs.triple", "v1")
    assert remote.execute(found, {"x": 4}).wait(WAIT_S).outputs["o0"] == 12


@pytest.mark.filterwarnings("ignore")
def test_flytekit_launches_ours(remote, flows, platform_endpoint):
    pytest.importorskip("flytekit")
    import datetime

    from flytekit.configuration import Config, PlatformConfig
    from flytekit.remote import FlyteRemote

    config = Config(platform=PlatformConfig(endpoint=platform_endpoint, insecure=True))
    theirs = FlyteRemote(config, default_project="flytesnacks", default_domain="development")
    version = remote.register(flows.branching, flows.squares)
    for name, inputs, expected in (("branching", {"a": 9}, 81), ("squares", {"xs": [2, 3]}, [4, 9])):
        found = theirs.fetch_workflow(name=f"sdk_flows.{name}", version=version)
        execution = theirs.execute(found, inputs=inputs, wait=False)
        theirs.wait(execution, poll_interval=datetime.timedelta(seconds=0.2), sync_nodes=True)
        assert execution.outputs["o0"] == expected


def test_wrong_inputs_are_refused_here(remote, flows):
    with pytest.raises(TypeMismatchError, match="expected int, found str"):
        remote.execute(flows.add, {"a": "x"})
    with pytest.raises(TypeMismatchError, match="needs a: int"):
        remote.execute(flows.add, {})


def test_waiting_has_a_limit(remote, flows, tmp_path):
    execution = remote.execute(flows.touch, {"folder": str(tmp_path), "name": "x", "pause": 30.0})
    with pytest.raises(TimedOutError):
        execution.wait(0.3)
    assert execution.abort("enough").wait(WAIT_S).phase == "ABORTED"
    with pytest.raises(TaskFailedError, match="enough"):
        _ = execution.outputs


def test_no_platform():
    with pytest.raises(RemoteError, match="volant up"):
        Remote("127.0.0.1:1", insecure=True).fetch_execution("x")


def test_command_line(cli):
    result = cli("run", "--remote", "--wait", FILE, "chain", "--a", "1", "--b", "2")
    assert (result.exit_code, result.stdout) == (0, "8\n"), result.output
    name = result.stderr.split("execution ")[1].split()[0]
    shown = json.loads(cli("get", "execution", name, "-o", "json").stdout)
    assert shown["phase"] == "SUCCEEDED"
    assert shown["outputs"] == {"o0": 8}
    assert name in cli("get", "executions").stdout
    assert "sdk_flows.chain" in cli("get", "workflows", "--limit", "100").stdout
    described = json.loads(cli("get", "workflow", "sdk_flows.chain", "-o", "json").stdout)
    assert described["inputs"] == {"a": "int", "b": "int"}
    again = cli("relaunch", name, "--wait", "-o", "json")
    assert json.loads(again.stdout) == {"o0": 8}, again.output


def test_command_line_watches(cli):
    result = cli("run", "--remote", "--watch", FILE, "chain", "--a", "1")
    assert result.stdout == "7\n", result.output
    assert "✔ n0" in result.stderr


def test_command_line_failure(cli):
    result = cli("run", "--remote", "--wait", FILE, "failing", "--a", "1")
    assert result.exit_code == 1
    assert "no 4 today" in result.output
    name = result.stderr.split("execution ")[1].split()[0]
    recovered = cli("recover", name, "--wait")
    assert recovered.exit_code == 1


def test_command_line_logs(cli):
    result = cli("run", "--remote", "--wait", FILE, "nothing", "--a", "42")
    name = result.stderr.split("execution ")[1].split()[0]
    logs = cli("logs", name)
    assert "nothing of 42" in logs.stdout, logs.output


def test_command_line_registers_and_activates(cli):
    result = cli("register", FILE)
    assert result.exit_code == 0, result.output
    assert "= sdk_nightly" in result.stderr or "✔ sdk_nightly" in result.stderr
    shown = json.loads(cli("activate", "sdk_nightly", "-o", "json").stdout)
    assert shown["state"] == "active"
    assert cli("activate", "sdk_nightly", "--off").exit_code == 0
    assert "has no launch plan 'no_such_plan'" in cli("activate", "no_such_plan").output


def test_command_line_signals(cli, remote, flows):
    execution = remote.execute(flows.gated, {"a": 1})
    patience = time.monotonic() + WAIT_S
    while (
        cli("signal", execution.name, "more", "5").exit_code or cli("signal", execution.name, "go", "approve").exit_code
    ):
        assert time.monotonic() < patience
        time.sleep(0.05)
    assert execution.wait(WAIT_S).outputs["o0"] == 9


def test_command_line_aborts(cli, remote, flows, tmp_path):
    execution = remote.execute(flows.touch, {"folder": str(tmp_path), "name": "x", "pause": 30.0})
    assert "ABORT" in cli("abort", execution.name).stdout
    assert execution.wait(WAIT_S).phase == "ABORTED"
    assert os.listdir(tmp_path) in ([], ["cache"])


def test_command_line_replays(cli, flows):
    result = cli("run", "--remote", "--wait", FILE, "failing", "--a", "1")
    name = result.stderr.split("execution ")[1].split()[0]
    replayed = cli("replay", name, "n0", "--root", FLOWS, "-o", "json")
    assert json.loads(replayed.stdout) == {"o0": 4}, replayed.output
    failed = cli("replay", name, "n1", "--root", FLOWS)
    assert failed.exit_code == 1
    assert "no 4 today" in failed.output
    assert "sdk_flows.broken(a=4)" in failed.output
    assert "has no node 'n7'" in cli("replay", name, "n7").output


def test_command_line_doctor(cli, monkeypatch):
    result = cli("doctor", "-o", "json")
    assert result.exit_code == 0, result.output
    checks = {row["check"]: row for row in json.loads(result.stdout)}
    assert checks["object store"]["ok"] == "yes"
    monkeypatch.setenv("VOLANT_ENDPOINT", "127.0.0.1:1")
    away = cli("doctor")
    assert away.exit_code == 1
    assert "volant up" in away.output


async def test_asynchronous(platform_endpoint, flows):
    from volant import AsyncRemote

    remote = AsyncRemote(platform_endpoint, insecure=True)
    started = [await remote.execute(flows.add, {"a": number}) for number in range(3)]
    ended = [await remote.wait(one, WAIT_S) for one in started]
    assert [(await remote.outputs(one))["o0"] for one in ended] == [3, 4, 5]
    with pytest.raises(TimedOutError):
        await remote.wait(await remote.execute(flows.gated, {"a": 1}), 0.1)
    assert (await remote.fetch_execution(started[0].name)).is_successful


def test_logs_of_an_execution(run, flows):
    logs = run(flows.nothing, a=43).logs()
    ((text,),) = logs.values()
    assert "nothing of 43" in text

"""Stock flytekit on a platform with one slot: what must not deadlock, repeat or be lost."""

import contextlib
import datetime
import pathlib
import sys
import time

import pytest
from flytekit.models.core.execution import WorkflowExecutionPhase as Phase
from flytekit.remote import FlyteRemote

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

import stock_flows  # noqa: E402 - beside this file, as the tasks find it
import stock_platform  # noqa: E402 - likewise


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory):
    """A platform with one slot."""
    folder = tmp_path_factory.mktemp("stock")
    with stock_platform.platform(folder, VOLANT_TASKS__SLOTS="1") as grpc:
        yield grpc
    assert '"level": "error"' not in (folder / "volant.log").read_text()


@pytest.fixture
def remote(address: str) -> FlyteRemote:
    return stock_platform.remote_of(address)


def run(remote: FlyteRemote, entity, limit: float = 60, **inputs):
    register = remote.register_workflow if hasattr(entity, "nodes") else remote.register_task
    with contextlib.suppress(Exception):  # registered by a test before
        register(entity, stock_platform.SETTINGS, version="1")
    fetch = remote.fetch_workflow if hasattr(entity, "nodes") else remote.fetch_task
    execution = remote.execute(fetch(name=entity.name, version="1"), inputs=inputs)
    return remote.wait(execution, datetime.timedelta(seconds=limit), datetime.timedelta(seconds=0.1))


def test_elements_of_a_map_draw_different_numbers(remote: FlyteRemote) -> None:
    done = run(remote, stock_flows.draws, indices=list(range(20)))
    assert len(set(done.outputs["o0"])) == 20


def test_a_module_sees_its_tasks_environment_at_import(remote: FlyteRemote) -> None:
    done = run(remote, stock_flows.modes)
    assert (done.outputs["o0"], done.outputs["o1"]) == ("declared", "unset")


@pytest.mark.timeout(240)
def test_eager_in_eager_in_eager_with_one_slot(remote: FlyteRemote) -> None:
    done = run(remote, stock_flows.outermost, limit=200, x=1)
    assert done.error is None, done.error.message
    assert done.outputs["o0"] == 112


def test_recoverable_failures_are_tried_again(remote: FlyteRemote, tmp_path: pathlib.Path) -> None:
    done = run(remote, stock_flows.patient, folder=str(tmp_path))
    assert done.outputs["o0"] == 3
    attempts = done.node_executions["n0"].task_executions
    assert [attempt.closure.phase for attempt in attempts] == [5, 5, 3]


def test_a_users_error_names_its_line(remote: FlyteRemote) -> None:
    done = run(remote, stock_flows.broken, x=0)
    assert done.closure.phase == Phase.FAILED
    assert "ZeroDivisionError" in done.error.message
    assert "stock_flows.py" in done.error.message


def test_an_aborted_task_ends(remote: FlyteRemote) -> None:
    with contextlib.suppress(Exception):
        remote.register_workflow(stock_flows.long_nap, stock_platform.SETTINGS, version="1")
    workflow = remote.fetch_workflow(name=stock_flows.long_nap.name, version="1")
    execution = remote.execute(workflow, inputs={"seconds": 600.0})
    end = time.monotonic() + 30
    while time.monotonic() < end:
        execution = remote.sync_execution(execution, sync_nodes=True)
        if "n0" in execution.node_executions and execution.node_executions["n0"].closure.phase == 2:
            break
        time.sleep(0.1)
    remote.terminate(execution, cause="enough")
    done = remote.wait(execution, datetime.timedelta(seconds=30), datetime.timedelta(seconds=0.1))
    assert done.closure.phase == Phase.ABORTED
    assert done.closure.abort_metadata.cause == "enough"
    # The one slot is free again.
    assert run(remote, stock_flows.long_nap, seconds=0.0).error is None


def test_a_serialized_cached_task_runs_once(remote: FlyteRemote, tmp_path: pathlib.Path) -> None:
    with contextlib.suppress(Exception):
        remote.register_workflow(stock_flows.cached, stock_platform.SETTINGS, version="1")
    workflow = remote.fetch_workflow(name=stock_flows.cached.name, version="1")
    executions = [remote.execute(workflow, inputs={"folder": str(tmp_path), "x": 21}) for _ in range(3)]
    for execution in executions:
        done = remote.wait(execution, datetime.timedelta(seconds=60), datetime.timedelta(seconds=0.1))
        assert done.outputs["o0"] == 42
    assert (tmp_path / "runs").read_text() == "x"


def test_dynamic_in_dynamic(remote: FlyteRemote) -> None:
    assert run(remote, stock_flows.nested, n=3).outputs["o0"] == 1


def test_a_relaunch_with_the_same_interpreter_says_nothing_of_it(remote: FlyteRemote) -> None:
    """What it says where something differs is tested in tests/engine/test_former_facts.py."""
    first = run(remote, stock_flows.modes)
    again = remote.client.relaunch_execution(first.id)
    done = remote.wait(
        remote.fetch_execution(name=again.name), datetime.timedelta(seconds=60), datetime.timedelta(seconds=0.1)
    )
    task = done.node_executions["n0"].task_executions[0]
    assert not [reason for reason in reasons(remote, task.id) if "something else" in reason]


def test_a_container_task_takes_and_makes_files(remote: FlyteRemote) -> None:
    done = run(remote, stock_flows.contained, count=2, title="all")
    assert done.error is None, done.error.message
    assert (done.outputs["o0"], done.outputs["o1"]) == ("all\nhead\nline 0\nline 1\n", 4)


def test_a_container_task_whose_output_is_malformed(remote: FlyteRemote) -> None:
    done = run(remote, stock_flows.uncontained)
    assert done.closure.phase == Phase.FAILED
    assert (
        "the output 'answer': /var/outputs/answer must hold an integer, such as 42, and holds 'none"
        in done.error.message
    )


def reasons(remote: FlyteRemote, task_execution) -> list[str]:
    closure = remote.client.get_task_execution(task_execution).closure.to_flyte_idl()
    return [reason.reason for reason in closure.reasons]

"""Stock clients against a platform: what a fresh machine can try. The whole is `make clients` and `make client-commands`."""

import pathlib
import sys
from collections.abc import Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import command_runs
import commands
import environments
import grpcurl_steps
import matrix
import platform_up
import pyflyte_steps

PYTHON = pathlib.Path(sys.executable)
OLDEST = environments.CLIENTS[1]
# What changed most since: both map tasks, the forms of values, files, eager tasks, gates.
OLD_CHECKS = [
    *("pyflyte_register", "map_task", "map_task_other", "dynamic", "gates", "dataclass", "folder"),
    *("structured_dataset", "eager", "recover", "image_spec"),
]


@pytest.fixture(scope="module")
def platform() -> Iterator[platform_up.Platform]:
    """A platform whose tasks run with this interpreter."""
    with platform_up.running(PYTHON) as running:
        yield running


def right(rows: list[command_runs.Row]) -> None:
    assert rows
    assert not [f"{row.command}: {row.wrong}" for row in rows if row.wrong]


def needs(program: str, how: str) -> None:
    if commands.program(program) is None:
        pytest.skip(f"no {program} on the PATH ({program.upper()} may name it): {how}")


@pytest.mark.timeout(600)
def test_pyflyte(platform: platform_up.Platform) -> None:
    right(commands.run_pyflyte(platform, PYTHON, "command_flows", pyflyte_steps.STEPS))


@pytest.mark.timeout(600)
def test_flytectl(platform: platform_up.Platform) -> None:
    needs("flytectl", "go build in the folder flytectl of flyteorg/flyte")
    right(commands.run_flytectl(PYTHON, platform.http, "clients", "s3://volant/other"))


@pytest.mark.timeout(300)
def test_grpcurl(platform: platform_up.Platform) -> None:
    needs("grpcurl", "go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest")
    right(commands.run_grpcurl(platform))


@pytest.mark.timeout(600)
def test_the_oldest_flytekit() -> None:
    if not OLDEST.interpreter.exists():
        pytest.skip(f"no environment {OLDEST.name}: `make clients` makes it, and tries every release with all checks")
    results = matrix.run_client(OLDEST, OLD_CHECKS)
    assert [one["check"] for one in results] == sorted(OLD_CHECKS, key=[one["check"] for one in results].index)
    assert not [one for one in results if one["outcome"] == "failed"]


def test_each_method_that_reads_is_called_with_grpcurl() -> None:
    from volantidl.datacatalog import datacatalog_pb2
    from volantidl.service import admin_pb2, auth_pb2, dataproxy_pb2, signal_pb2

    called = {step.words.rpartition(" ")[2] for step in grpcurl_steps.STEPS}
    for file in (admin_pb2, auth_pb2, dataproxy_pb2, signal_pb2, datacatalog_pb2):
        for service in file.DESCRIPTOR.services_by_name.values():
            name = service.full_name.replace("volantidl.", "flyteidl.").replace("flyteidl.datacatalog", "datacatalog")
            for method in service.methods:
                if method.name.startswith(("Get", "List")) and (name, method.name) not in grpcurl_steps.NOT_READ:
                    assert f"{name}/{method.name}" in called


def test_a_wrong_answer_is_noticed(tmp_path: pathlib.Path) -> None:
    runner = command_runs.Runner(tmp_path, {}, {}, {"who": "Ada"})
    steps = [
        command_runs.Step("echo hello {who}", "^hello Ada$", keeps={"last": "hello (.*)"}),
        command_runs.Step("echo {last}", "Ada"),
        command_runs.Step("echo {last}", "Bob"),
        command_runs.Step("false"),
        command_runs.Step("echo", keeps={"x": "(nothing)"}),
    ]
    assert [bool(row.wrong) for row in runner.run(steps)] == [False, False, True, True, True]

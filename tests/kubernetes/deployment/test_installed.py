"""The installed chart at work: clients from outside, and the platform changing under what runs."""

import datetime
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from flytekit.configuration import (
    Config,
    FastSerializationSettings,
    Image,
    ImageConfig,
    PlatformConfig,
    SerializationSettings,
)
from flytekit.remote import FlyteRemote

HERE = Path(__file__).parent
LIMIT = datetime.timedelta(minutes=6)
pytestmark = pytest.mark.timeout(600)


def until(true: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.5)  # other machines' doings


@pytest.fixture
def remote(installed) -> FlyteRemote:
    config = Config(platform=PlatformConfig(endpoint=installed.endpoint, insecure=True))
    return FlyteRemote(config, "flytesnacks", "development", data_upload_location="s3://my-s3-bucket/data")


@pytest.fixture
def naps(installed, remote, monkeypatch):
    """The workflow of naps, registered by stock flytekit with its code."""
    monkeypatch.syspath_prepend(str(HERE))
    import naps as module

    name, _, tag = installed.flytekit_image.rpartition(":")
    _, archive = remote.fast_package(HERE)
    version = f"v{int(time.time())}"
    settings = SerializationSettings(
        ImageConfig(default_image=Image(name="default", fqn=name, tag=tag)),
        project="flytesnacks",
        domain="development",
        version=version,
        fast_serialization_settings=FastSerializationSettings(
            enabled=True, destination_dir="/tmp", distribution_location=archive
        ),
    )
    return remote.register_workflow(module.naps, settings, version=version)


def finish(remote: FlyteRemote, execution):
    done = remote.wait(execution, timeout=LIMIT, poll_interval=datetime.timedelta(seconds=1), sync_nodes=False)
    assert done.error is None, done.error
    return done.outputs["o0"]


def task_pods(installed, execution) -> dict[str, int]:
    """How many pods each node has had."""
    namespace = f"{installed.namespace}-flytesnacks-development"
    counts: dict[str, int] = {}
    for pod in installed.pods(f"execution-id={execution.id.name}", namespace):
        node = pod["metadata"]["labels"]["node-id"]
        counts[node] = counts.get(node, 0) + 1
    return counts


def running(installed, execution, count: int) -> bool:
    namespace = f"{installed.namespace}-flytesnacks-development"
    pods = installed.pods(f"execution-id={execution.id.name}", namespace)
    return sum(pod["status"]["phase"] == "Running" for pod in pods) >= count


def test_pages_and_health(installed) -> None:
    for path in ("/healthcheck", "/console"):
        with urllib.request.urlopen(f"http://{installed.endpoint}{path}", timeout=20) as answer:
            assert answer.status == 200
    for service in ("admin", "datacatalog", "engine", "objectstore"):
        assert installed.of(service), f"no ready pod of {service}"


def test_our_sdk(installed) -> None:
    command = str(Path(sys.executable).parent / "volant")
    line = [command, "run", "--remote", "--endpoint", installed.endpoint, "--insecure"]
    line += ["--image", installed.task_image, "--wait", "--timeout", "240"]
    said = subprocess.run(
        [*line, HERE / "greetings.py", "greeting", "--name", "pods"], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert "12" in said.stdout


def test_stock_flytekit_with_services_killed(installed, remote, naps) -> None:
    """An admin, an engine and a datacatalog are gone at once in mid-run: no pod twice, nothing lost."""
    execution = remote.execute(naps, inputs={"seconds": 25.0})
    until(lambda: running(installed, execution, 2), 180, "the tasks do not run")
    victims = [installed.of(service)[0] for service in ("admin", "engine", "datacatalog")]
    installed.kubectl("delete", "pod", "--namespace", installed.namespace, "--grace-period=0", "--force", *victims)
    assert finish(remote, execution) == 51.0
    assert task_pods(installed, execution) == {"n0": 1, "n1": 1, "n2": 1, "n3": 1}


def test_upgrade_and_rollback_with_executions_in_flight(installed, remote, naps) -> None:
    before = {service: set(installed.of(service)) for service in ("admin", "engine", "datacatalog")}
    first = remote.execute(naps, inputs={"seconds": 30.0})
    until(lambda: running(installed, first, 2), 180, "the tasks do not run")
    where = ("--namespace", installed.namespace)
    chart = str(HERE.parents[2] / "charts" / "volant")
    # Not the object store and the database: theirs may be gone with their pods here.
    changes = [f"{service}.env[0].name=UPGRADED,{service}.env[0].value=yes" for service in before]
    line = [installed.helm, "upgrade", "volant", chart, *where, "--reuse-values", "--set", ",".join(changes)]
    installed.run(*line, "--wait", "--timeout", "8m", seconds=500)
    for service, names in before.items():
        assert not names & set(installed.of(service)), f"{service} was not replaced"
    second = remote.execute(naps, inputs={"seconds": 30.0})
    until(lambda: running(installed, second, 2), 180, "the tasks do not run")
    installed.run(installed.helm, "rollback", "volant", *where, "--wait", "--timeout", "8m", seconds=500)
    for execution in (first, second):
        assert finish(remote, execution) == 61.0
        assert task_pods(installed, execution) == {"n0": 1, "n1": 1, "n2": 1, "n3": 1}

"""docker-compose.yml: its form, and that what it says runs."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import postgres_binaries
from tests.deployment import compose
from tests.deployment.fleet import PHASE, Client
from tests.deployment.test_scale_out import until

from volant_core.postgres import binaries
from volant_server.settings import SERVICES


@pytest.fixture
def composed() -> Iterator[compose.Composed]:
    if sys.platform != "linux":
        pytest.skip("services need loopback addresses of their own, which Linux has")
    programs = postgres_binaries() or binaries.discover()[0].folder
    with tempfile.TemporaryDirectory(prefix="volant-compose-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as somebody else
        made = compose.Composed(Path(folder), programs, f"127.{random.randint(1, 250)}.{random.randint(1, 250)}")
        yield made
        made.close()


@pytest.mark.timeout(180)
def test_what_it_says_runs(composed: compose.Composed) -> None:
    composed.start()
    client = Client(composed.address("admin", 8080))
    note = composed.folder / "engine" / "hello"
    task = client.register_script("hello", f"echo hello >{note}")
    execution = client.execute(task)
    until(lambda: client.closure(execution).phase in {PHASE.SUCCEEDED, PHASE.FAILED}, 60, "it does not end")
    closure = client.closure(execution)
    assert closure.phase == PHASE.SUCCEEDED, closure.error
    assert note.read_text() == "hello\n"
    client.close()
    with urllib.request.urlopen(f"http://{composed.address('admin', 8080)}/console", timeout=10) as page:
        assert page.status == 200
    assert composed.address("objectstore", 8087)


def test_every_service_is_there_and_is_watched() -> None:
    services = compose.read({})["services"]
    assert set(services) == {*SERVICES, "postgres", "migrate"}
    for name in SERVICES:
        assert services[name]["command"] == ["run", "--service", name]
        assert "healthcheck" in services[name]
    networks = compose.read({})["networks"]
    volumes = compose.read({})["volumes"]
    for told in services.values():
        assert set(told["networks"]) <= set(networks)
        assert {volume.partition(":")[0] for volume in told.get("volumes", ())} <= set(volumes)
    assert compose.read({"S3_ACCESS_KEY": "k"})["services"]["admin"]["environment"]["VOLANT_BLOBS__ACCESS_KEY"] == "k"


def test_compose_itself_accepts_it() -> None:
    told = os.environ.get("VOLANT_TEST_COMPOSE")
    line = told.split() if told else ["docker", "compose"] if shutil.which("docker") else ["docker-compose"]
    if not shutil.which(line[0]) or subprocess.run([*line, "version"], capture_output=True, check=False).returncode:
        pytest.skip("no docker compose here (VOLANT_TEST_COMPOSE names it)")
    said = subprocess.run(
        [*line, "-f", compose.ROOT / "docker-compose.yml", "config", "--format", "json"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    assert set(json.loads(said.stdout)["services"]) == {*SERVICES, "postgres", "migrate"}

"""docker-compose.yml: its form, and that what it says runs."""

import json
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

LOADER = compose.ROOT / ".tools" / "bin" / "compose"


@pytest.fixture
def composed() -> Iterator[compose.Composed]:
    if sys.platform != "linux":
        pytest.skip("services need loopback addresses of their own, which Linux has")
    programs = postgres_binaries() or binaries.discover()[0].folder
    # A process of the last task may still be leaving as its folder is removed.
    with tempfile.TemporaryDirectory(prefix="volant-compose-", ignore_cleanup_errors=True) as folder:
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


def test_compose_itself_accepts_it(tmp_path: Path) -> None:
    """By `docker compose config`, or by the loader that it uses (scripts/deployment_tools.sh makes it)."""
    file = str(compose.ROOT / "docker-compose.yml")
    docker = ["docker", "compose", "--file", file, "config", "--format", "json"]
    if LOADER.exists():
        line = [str(LOADER), "--format", "json", file]
    elif shutil.which("docker") and not subprocess.run(docker[:2] + ["version"], check=False).returncode:
        line = docker
    else:
        pytest.skip("neither docker compose nor its loader is here (scripts/deployment_tools.sh makes that)")
    said = subprocess.run(line, check=False, capture_output=True, text=True, cwd=compose.ROOT)
    assert said.returncode == 0, said.stderr
    services = json.loads(said.stdout)["services"]
    assert set(services) == {*SERVICES, "postgres", "migrate"}
    assert services["admin"]["environment"]["VOLANT_PEERS__TOKEN"]
    (tmp_path / "docker-compose.yml").write_text(
        Path(file).read_text().replace("condition: service_healthy", "when: up")
    )
    wrong = [word.replace(file, str(tmp_path / "docker-compose.yml")) for word in line]
    assert subprocess.run(wrong, check=False, capture_output=True, cwd=tmp_path).returncode, "it takes anything"

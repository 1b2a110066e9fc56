"""The commands as a person meets them: what is said, when something is in the way too."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from tests.server.conftest import ANY, WITHOUT_ENGINE, Up, volant

from volant_core import sockets
from volantidl.admin import project_pb2
from volantidl.service import admin_pb2_grpc

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


def projects(address: str) -> list[str]:
    with grpc.insecure_channel(address) as channel:
        stub = admin_pb2_grpc.AdminServiceStub(channel)
        return [project.id for project in stub.ListProjects(project_pb2.ProjectListRequest(limit=100)).projects]


def register(address: str, project: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = admin_pb2_grpc.AdminServiceStub(channel)
        stub.RegisterProject(project_pb2.ProjectRegisterRequest(project=project_pb2.Project(id=project, name=project)))


def test_it_starts_clean_and_continues_on_a_used_folder(up: Callable[..., Up]) -> None:
    first = up().ready()
    assert first.process.stdout is not None
    following = first.process.stdout.readline(), first.process.stdout.readline()
    assert following[0] == f"Next: VOLANT_ENDPOINT={first.address('gRPC')} volant run --remote FILE.py WORKFLOW\n"
    assert "pyflyte run --remote" in following[1]
    port = int(first.address("gRPC").rpartition(":")[2])
    for host in ["127.0.0.1", *(["::1"] if sockets.has_ipv6_loopback() else [])]:
        with socket.create_connection((host, port), 5):
            pass
    register(first.address("gRPC"), "kept")
    assert stat.S_IMODE(first.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((first.data / "keys.json").stat().st_mode) == 0o600
    keys = (first.data / "keys.json").read_bytes()
    first.stop()
    assert first.process.returncode == 0

    again = up().ready()
    assert "kept" in projects(again.address("gRPC"))
    assert (again.data / "keys.json").read_bytes() == keys
    again.stop()


def test_it_continues_after_kill_9(up: Callable[..., Up]) -> None:
    first = up().ready()
    register(first.address("gRPC"), "kept")
    first.stop(signal.SIGKILL)
    again = up().ready()
    assert "kept" in projects(again.address("gRPC"))


def test_a_second_start_status_and_down(up: Callable[..., Up], tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    assert volant("status", "--data", data).returncode == 3
    first = up().ready()
    assert "already runs on" in up().refusal()
    status = volant("status", "--data", data)
    assert status.returncode == 0
    assert first.address("gRPC") in status.stdout
    told = json.loads(volant("status", "--data", data, "-o", "json").stdout)
    assert (told["running"], told["ready"], told["grpc"][0]) == (True, True, first.address("gRPC"))
    down = volant("down", "--data", data)
    assert (down.returncode, down.stderr) == (0, "")
    assert "is stopped" in down.stdout
    assert first.process.wait(10) == 0
    again = volant("down", "--data", data)
    assert (again.returncode, "does not run" in again.stdout) == (0, True)
    assert volant("status", "--data", data).returncode == 3


def test_detached(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    ports = ("--grpc", ANY, "--http", ANY, "--s3", ANY)
    started = volant("up", "--detach", "--data", data, *ports, services=WITHOUT_ENGINE)
    try:
        assert started.returncode == 0, started.stderr
        assert started.stdout.startswith("Volant is ready")
        assert volant("status", "--data", data).returncode == 0
        second = volant("up", "--detach", "--data", data, *ports, services=WITHOUT_ENGINE)
        assert second.returncode == 1
        assert "already runs on" in second.stderr
    finally:
        assert "is stopped" in volant("down", "--data", data).stdout


def test_a_refusal_is_one_sentence(up: Callable[..., Up]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = up("--grpc", f"127.0.0.1:{taken.getsockname()[1]}", "--http", ANY, "--s3", ANY).refusal()
    assert "can't listen on 127.0.0.1:" in refused
    assert "address already in use" in refused


@as_root
@pytest.mark.parametrize("size", ["1m", "40m"])
def test_a_full_disk(up: Callable[..., Up], tmp_path: Path, size: str) -> None:
    mount = f'mount -t tmpfs -o size={size} tmpfs "$0" && exec "$@"'
    disk = tmp_path / "disk"
    disk.mkdir()
    probe = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, str(disk), "true"], capture_output=True, check=False
    )
    if probe.returncode:
        pytest.skip("this machine does not let us mount")
    refused = up(data=disk / "data", before=("unshare", "--mount", "sh", "-c", mount, str(disk))).refusal()
    assert "space" in refused or "room" in refused


def test_another_address_is_warned_of(up: Callable[..., Up]) -> None:
    environment = {"VOLANT_SERVICES": "admin", "VOLANT_LISTEN__HTTP": ANY, "VOLANT_LISTEN__GRPC": ANY}
    server = up("--listen", "0.0.0.0", ports=(), environment=environment)
    assert server.process.stdout is not None
    assert "Warning: it listens to other machines too" in server.process.stdout.readline()
    assert server.ready().address("gRPC").startswith("0.0.0.0:")


def test_secrets(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    assert volant("secret", "set", *data, "group", "key", given="value\n").returncode == 0
    assert volant("secret", "list", *data).stdout == "group/key\n"
    assert json.loads(volant("secret", "list", *data, "-o", "json").stdout) == [{"group": "group", "key": "key"}]
    assert stat.S_IMODE((tmp_path / "data" / "secrets.json").stat().st_mode) == 0o600
    assert "value" in (tmp_path / "data" / "secrets.json").read_text()
    assert volant("secret", "delete", *data, "group", "key").returncode == 0
    gone = volant("secret", "delete", *data, "group", "key")
    assert gone.returncode == 1
    assert "there is no secret group/key" in gone.stderr


def test_light_commands_stay_light() -> None:
    probe = "import sys, volant_server.commands; print([m for m in ('grpc', 'aiohttp', 'asyncpg') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"

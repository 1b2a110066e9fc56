"""A platform for stock flytekit, whose tasks find the modules of this folder."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

from flytekit.configuration import Config, ImageConfig, PlatformConfig, SerializationSettings
from flytekit.remote import FlyteRemote

HERE = pathlib.Path(__file__).parent
SETTINGS = SerializationSettings(
    ImageConfig.auto_default_image(), project="flytesnacks", domain="development", version="1"
)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def remote_of(address: str) -> FlyteRemote:
    return FlyteRemote(Config(platform=PlatformConfig(endpoint=address, insecure=True)), "flytesnacks", "development")


@contextlib.contextmanager
def started(
    command: list[str], log: pathlib.Path, end: signal.Signals, **environment: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is ended by `end`."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": str(HERE), **environment}, stdout=subprocess.PIPE, stderr=file
        )
    try:
        yield process
    finally:
        process.send_signal(end)
        process.communicate(timeout=60)


@contextlib.contextmanager
def platform(folder: pathlib.Path, **environment: str) -> Iterator[str]:
    """The gRPC address of `volant up` on `folder`, which logs to `folder`/volant.log."""
    grpc = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "volant_server", "up", "--data", str(folder / "data"), "--grpc", grpc]
    command += ["--http", f"127.0.0.1:{free_port()}"]
    with started(command, folder / "volant.log", signal.SIGINT, **environment) as process:
        assert process.stdout is not None
        assert any(b"ready" in line for line in process.stdout), (folder / "volant.log").read_text()[-2000:]
        yield grpc

"""A platform of our own for clients to try: `volant up` on a fresh folder and free ports."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator

_READY_S = 180
SECRETS = {("clients", "word"): "abracadabra"}


class Platform:
    """Where it listens, and what a client needs to know."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.grpc, self.http, self.s3 = (f"127.0.0.1:{port}" for port in _free_ports(3))

    def environment(self) -> dict[str, str]:
        """What a client's variables must be."""
        keys = json.loads((self.folder / "data" / "keys.json").read_text())
        config = self.folder / "config.yaml"
        config.write_text(f"admin: {{endpoint: {json.dumps(self.http)}, insecure: true}}\n")
        return {
            "FLYTECTL_CONFIG": str(config),  # without a file, pyflyte before 1.11 looks for the sandbox only
            "FLYTE_PLATFORM_URL": self.http,
            "FLYTE_PLATFORM_INSECURE": "true",
            "FLYTE_AWS_ENDPOINT": f"http://{self.s3}",
            "FLYTE_AWS_ACCESS_KEY_ID": keys["access_key"],
            "FLYTE_AWS_SECRET_ACCESS_KEY": keys["secret_key"],
        }

    def log(self) -> str:
        """What the server said."""
        return (self.folder / "log").read_text(errors="replace")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def running(task_python: pathlib.Path, python_path: pathlib.Path | None = None) -> Iterator[Platform]:
    """A platform whose tasks run with `task_python`."""
    with tempfile.TemporaryDirectory(prefix="volant-clients-", ignore_cleanup_errors=True) as folder:
        platform = Platform(pathlib.Path(folder))
        data = str(platform.folder / "data")
        volant = [sys.executable, "-m", "volant_server"]
        for (group, key), value in SECRETS.items():
            words = [*volant, "secret", "set", "--data", data, group, key]
            subprocess.run(words, input=value.encode(), check=True, stdout=subprocess.DEVNULL)
        environment = {**os.environ, **({"PYTHONPATH": str(python_path)} if python_path else {})}
        command = [*volant, "up", "--data", data, "--grpc", platform.grpc, "--http", platform.http]
        command += ["--s3", platform.s3, "--task-python", str(task_python)]
        with (platform.folder / "log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log)
        assert process.stdout is not None
        watchdog = threading.Timer(_READY_S, process.kill)
        watchdog.start()
        try:
            assert any(b"ready" in line for line in process.stdout), platform.log()[-2000:]
            watchdog.cancel()
            yield platform
        finally:
            watchdog.cancel()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)

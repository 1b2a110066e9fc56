"""One embedded platform for all of the article's examples."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator

import pytest

_READY_S = 60


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="session")
def platform_endpoint() -> Iterator[str]:
    """The gRPC address of a platform that was started with `volant up` on an empty folder."""
    grpc, http, s3 = _free_ports(3)
    with tempfile.TemporaryDirectory(prefix="volant-article-") as folder:
        command = [sys.executable, "-m", "volant_server", "up", "--data", f"{folder}/data"]
        command += ["--grpc", f"127.0.0.1:{grpc}", "--http", f"127.0.0.1:{http}", "--s3", f"127.0.0.1:{s3}"]
        log = pathlib.Path(folder, "log")
        with log.open("wb") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
        assert process.stdout is not None
        watchdog = threading.Timer(_READY_S, process.kill)
        watchdog.start()
        line = process.stdout.readline().decode()
        watchdog.cancel()
        threading.Thread(target=process.stdout.read, daemon=True).start()
        try:
            assert "ready" in line, line + log.read_text()[-3000:]
            yield f"127.0.0.1:{grpc}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            process.stdout.close()

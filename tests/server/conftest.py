"""`volant up` as a process, and the platform in this process."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import types
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from volant_server import embedded

ANY = "127.0.0.1:0"
WITHOUT_ENGINE = "admin,datacatalog,objectstore"
PEER_TOKEN = "what engines have"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("VOLANT_")}


def binaries() -> Path | None:
    told = os.environ.get("VOLANT_TEST_POSTGRES_BIN")
    return Path(told) if told else None


class Up:
    """A `volant up` in a folder."""

    def __init__(
        self,
        data: Path,
        *options: str,
        before: tuple[str, ...] = (),
        environment: Mapping[str, str] = types.MappingProxyType({}),
    ) -> None:
        self.data = data
        told = binaries()
        line = [*before, sys.executable, "-m", "volant_server", "up", "--data", str(data), *options]
        line += ["--postgres", str(told)] if told and "--postgres" not in options else []
        self.process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**ENVIRONMENT, **environment}
        )
        self.said = ""

    def ready(self) -> "Up":
        """Wait for the line that says so."""
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        if "ready" not in self.said:
            raise AssertionError(f"{self.said}{self.process.communicate()}")
        return self

    def address(self, of: str) -> str:
        match = re.search(rf"{of} (?:http://)?([^\s,/]+)", self.said)
        assert match, self.said
        return match[1]

    def refusal(self) -> str:
        """What it complains of, having ended with code 1; never a traceback."""
        out, complaint = self.process.communicate(timeout=60)
        assert self.process.returncode == 1, (out, complaint)
        assert "Traceback" not in complaint
        assert complaint.startswith("volant: ")
        assert complaint.count("\n") == 1, "one sentence"
        return complaint

    def stop(self, number: int = signal.SIGINT) -> str:
        """Stop it as Ctrl-C does; what it said."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        out, complaint = self.process.communicate(timeout=60)
        assert "Traceback" not in complaint
        return out


def volant(*arguments: str, given: str | None = None, services: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run another command."""
    line = [sys.executable, "-m", "volant_server", *arguments]
    environment = {**ENVIRONMENT, **({"VOLANT_SERVICES": services} if services else {})}
    return subprocess.run(line, input=given, capture_output=True, text=True, timeout=60, env=environment, check=False)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(
        *options: str,
        data: Path | None = None,
        engine: bool = False,
        environment: Mapping[str, str] = types.MappingProxyType({}),
        ports: Sequence[str] = ("--grpc", ANY, "--http", ANY, "--s3", ANY),
        **more,
    ) -> Up:
        """Without an engine where none is needed: it costs two seconds of a core to warm up."""
        environment = {**({} if engine else {"VOLANT_SERVICES": WITHOUT_ENGINE}), **environment}
        if {"--sandbox", "--grpc"} & set(options):
            ports = ()
        started.append(Up(data or tmp_path / "data", *ports, *options, environment=environment, **more))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[embedded.Running]:
    """The platform, in this process, but for the engine."""
    environment = {**ENVIRONMENT, "VOLANT_SERVICES": WITHOUT_ENGINE, "VOLANT_PEERS__TOKEN": PEER_TOKEN}
    options = embedded.Options(
        data=tmp_path / "data", grpc=ANY, http=ANY, s3=ANY, postgres=binaries(), environment=environment
    )
    async with embedded.embedded_server(options) as server:
        yield server

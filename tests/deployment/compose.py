"""Runs docker-compose.yml as it is written, without containers: each service's command with its environment.

A service is a process with a loopback address of its own; the names and the ports of the file are replaced by those
addresses and by ports that nobody uses. Order and health checks are the file's.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tests.deployment.fleet import free_port

ROOT = Path(__file__).parents[2]
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_PORTS = re.compile(r":(5432|808\d)\b")
_NOBODY = 65534
"""PostgreSQL refuses to be root."""


def read(environment: Mapping[str, str]) -> dict[str, Any]:
    """The file, with its variables put in."""

    def value(match: re.Match[str]) -> str:
        return environment.get(match[1]) or match[2] or ""

    document: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(value, (ROOT / "docker-compose.yml").read_text()))
    return document


class Composed:
    """The services, running."""

    def __init__(self, folder: Path, postgres: Path, network: str) -> None:
        self.folder = folder
        self.postgres = postgres
        self.document = read({})
        self.services: dict[str, Any] = self.document["services"]
        self.addresses = {name: f"{network}.{number}" for number, name in enumerate(self.services, start=2)}
        self.ports = {port: str(free_port()) for port in ("5432", *(str(number) for number in range(8080, 8090)))}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()[-3000:]

    def start(self) -> None:
        """All, each when what it depends on is as it asks."""
        waiting = dict(self.services)
        while waiting:
            ready = [name for name, told in waiting.items() if not set(told.get("depends_on", {})) & set(waiting)]
            assert ready, f"they wait for one another: {sorted(waiting)}"
            for name in ready:
                for other, wanted in waiting.pop(name).get("depends_on", {}).items():
                    self._wait(other, wanted["condition"])
                self._start(name)
        for name, told in self.services.items():
            if "healthcheck" in told:
                self._wait(name, "service_healthy")

    def close(self) -> None:
        for process in reversed(self.running.values()):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def address(self, name: str, container_port: int) -> str:
        """Where a port is that the file publishes."""
        ports = [str(port).rpartition(":")[2] for port in self.services[name].get("ports", ())]
        assert str(container_port) in ports, f"{name} does not publish {container_port}"
        return f"{self.addresses[name]}:{self.ports[str(container_port)]}"

    def _start(self, name: str) -> None:
        told = self.services[name]
        target = told["build"]["target"]
        entry = {
            "server": [sys.executable, "-m", "volant_server"],
            "postgres": [str(self._for_all(ROOT / "scripts" / "trial_postgres.sh"))],
        }[target]
        home = self.folder / name
        home.mkdir()
        as_nobody = target == "postgres" and os.getuid() == 0
        if as_nobody:
            os.chown(home, _NOBODY, _NOBODY)
        inherited = {key: text for key, text in os.environ.items() if not key.startswith("VOLANT_")}
        environment = {key: self._local(name, str(text)) for key, text in told.get("environment", {}).items()}
        environment = {key: text.replace("/home/volant", str(home)) for key, text in environment.items()}
        path = f"{self.postgres}:{inherited['PATH']}"
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                [*entry, *told.get("command", ())],
                env={**inherited, "PATH": path, **self._of_postgres(name), **environment},
                stdout=log,
                stderr=log,
                cwd=home,
                user=_NOBODY if as_nobody else None,
                group=_NOBODY if as_nobody else None,
                extra_groups=[] if as_nobody else None,
            )

    def _of_postgres(self, name: str) -> dict[str, str]:
        return {"POSTGRES_LISTEN": self.addresses[name], "POSTGRES_PORT": self.ports["5432"]}

    def _for_all(self, script: Path) -> Path:
        """A copy that nobody may read too."""
        copy = self.folder / script.name
        shutil.copy(script, copy)
        copy.chmod(0o755)
        return copy

    def _local(self, name: str, text: str) -> str:
        text = text.replace("0.0.0.0", self.addresses[name]).replace("127.0.0.1", self.addresses[name])
        for other, told in self.services.items():
            text = re.sub(rf"(^|[/@]){other}:", rf"\g<1>{self.addresses[other]}:", text)
            for port in told.get("ports", ()):
                outside, _, inside = str(port).partition(":")
                text = text.replace(f"localhost:{outside}", f"{self.addresses[other]}:{inside}")
        return _PORTS.sub(lambda match: f":{self.ports[match[1]]}", text)

    def _wait(self, name: str, condition: str) -> None:
        process = self.running[name]
        if condition == "service_completed_successfully":
            assert process.wait(120) == 0, self.log(name)
            return
        check = self.services[name]["healthcheck"]
        assert check["test"][0] == "CMD"
        line = [sys.executable if word == "python3" else self._local(name, word) for word in check["test"][1:]]
        end = time.monotonic() + 120
        environment = {**os.environ, "PATH": f"{self.postgres}:{os.environ['PATH']}", "PGPORT": self.ports["5432"]}
        while subprocess.run(line, capture_output=True, env=environment, check=False).returncode:
            assert process.poll() is None, self.log(name)
            assert time.monotonic() < end, self.log(name)
            time.sleep(0.2)  # as the container engine does

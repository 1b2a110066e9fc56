"""What every check uses: the remote, the registered flows, a way to run one and wait. Python 3.8, any flytekit."""

import datetime
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, List, Optional

import flytekit
from flytekit.configuration import Config
from flytekit.models.core.execution import WorkflowExecutionPhase as Phase
from flytekit.remote import FlyteRemote

PROJECT, DOMAIN = "flytesnacks", "development"
FLYTEKIT = tuple(int(part) for part in re.findall(r"\d+", flytekit.__version__)[:3])
FLOWS = pathlib.Path(__file__).resolve().parent.parent / "flows"
_LIMIT = datetime.timedelta(seconds=90)
_POLL = datetime.timedelta(seconds=0.2)


class Session:
    """One client's view of one platform."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.remote = FlyteRemote(Config.auto(), default_project=PROJECT, default_domain=DOMAIN)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="clients-"))

    def pyflyte(self, *words: str, limit: float = 120, cwd: Optional[pathlib.Path] = None) -> str:
        """Run the command line of this interpreter's flytekit; what it said."""
        command = [str(pathlib.Path(sys.executable).parent / "pyflyte"), *words]
        environment = {**os.environ, "COLUMNS": "400", "NO_COLOR": "1", "TERM": "dumb"}
        done = subprocess.run(
            command,
            cwd=str(cwd or FLOWS),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit,
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        if done.returncode:
            raise AssertionError(f"{' '.join(words)}: exit {done.returncode}\n{said[-3000:]}")
        return said

    def workflow(self, name: str) -> Any:
        """A registered workflow of the flows."""
        return self.remote.fetch_workflow(name=f"client_flows.{name}", version=self.version)

    def start(self, name: str, inputs: Optional[Dict[str, Any]] = None, **more: Any) -> Any:
        """Start a registered workflow."""
        return self.remote.execute(self.workflow(name), inputs=inputs or {}, **more)

    def wait(self, execution: Any, nodes: bool = False) -> Any:
        """Wait for an execution's end; its nodes are read after it, as old releases trip over launch plans that start."""
        done = self.remote.wait(execution, timeout=_LIMIT, poll_interval=_POLL, sync_nodes=False)
        return self.remote.sync_execution(done, sync_nodes=True) if nodes else done

    def run(self, name: str, inputs: Optional[Dict[str, Any]] = None, nodes: bool = False, **more: Any) -> Any:
        """Run a registered workflow to its success."""
        done = self.wait(self.start(name, inputs, **more), nodes)
        return self.succeeded(done)

    def succeeded(self, done: Any) -> Any:
        """The same execution, which must have succeeded."""
        if done.closure.phase != Phase.SUCCEEDED:
            where = done.closure.error.message if done.closure.error else ""
            raise AssertionError(f"{done.id.name} is {Phase.enum_to_string(done.closure.phase)}: {where[-1500:]}")
        return done

    def named(self, said: str) -> Any:
        """The execution that a command's output names."""
        found: List[str] = re.findall(r"executions/([a-zA-Z0-9]+)", said)
        assert found, said[-1500:]
        return self.remote.fetch_execution(name=found[-1])


def until(condition: Any, what: str, limit: float = 60) -> Any:
    """Wait until `condition` gives something."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not in {limit} s: {what}")


def equal(got: Any, expected: Any) -> None:
    """Compare, and say what came."""
    assert got == expected, f"{got!r} instead of {expected!r}"

"""What every check uses: the remote, the registered flows, a way to run one and wait. Python 3.8, any flytekit."""

import datetime
import json
import os
import pathlib
import re
import sys
import tempfile
import time
from typing import Any, Dict, List, Optional

import flytekit
import warm_pyflyte
from flytekit.configuration import Config
from flytekit.models.core.execution import WorkflowExecutionPhase as Phase
from flytekit.remote import FlyteRemote

PROJECT, DOMAIN = "flytesnacks", "development"
FLYTEKIT = tuple(int(part) for part in re.findall(r"\d+", flytekit.__version__)[:3])
FLOWS = pathlib.Path(__file__).resolve().parent.parent / "flows"
_LIMIT = datetime.timedelta(seconds=90)
_POLL = datetime.timedelta(seconds=0.2)


def _start_pyflyte():
    """A fork of this process, before it has connections, that is forked again for each command."""
    os.environ.update(COLUMNS="400", NO_COLOR="1", TERM="dumb")
    (requests, to_it), (from_it, answers) = os.pipe(), os.pipe()
    if not os.fork():
        os.close(to_it)
        os.close(from_it)
        warm_pyflyte.serve(os.fdopen(requests), os.fdopen(answers, "w"))
        os._exit(0)
    os.close(requests)
    os.close(answers)
    return os.fdopen(to_it, "w"), os.fdopen(from_it)


class Session:
    """One client's view of one platform."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._requests, self._answers = _start_pyflyte()
        self.remote = FlyteRemote(Config.auto(), default_project=PROJECT, default_domain=DOMAIN)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="clients-"))

    def pyflyte(self, *words: str) -> str:
        """Run the command line of this interpreter's flytekit, in the flows' folder; what it said."""
        said = self.folder / "said"
        argv = [str(pathlib.Path(sys.executable).parent / "pyflyte"), *words]
        self._requests.write(json.dumps({"argv": argv, "cwd": str(FLOWS), "said": str(said)}) + "\n")
        self._requests.flush()
        code = int(self._answers.readline())
        text = said.read_text(errors="replace")
        if code:
            raise AssertionError(f"{' '.join(words)}: exit {code}\n{text[-3000:]}")
        return text

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

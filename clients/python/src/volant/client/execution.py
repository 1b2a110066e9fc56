"""An execution on a platform, as an object: its phase, outputs, nodes, and what can be done to it."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from volant import errors
from volant.authoring import interface
from volant.client import channel
from volant.storage import router
from volant.types import engine
from volantidl.admin import common_pb2, execution_pb2, node_execution_pb2, task_execution_pb2
from volantidl.core import execution_pb2 as core_execution_pb2
from volantidl.core import identifier_pb2, interface_pb2, literals_pb2, tasks_pb2

if TYPE_CHECKING:
    from volant.client.remote import Remote

Phase = core_execution_pb2.WorkflowExecution.Phase
NodePhase = core_execution_pb2.NodeExecution.Phase
_TERMINAL = {Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED, Phase.TIMED_OUT}
_FIRST_POLL = 0.02
_LONGEST_POLL = 1.0
"""Seconds between two looks at an execution that is waited for."""


class Execution:
    """One execution. What it says is from the last time that it was looked at; `sync` looks again."""

    def __init__(
        self,
        remote: Remote,
        identifier: identifier_pb2.WorkflowExecutionIdentifier,
        signature: interface.Interface | None = None,
    ) -> None:
        self._remote = remote
        self.id = identifier
        self._signature = signature
        self._message: execution_pb2.Execution | None = None

    def __repr__(self) -> str:
        phase = Phase.Name(self._message.closure.phase) if self._message is not None else "?"
        return f"<Execution {self.id.name} {phase}>"

    @property
    def name(self) -> str:
        """The execution's name."""
        return self.id.name

    @property
    def url(self) -> str:
        """Its page."""
        base = self._remote.pages
        return f"{base}/console/projects/{self.id.project}/domains/{self.id.domain}/executions/{self.id.name}"

    @property
    def message(self) -> execution_pb2.Execution:
        """The platform's record of it."""
        return self._message if self._message is not None else self.sync().message

    def sync(self) -> Execution:
        """Look at it again."""
        request = execution_pb2.WorkflowExecutionGetRequest(id=self.id)
        self._message = self._remote.connection.call(channel.ADMIN, "GetExecution", request, execution_pb2.Execution)
        return self

    @property
    def phase(self) -> str:
        """Its phase's name, such as RUNNING."""
        return Phase.Name(self.message.closure.phase)

    @property
    def is_done(self) -> bool:
        """Whether it has ended, one way or another."""
        return self.message.closure.phase in _TERMINAL

    @property
    def is_successful(self) -> bool:
        """Whether it has succeeded."""
        return self.message.closure.phase == Phase.SUCCEEDED

    @property
    def error(self) -> core_execution_pb2.ExecutionError | None:
        """Why it failed."""
        return self.message.closure.error if self.message.closure.HasField("error") else None

    @property
    def duration(self) -> datetime.timedelta:
        """How long it ran."""
        return self.message.closure.duration.ToTimedelta()

    def wait(self, timeout: float | datetime.timedelta | None = None, *, poll: float = _LONGEST_POLL) -> Execution:
        """Wait until it has ended, also when it failed.

        Args:
            timeout: Seconds (or a timedelta) after which TimedOutError is raised.
            poll: The longest pause between two looks, in seconds.
        """
        pauses = self.pauses(timeout, poll)
        while not self.sync().is_done:
            time.sleep(next(pauses))
        return self

    def pauses(
        self, timeout: float | datetime.timedelta | None = None, longest: float = _LONGEST_POLL
    ) -> Iterator[float]:
        """Seconds between looks of somebody who waits: short at first, then longer.

        Raises:
            TimedOutError: The time is over.
        """
        limit = timeout.total_seconds() if isinstance(timeout, datetime.timedelta) else timeout
        ends = None if limit is None else time.monotonic() + limit
        pause = _FIRST_POLL
        while True:
            left = pause if ends is None else ends - time.monotonic()
            if left <= 0:
                raise errors.TimedOutError(f"execution {self.name} is still {self.phase} after {limit} s: {self.url}")
            yield min(pause, left)
            pause = min(pause * 1.5, longest)

    def _data(self) -> execution_pb2.WorkflowExecutionGetDataResponse:
        request = execution_pb2.WorkflowExecutionGetDataRequest(id=self.id)
        answer = execution_pb2.WorkflowExecutionGetDataResponse
        return self._remote.connection.call(channel.ADMIN, "GetExecutionData", request, answer)

    @property
    def outputs(self) -> Outputs:
        """The outputs by name, decoded when looked at. Raises TaskFailedError where it failed."""
        if not self.is_done:
            self.sync()
        if not self.is_done:
            raise errors.VolantError(
                f"execution {self.name} is {self.phase}; it has no outputs yet. Call .wait() first"
            )
        if not self.is_successful:
            raise self.failure()
        data = self._data()
        literals = self._remote.literals_of(data.full_outputs, data.outputs)
        types = dict(self._signature.outputs) if self._signature is not None else {}
        return Outputs(self._remote, literals, types, self._variables("outputs") if not types else {})

    def output_literals(self) -> dict[str, literals_pb2.Literal]:
        """The outputs as they travel."""
        data = self._data()
        return self._remote.literals_of(data.full_outputs, data.outputs)

    @property
    def inputs(self) -> Outputs:
        """The inputs by name."""
        data = self._data()
        literals = self._remote.literals_of(data.full_inputs, data.inputs)
        types = dict(self._signature.inputs) if self._signature is not None else {}
        return Outputs(self._remote, literals, types, self._variables("inputs") if not types else {})

    def failure(self) -> errors.TaskFailedError:
        """The exception that says why it didn't succeed."""
        found = self.error
        if found is not None:
            code = f" ({found.code})" if found.code else ""  # the errors of a map have many, or none
            message = found.message.removeprefix(f"[{found.code}] ")
            return errors.TaskFailedError(f"execution {self.name} failed{code}: {message}")
        cause = self.message.closure.abort_metadata.cause
        return errors.TaskFailedError(f"execution {self.name} is {self.phase}{f': {cause}' if cause else ''}")

    def _variables(self, which: str) -> Mapping[str, interface_pb2.Variable]:
        target = self.message.spec.launch_plan
        found: interface_pb2.TypedInterface = self._remote.interface_of(target)
        chosen = found.outputs if which == "outputs" else found.inputs
        return chosen.variables

    @property
    def nodes(self) -> dict[str, Node]:
        """Its nodes, by id; without those of sub-workflows."""
        return {one.id: one for one in self._list_nodes("")}

    def _list_nodes(self, parent: str) -> Iterator[Node]:
        token = ""
        while True:
            request = node_execution_pb2.NodeExecutionListRequest(
                workflow_execution_id=self.id,
                limit=100,
                token=token,
                unique_parent_id=parent,
                sort_by=common_pb2.Sort(key="created_at", direction=common_pb2.Sort.ASCENDING),
            )
            answer = self._remote.connection.call(
                channel.ADMIN, "ListNodeExecutions", request, node_execution_pb2.NodeExecutionList
            )
            for found in answer.node_executions:
                if not found.id.node_id.endswith(("start-node", "end-node")):
                    yield Node(self._remote, self, found)
            token = answer.token
            if not token:
                return

    def all_nodes(self) -> Iterator[Node]:
        """Its nodes, each before those inside of it."""
        pending = list(self.nodes.values())[::-1]
        while pending:
            found = pending.pop()
            yield found
            pending.extend(found.children[::-1])

    def node(self, identifier: str) -> Node:
        """A node by its id, wherever it is inside of others.

        Raises:
            NotFoundError: There is none of that id.
        """
        known = []
        for found in self.all_nodes():
            if found.id == identifier:
                return found
            known.append(found.id)
        near = difflib.get_close_matches(identifier, known, 1)
        rest = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known[:30]) or 'none yet'}"
        raise errors.NotFoundError(f"execution {self.name} has no node {identifier!r}; {rest}")

    def logs(self) -> dict[str, list[str]]:
        """What each node's attempts wrote, by the node's id; nodes without tasks are left out."""
        return {found.id: texts for found in self.all_nodes() if (texts := found.logs())}

    def abort(self, cause: str = "aborted by the SDK") -> Execution:
        """End it, and everything that it started."""
        request = execution_pb2.ExecutionTerminateRequest(id=self.id, cause=cause)
        self._remote.connection.call(
            channel.ADMIN, "TerminateExecution", request, execution_pb2.ExecutionTerminateResponse
        )
        return self.sync()

    def relaunch(self, name: str = "") -> Execution:
        """Start another with the same inputs."""
        request = execution_pb2.ExecutionRelaunchRequest(id=self.id, name=name)
        answer = self._remote.connection.call(
            channel.ADMIN, "RelaunchExecution", request, execution_pb2.ExecutionCreateResponse
        )
        return Execution(self._remote, answer.id, self._signature)

    def recover(self, name: str = "") -> Execution:
        """Start another that takes over what succeeded here."""
        request = execution_pb2.ExecutionRecoverRequest(id=self.id, name=name)
        answer = self._remote.connection.call(
            channel.ADMIN, "RecoverExecution", request, execution_pb2.ExecutionCreateResponse
        )
        return Execution(self._remote, answer.id, self._signature)


class Outputs(Mapping[str, Any]):
    """Values by name; each is decoded when it's looked at, and again only if asked."""

    def __init__(
        self,
        remote: Remote,
        literals: Mapping[str, literals_pb2.Literal],
        types: Mapping[str, Any],
        variables: Mapping[str, interface_pb2.Variable],
    ) -> None:
        self._remote = remote
        self.literals: dict[str, literals_pb2.Literal] = dict(literals)
        """The values as they travel."""
        self._types = dict(types)
        self._variables = dict(variables)
        self._values: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            self._values[name] = self.get_as(name, self._type_of(name))
        return self._values[name]

    def _type_of(self, name: str) -> Any:
        if name in self._types:
            return self._types[name]
        return engine.guess_python_type(self._variables[name].type) if name in self._variables else Any

    def get_as(self, name: str, python_type: Any) -> Any:
        """A value, decoded as a type of your choice."""
        with router.through(self._remote.store):
            return engine.to_python(self.literals[name], python_type)

    def __iter__(self) -> Iterator[str]:
        return iter(self.literals)

    def __len__(self) -> int:
        return len(self.literals)

    def __repr__(self) -> str:
        return f"<Outputs {', '.join(self.literals) or 'none'}>"


@dataclasses.dataclass(frozen=True)
class LogPart:
    """A log of an attempt."""

    attempt: int
    """The attempt's number, from 0."""
    name: str
    uri: str


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of an execution."""

    _remote: Remote
    execution: Execution
    message: node_execution_pb2.NodeExecution

    @property
    def id(self) -> str:
        """Its unique id in the execution."""
        return self.message.id.node_id

    @property
    def phase(self) -> str:
        """Its phase's name."""
        return NodePhase.Name(self.message.closure.phase)

    @property
    def name(self) -> str:
        """What the workflow calls it, for people."""
        return self.message.metadata.spec_node_id

    @property
    def cache_status(self) -> str:
        """Whether its outputs came from the cache, such as CACHE_HIT."""
        from volantidl.core import catalog_pb2  # noqa: PLC0415 - only needed here

        return catalog_pb2.CatalogCacheStatus.Name(self.message.closure.task_node_metadata.cache_status)

    @property
    def error(self) -> core_execution_pb2.ExecutionError | None:
        """Why it failed."""
        closure = self.message.closure
        if closure.HasField("error"):
            return closure.error
        # Nodes with a deck leave it to their attempts.
        last = self.attempts[-1:] if self.phase == "FAILED" and closure.deck_uri else []
        return last[0].closure.error if last else None

    @property
    def is_parent(self) -> bool:
        """Whether other nodes are inside of it."""
        return self.message.metadata.is_parent_node

    @property
    def children(self) -> list[Node]:
        """Nodes of the sub-workflow, dynamic task or branch that it is."""
        return list(self.execution._list_nodes(self.id)) if self.is_parent else []  # noqa: SLF001

    def _data(self) -> node_execution_pb2.NodeExecutionGetDataResponse:
        request = node_execution_pb2.NodeExecutionGetDataRequest(id=self.message.id)
        answer = node_execution_pb2.NodeExecutionGetDataResponse
        return self._remote.connection.call(channel.ADMIN, "GetNodeExecutionData", request, answer)

    @property
    def outputs(self) -> Outputs:
        """Its outputs by name."""
        data = self._data()
        return Outputs(self._remote, self._remote.literals_of(data.full_outputs, data.outputs), {}, {})

    @property
    def inputs(self) -> Outputs:
        """Its inputs by name."""
        data = self._data()
        return Outputs(self._remote, self._remote.literals_of(data.full_inputs, data.inputs), {}, {})

    def log_parts(self) -> list[LogPart]:
        """Where what its task's attempts wrote is kept; a map's elements have one each."""
        parts = []
        for tried in self.attempts:
            number = tried.id.retry_attempt
            of_elements = [log for one in tried.closure.metadata.external_resources for log in one.logs]
            parts += [LogPart(number, log.name, log.uri) for log in (*tried.closure.logs, *of_elements)]
        return parts

    def logs(self) -> list[str]:
        """What each attempt of its task wrote, as far as that's kept."""
        texts: dict[int, list[str]] = {tried.id.retry_attempt: [] for tried in self.attempts}
        for part in self.log_parts():
            texts[part.attempt].append(self._remote.read_text(part.uri))
        return ["".join(found) for found in texts.values()]

    def task_template(self) -> tasks_pb2.TaskTemplate | None:
        """The task that it ran; None where it ran none."""
        attempts = self.attempts
        if not attempts:
            return None
        identifier = attempts[-1].id.task_id
        try:
            return self._remote.task_template(identifier)
        except errors.NotFoundError:
            # Tasks that a dynamic task made are in its graph only.
            for one in self.execution.all_nodes():
                if one.message.metadata.is_dynamic:
                    for made in one._data().dynamic_workflow.compiled_workflow.tasks:  # noqa: SLF001
                        if made.template.id == identifier:
                            return made.template
            raise

    @property
    def attempts(self) -> list[task_execution_pb2.TaskExecution]:
        """The attempts of its task."""
        request = task_execution_pb2.TaskExecutionListRequest(node_execution_id=self.message.id, limit=100)
        answer = task_execution_pb2.TaskExecutionList
        found = self._remote.connection.call(channel.ADMIN, "ListTaskExecutions", request, answer)
        return list(found.task_executions)

"""How far an execution is: its nodes as a tree, those that are still to come too, and what their tasks say."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from volant import errors
from volant.client import execution
from volantidl.core import execution_pb2, workflow_pb2

if TYPE_CHECKING:
    from volant.client.remote import Remote

_MAPPED = re.compile(r"map_(.+)_[0-9a-f]{32}-arraynode$")
_ENDED = {"SUCCEEDED", "FAILED", "ABORTED", "SKIPPED", "TIMED_OUT", "RECOVERED"}
_TASK_PHASE = execution_pb2.TaskExecution.Phase
_FOLLOWED = 8
"""Logs that are read at once, at most."""


@dataclasses.dataclass
class Item:
    """A node at a moment."""

    id: str
    label: str
    """What it runs, for people."""
    phase: str = ""
    """Its phase's name; empty for what is still to come."""
    seconds: float = 0.0
    """How long it ran, or has been running."""
    is_cached: bool = False
    attempt: int = 0
    """The number of its task's attempt, from 0."""
    elements: int = 0
    """How many elements a map has."""
    elements_done: int = 0
    elements_failed: int = 0
    error: str = ""
    """Why it failed, in a line."""
    hint: str = ""
    """What to do about it."""
    children: list[Item] = dataclasses.field(default_factory=list)

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.phase in _ENDED


@dataclasses.dataclass(frozen=True)
class Line:
    """A line that a task wrote."""

    node: str
    """The node's id; with the element's number for maps."""
    label: str
    text: str


class Tree:
    """An execution, looked at again and again; what has ended is asked for once."""

    def __init__(self, remote: Remote, one: execution.Execution) -> None:
        self._remote = remote
        self._execution = one
        self._template: workflow_pb2.WorkflowTemplate | None = None
        self._sub_templates: dict[str, workflow_pb2.WorkflowTemplate] = {}
        self._ended: dict[str, Item] = {}
        self._read: dict[str, int] = {}
        self._logs: list[tuple[str, Item, str]] = []
        self.items: list[Item] = []

    def look(self) -> list[Item]:
        """The nodes now."""
        self._logs = []
        self._execution.sync()
        if self._template is None:
            self._load()
        found = {one.id: self._item(one, self._template) for one in self._execution.nodes.values()}
        coming = [] if self._execution.is_done else self._planned()
        self.items = [*found.values(), *(item for item in coming if item.id not in found)]
        return self.items

    def _load(self) -> None:
        identifier = self._execution.message.closure.workflow_id
        try:
            compiled = self._remote.compiled_workflow(identifier)
        except errors.VolantError:  # it can be shown without
            self._template = workflow_pb2.WorkflowTemplate()
            return
        self._template = compiled.primary.template
        self._sub_templates = {one.template.id.name: one.template for one in compiled.sub_workflows}

    def _planned(self) -> Iterator[Item]:
        for node in self._template.nodes if self._template is not None else ():
            if node.id not in {"start-node", "end-node"}:
                yield Item(node.id, _label(node))

    def _item(self, node: execution.Node, template: workflow_pb2.WorkflowTemplate | None) -> Item:
        if node.id in self._ended:
            return self._ended[node.id]
        closure = node.message.closure
        planned = _named(template, node.name) if template is not None else None
        item = Item(node.id, _label(planned) if planned is not None else node.name, node.phase)
        item.seconds = _seconds(closure.started_at.ToDatetime(datetime.UTC), closure.duration.ToTimedelta(), item)
        item.is_cached = node.cache_status == "CACHE_HIT"
        if item.phase == "RUNNING" and planned is not None and (gate := _gate(planned.gate_node)):
            item.hint = f"volant signal {self._execution.name} {gate} VALUE"
        if node.error is not None and item.phase == "FAILED":
            item.error = last_line(node.error.message)
        if node.message.metadata.is_parent_node:
            inside = self._template_of(planned)
            item.children = [self._item(child, inside) for child in node.children]
            # Dynamic and eager tasks are tasks too, and have others inside.
            if planned is None or planned.WhichOneof("target") == "task_node":
                self._look_at_task(node, item)
        elif item.phase not in {"QUEUED", "SKIPPED"} and not item.is_cached:
            self._look_at_task(node, item)
        if item.has_ended and all(child.has_ended for child in item.children):
            self._ended[node.id] = item
        return item

    def _template_of(self, planned: workflow_pb2.Node | None) -> workflow_pb2.WorkflowTemplate | None:
        """The graph inside of a node, as far as it was known beforehand."""
        if planned is None:
            return None
        kind = planned.WhichOneof("target")
        if kind == "branch_node":
            choice = planned.branch_node.if_else
            inside = [block.then_node for block in (choice.case, *choice.other)]
            return workflow_pb2.WorkflowTemplate(nodes=[*inside, choice.else_node])
        if kind == "workflow_node":
            return self._sub_templates.get(planned.workflow_node.sub_workflow_ref.name)
        return None

    def _look_at_task(self, node: execution.Node, item: Item) -> None:
        attempts = node.attempts
        if not attempts:
            return
        last = attempts[-1]
        item.attempt = last.id.retry_attempt
        if item.label == node.name:
            item.label = _short(last.id.task_id.name)
        resources = last.closure.metadata.external_resources
        if node.message.metadata.is_array or resources:
            item.elements = len({one.index for one in resources})
            item.elements_done = sum(one.phase == _TASK_PHASE.SUCCEEDED for one in resources)
            item.elements_failed = sum(one.phase == _TASK_PHASE.FAILED for one in resources)
            for one in resources:
                self._logs += [(f"{node.id}[{one.index}]", item, log.uri) for log in one.logs]
        self._logs += [(node.id, item, log.uri) for log in last.closure.logs]
        if item.phase == "FAILED":  # whole, other than in lists of nodes
            item.error = last_line(last.closure.error.message) or item.error

    def new_lines(self) -> list[Line]:
        """What tasks have written since this was asked for last; of the latest `look`."""
        lines: list[Line] = []
        followed = 0
        for name, item, uri in self._logs:
            if not uri.startswith("s3://"):
                continue
            followed += 1
            if followed > _FOLLOWED and not item.has_ended:
                continue
            lines += [Line(name, item.label, text) for text in self._new_text(uri, whole=item.has_ended)]
        return lines

    def _new_text(self, uri: str, *, whole: bool) -> list[str]:
        start = self._read.get(uri, 0)
        try:
            content = self._remote.store.read_from(uri, start)
        except errors.VolantError:  # not there yet, or not any more
            return []
        if not whole:  # a line that is being written is shown when it is complete
            content = content[: content.rfind(b"\n") + 1]
        self._read[uri] = start + len(content)
        return content.decode(errors="replace").splitlines()


def last_line(message: str) -> str:
    """What an error comes down to."""
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _named(template: workflow_pb2.WorkflowTemplate, name: str) -> workflow_pb2.Node | None:
    if template.HasField("failure_node") and template.failure_node.id == name:
        return template.failure_node
    return next((node for node in template.nodes if node.id == name), None)


def _label(node: workflow_pb2.Node) -> str:
    kind = node.WhichOneof("target")
    if kind == "array_node":
        return f"map {_label(node.array_node.node)}"
    if kind == "task_node":
        return _short(node.task_node.reference_id.name)
    if kind == "workflow_node":
        which = node.workflow_node.WhichOneof("reference")
        return _short(getattr(node.workflow_node, which).name) if which else node.metadata.name
    if kind == "branch_node":
        return f"if: {node.metadata.name or node.id}"
    if kind == "gate_node":
        return f"gate: {_gate(node.gate_node) or node.metadata.name}"
    return node.metadata.name or node.id


def _gate(gate: workflow_pb2.GateNode) -> str:
    which = gate.WhichOneof("condition")
    return getattr(getattr(gate, which), "signal_id", "") if which else ""


def _short(name: str) -> str:
    short = name.rpartition(".")[2]
    mapped = _MAPPED.search(short)
    return mapped[1] if mapped else short


def _seconds(started: datetime.datetime, duration: datetime.timedelta, item: Item) -> float:
    if item.has_ended or started.timestamp() <= 0:
        return duration.total_seconds()
    return max((datetime.datetime.now(datetime.UTC) - started).total_seconds(), 0.0)


def counted(items: list[Item]) -> Mapping[str, int]:
    """How many nodes there are of each phase, those inside of others too."""
    counts: dict[str, int] = {}
    pending = list(items)
    while pending:
        item = pending.pop()
        pending += item.children
        counts[item.phase] = counts.get(item.phase, 0) + 1
    return counts

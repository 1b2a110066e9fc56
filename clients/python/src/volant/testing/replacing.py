"""Replacing what tasks do, and a view of a workflow's graph."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

from volant.authoring import binding as bindings
from volant.authoring import entity, task, workflow
from volant.authoring import promise as promises


@contextlib.contextmanager
def patch(target: entity.Entity, replacement: Callable[..., Any]) -> Iterator[None]:
    """Let an entity do something else inside a `with` block, also where it is a node or a reference.

    Args:
        target: A task, workflow, launch plan or reference.
        replacement: Called with the inputs by name; gives the outputs.
    """

    def run(inputs: Mapping[str, Any]) -> Any:
        return replacement(**{**target.interface.defaults, **inputs})

    name = "execute" if isinstance(target, task.Task) else "run"
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(target, name, run))
        stack.enter_context(mock.patch.object(target, "replaced", True, create=True))
        yield


@contextlib.contextmanager
def task_mock(target: entity.Entity) -> Iterator[mock.MagicMock]:
    """Replace an entity by a mock inside a `with` block, and set the mock's `return_value` there."""
    double = mock.MagicMock()
    with patch(target, double):
        yield double


@dataclasses.dataclass(frozen=True)
class GraphView:
    """A workflow's graph, for assertions."""

    nodes: Mapping[str, str]
    """The name of the entity of each node, by the node's id."""
    edges: frozenset[tuple[str, str]]
    """Which node must end before which."""
    inputs: Mapping[str, Mapping[str, str]]
    """Where each input of each node comes from: "n0.o0", "input x", or "constant"."""


def graph_of(target: workflow.Workflow) -> GraphView:
    """The graph of a workflow; an eager one is a single node."""
    made = target.graph.nodes
    return GraphView(
        nodes={one.id: one.entity.name for one in made},
        edges=frozenset((before.id, one.id) for one in made for before in one.upstream()),
        inputs={one.id: {name: _source(bound) for name, bound in one.bindings.items()} for one in made},
    )


def _source(bound: bindings.Binding) -> str:
    found = list(bindings.promises_in(bound))
    if not found:
        return "constant"
    return ", ".join(_name(one) for one in found)


def _name(one: promises.Promise) -> str:
    path = "".join(f"[{part!r}]" for part in one._path)  # noqa: SLF001 - a promise's own names must not hide the value's
    var = one._var  # noqa: SLF001
    return f"{one.node.id}.{var}{path}" if one.node is not None else f"input {var}{path}"

"""The tracer: runs a body once with promises, and keeps the calls that it makes as nodes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from volant import errors, user_code
from volant.authoring import binding as bindings
from volant.authoring import calls, entity, interface
from volant.authoring import node as graphs
from volant.authoring import promise as promises


class Tracer:
    """Collects nodes. Branches of conditionals and failure handlers are collected in scopes of their own."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._scopes: list[list[graphs.Node]] = [[]]

    @property
    def nodes(self) -> list[graphs.Node]:
        """The nodes of the innermost scope."""
        return self._scopes[-1]

    @property
    def depth(self) -> int:
        """The number of open scopes."""
        return len(self._scopes)

    def open_scope(self) -> None:
        """Collect what follows apart."""
        self._scopes.append([])

    def close_scope(self) -> list[graphs.Node]:
        """The nodes of the innermost scope, which ends."""
        return self._scopes.pop()

    @contextlib.contextmanager
    def scope(self) -> Iterator[list[graphs.Node]]:
        """Collect the calls of a `with` block apart."""
        self.open_scope()
        try:
            yield self._scopes[-1]
        finally:
            self.close_scope()

    def call(self, called: entity.Entity, inputs: Mapping[str, Any]) -> Any:
        """Add a node; gives its promises."""
        return promises.make_outputs(self.add(called, inputs))

    def add(self, called: entity.Entity, inputs: Mapping[str, Any], line: str = "") -> graphs.Node:
        """Bind the inputs, completed with defaults, and add a node."""
        line = line or user_code.caller_line()
        bound = {}
        variables = called.interface.typed.inputs.variables
        for name, python_type in called.interface.inputs.items():
            if name in inputs:
                value = inputs[name]
            elif name in called.interface.defaults:
                value = called.interface.defaults[name]
            else:
                continue
            subject = f"{line}: {called.title}, input {name!r}"
            bound[name] = bindings.bind(value, python_type, variables[name].type, subject)
        return self.append(graphs.Node(self.next_id(), called, bound, line))

    def next_id(self) -> str:
        """The id of the next node of this scope."""
        return self.id_at(len(self.nodes))

    def id_at(self, place: int) -> str:
        """The id of the node at a place of its scope."""
        return f"{self._prefix}n{place}"

    def append(self, made: graphs.Node) -> graphs.Node:
        """Add a node that was made elsewhere."""
        self.nodes.append(made)
        return made


def trace(
    body: Callable[..., Any], signature: interface.Interface, inputs: Mapping[str, Any], prefix: str = ""
) -> graphs.Graph:
    """Run a body and keep its calls.

    Args:
        body: The function.
        signature: Its interface.
        inputs: What it is called with, promises or values.
        prefix: Begins the ids of the nodes.
    """
    tracer = Tracer(prefix)
    with calls.made_by(tracer):
        returned = body(**inputs)
        graph = graphs.Graph(nodes=tracer.nodes, outputs=bind_outputs(returned, signature, interface.where(body)))
    if tracer.depth != 1:
        raise errors.DefinitionError(
            f"{interface.where(body)}: a conditional has no else_(): end it with .else_().then(…) or .fail(…)"
        )
    check_ids(graph.nodes)
    graphs.check_order(graph.nodes)
    return graph


def bind_outputs(returned: Any, signature: interface.Interface, line: str) -> dict[str, bindings.Binding]:
    """Bind what a body returned to its declared outputs."""
    declared = signature.outputs
    if not declared:
        return {}
    if isinstance(returned, promises.NodeOutputs) and (
        len(declared) > 1 or signature.output_class is not None or len(returned) == 1
    ):
        returned = tuple(returned)
        if len(declared) == 1 and signature.output_class is None:
            (returned,) = returned
    try:
        values = signature.unwrap_outputs(returned)
    except errors.TypeMismatchError as cause:
        raise errors.TypeMismatchError(f"{line}: {cause}") from cause
    variables = signature.typed.outputs.variables
    return {
        name: bindings.bind(value, declared[name], variables[name].type, f"{line}: output {name!r}")
        for name, value in values.items()
    }


def check_ids(made: list[graphs.Node]) -> None:
    """Refuse two nodes of one id."""
    seen: dict[str, graphs.Node] = {}
    for node in made:
        other = seen.setdefault(node.id, node)
        if other is not node:
            raise errors.DefinitionError(
                f"{node.line}: the node id {node.id!r} is taken by the call at {other.line}; "
                f"give one of them another node_name"
            )

"""What a binding gives while a graph runs: constants, outputs of nodes, and parts of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from volant import errors
from volant.authoring import binding as bindings
from volant.authoring import node
from volant.authoring import promise as promises
from volant.types import containers, engine, plain
from volantidl.core import literals_pb2

Values = Mapping[str, literals_pb2.Literal]


class Results:
    """The inputs of a run and the outputs of its nodes, so far."""

    def __init__(self, inputs: Values) -> None:
        self.inputs = inputs
        self.of_nodes: dict[node.Node, Values] = {}

    def evaluate(self, bound: bindings.Binding) -> literals_pb2.Literal | None:
        """The value of a binding; None for an input that wasn't given."""
        if isinstance(bound, promises.Promise):
            return self._promise(bound)
        if isinstance(bound, bindings.BindingList):
            items = [self._present(item) for item in bound.items]
            return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))
        if isinstance(bound, bindings.BindingMap):
            mapped = {key: self._present(item) for key, item in bound.items.items()}
            return literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=mapped))
        return bound

    def _present(self, bound: bindings.Binding) -> literals_pb2.Literal:
        value = self.evaluate(bound)
        if value is None:
            raise errors.TypeMismatchError(f"{bound!r} has no value")
        return value

    def _promise(self, promise: promises.Promise) -> literals_pb2.Literal | None:
        values = self.inputs if promise.node is None else self.of_nodes[promise.node]
        found = values.get(promise._var)  # noqa: SLF001 - a promise's own names must not hide the value's
        path = promise._path  # noqa: SLF001
        return found if found is None or not path else part_of(found, path, repr(promise))


def part_of(literal: literals_pb2.Literal, path: tuple[Any, ...], subject: str) -> literals_pb2.Literal:
    """Follow an attribute path into a literal, as the platform does."""
    for place, step in enumerate(path):
        kind = literal.WhichOneof("value")
        try:
            if kind == "scalar":
                return _from_plain(plain.payload(literal), path[place:])
            literal = literal.collection.literals[step] if kind == "collection" else _entry(literal.map.literals, step)
        except (IndexError, KeyError, TypeError) as cause:
            raise errors.TypeMismatchError(f"{subject} has no part {step!r}") from cause
    return literal


def _entry(literals: Any, key: Any) -> literals_pb2.Literal:
    if key not in literals:
        raise KeyError(key)
    found: literals_pb2.Literal = literals[key]
    return found


def _from_plain(data: Any, path: tuple[Any, ...]) -> literals_pb2.Literal:
    for step in path:
        data = data[step]
    if isinstance(data, (bool, int, float, str)):
        return engine.to_literal(data, type(data))
    if data is None:
        return engine.to_literal(None, type(None))
    if isinstance(data, list):
        items = [_from_plain(item, ()) for item in data]
        return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))
    return containers.write_plain(data)

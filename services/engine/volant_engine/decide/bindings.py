"""Inputs of a node, or outputs of a workflow, from bindings and what nodes before it have put out."""

import re
from collections.abc import Iterable

from volant_engine.decide import attributes, graphs, state
from volantidl.core import literals_pb2, types_pb2

_INDEXED = re.compile(r"^\[(\d+)\]\.(.*)$", re.DOTALL)


class BindingError(Exception):
    """A binding leads to nothing: the user's graph, or what a task put out, is not what it should be."""

    def __init__(self, node_id: str, code: str, message: str) -> None:
        """Say at which node, as what and why, in the form of Flyte's messages."""
        super().__init__(f"failed at Node[{node_id}]. {code}: {message}")


class AbsentError(Exception):
    """Values are needed that are not in memory; fetch them, then try again."""

    def __init__(self, uri: str, *, is_map: bool) -> None:
        """What is needed is at `uri`: outputs (a literal map) or one offloaded literal."""
        super().__init__(uri)
        self.uri = uri
        self.is_map = is_map


class Values:
    """What was fetched for one resolution."""

    __slots__ = ("literals", "maps")

    def __init__(self) -> None:
        """Nothing yet."""
        self.maps: dict[str, literals_pb2.LiteralMap] = {}
        self.literals: dict[str, literals_pb2.Literal] = {}


_EMPTY = Values()


def resolve(
    scope: state.Scope,
    node_id: str,
    bindings: Iterable[tuple[str, literals_pb2.BindingData]],
    values: Values | None = None,
) -> literals_pb2.LiteralMap:
    """The literals of the `bindings` of a node within `scope`.

    Raises:
        BindingError: one of them leads to nothing.
        AbsentError: a value must be fetched into `values` first.
    """
    result = literals_pb2.LiteralMap()
    target = result.literals
    known = values or _EMPTY
    for var, binding in bindings:
        try:
            _fill(target[var], scope, binding, known)
        except BindingError as wrong:
            message = f"Error binding Var [wf].[{var}], caused by: {wrong}"
            raise BindingError(node_id, "BindingResolutionError", message) from wrong
    return result


def given(driven: graphs.Driven, values: Values | None = None) -> literals_pb2.LiteralMap:
    """The inputs that a driver gave to a node; AbsentError as `resolve`."""
    if driven.inputs is not None:
        return driven.inputs
    found = (values or _EMPTY).maps.get(driven.inputs_uri)
    if found is None:
        raise AbsentError(driven.inputs_uri, is_map=True)
    return found


def _fill(target: literals_pb2.Literal, scope: state.Scope, binding: literals_pb2.BindingData, values: Values) -> None:
    kind = binding.WhichOneof("value")
    if kind == "promise":
        target.CopyFrom(_promised(scope, binding.promise, values))
    elif kind == "scalar":
        target.scalar.CopyFrom(binding.scalar)
    elif kind == "collection":
        target.collection.SetInParent()
        for item in binding.collection.bindings:
            _fill(target.collection.literals.add(), scope, item, values)
    elif kind == "map":
        target.map.SetInParent()
        for key, item in binding.map.bindings.items():
            _fill(target.map.literals[key], scope, item, values)
    elif kind == "offloaded_metadata":
        target.offloaded_metadata.CopyFrom(binding.offloaded_metadata)
    else:
        raise BindingError("missing", "BadSpecificationError", "the binding is empty")


def _promised(scope: state.Scope, promise: types_pb2.OutputReference, values: Values) -> literals_pb2.Literal:
    node_id, var = promise.node_id, promise.var
    if node_id in {"", graphs.START}:
        node_id, spec, outputs = graphs.START, scope.graph.start, scope.inputs
    else:
        index = scope.graph.by_id.get(node_id)
        node = scope.nodes[index] if index is not None else None
        if node is None:
            raise BindingError(node_id, "IllegalStateError", "the node is not defined in the workflow, or has not run")
        spec = node.spec
        outputs = outputs_of(node, values)
    matched = _INDEXED.match(var) if var.startswith("[") else None
    if matched:
        var = matched.group(2)
    var = spec.aliases.get(var, var)
    found = outputs.literals.get(var)
    if found is None:
        raise BindingError(node_id, "OutputsNotFoundError", f"Failed to find [{node_id}].[{var}]")
    if matched:
        found = _element(found, int(matched.group(1)), node_id, var)
    if promise.attr_path:
        try:
            return attributes.resolve(found, promise.attr_path, values.literals)
        except attributes.OffloadedError as offloaded:
            raise AbsentError(offloaded.uri, is_map=False) from offloaded
        except attributes.PathError as wrong:
            raise BindingError(node_id, "PromiseAttributeResolveError", str(wrong)) from wrong
    return found


def outputs_of(node: state.Node, values: Values) -> literals_pb2.LiteralMap:
    """What a node that ended well has put out."""
    if node.outputs is not None:
        return node.outputs
    if not node.output_uri:
        return literals_pb2.LiteralMap()
    if node.output_uri not in values.maps:
        raise AbsentError(node.output_uri, is_map=True)
    return values.maps[node.output_uri]


def _element(literal: literals_pb2.Literal, index: int, node_id: str, var: str) -> literals_pb2.Literal:
    if literal.WhichOneof("value") != "collection":
        message = f"[{node_id}].[{var}] is no collection, so it has no element [{index}]"
        raise BindingError(node_id, "BadSpecificationError", message)
    if index >= len(literal.collection.literals):
        raise BindingError(node_id, "OutputsNotFoundError", f"Failed to find [{node_id}[{index}].{var}]")
    return literal.collection.literals[index]

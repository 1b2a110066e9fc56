"""Attribute paths: `promise.field["key"][0]` resolved within a literal (contract row 2.045)."""

from collections.abc import Sequence
from typing import Any

import msgpack
from google.protobuf import json_format, struct_pb2

from volant_core.model import literals
from volant_engine.decide import wording
from volantidl.core import literals_pb2, types_pb2

MSGPACK = "msgpack"


class PathError(Exception):
    """There is nothing at the path."""


class OffloadedError(Exception):
    """The path leads through a literal that is kept elsewhere; read it first."""

    def __init__(self, uri: str) -> None:
        """The literal is at `uri`."""
        super().__init__(uri)
        self.uri = uri


def resolve(
    literal: literals_pb2.Literal,
    path: Sequence[types_pb2.PromiseAttribute],
    loaded: dict[str, literals_pb2.Literal],
) -> literals_pb2.Literal:
    """What is at `path` in `literal`; `loaded` holds offloaded literals that have been read."""
    current = literal
    for depth, attribute in enumerate(path):
        current = read_through(current, loaded)
        kind = current.WhichOneof("value")
        if kind == "map":
            key = attribute.string_value
            if key not in current.map.literals:
                raise PathError(f"key [{key}] does not exist in literal {wording.of(current.map.literals)}")
            current = current.map.literals[key]
        elif kind == "collection":
            index, items = attribute.int_value, current.collection.literals
            if not 0 <= index < len(items):
                raise PathError(f"index [{index}] is out of range of {wording.of(items)}")
            current = current.collection.literals[index]
        else:
            return _within_scalar(current, path[depth:])
    return current


def read_through(literal: literals_pb2.Literal, loaded: dict[str, literals_pb2.Literal]) -> literals_pb2.Literal:
    """The literal itself, or what it stands for when it is kept elsewhere."""
    if literal.WhichOneof("value") != "offloaded_metadata":
        return literal
    uri = literal.offloaded_metadata.uri
    if uri not in loaded:
        raise OffloadedError(uri)
    return loaded[uri]


def _within_scalar(literal: literals_pb2.Literal, path: Sequence[types_pb2.PromiseAttribute]) -> literals_pb2.Literal:
    kind = literal.scalar.WhichOneof("value")
    if kind == "union":
        return resolve(literal.scalar.union.value, path, {})
    if kind == "generic":
        value = json_format.MessageToDict(literal.scalar.generic)
        return _of_struct(_walk(value, path))
    if kind == "binary":
        binary = literal.scalar.binary
        if binary.tag != MSGPACK:
            raise PathError(
                f"Unsupported format '{binary.tag}' found for literal value; only msgpack can be looked into"
            )
        try:
            value = msgpack.unpackb(binary.value, strict_map_key=False)
        except (ValueError, msgpack.UnpackException) as broken:
            raise PathError(f"the value is not valid msgpack: {broken}") from broken
        return _of_msgpack(_walk(value, path))
    raise PathError(f"a value of kind {kind or 'none'} has no attributes")


def _walk(value: Any, path: Sequence[types_pb2.PromiseAttribute]) -> Any:
    for attribute in path:
        if isinstance(value, dict):
            by_name = attribute.WhichOneof("value") == "string_value"
            key = attribute.string_value if by_name else attribute.int_value
            if key not in value:
                raise PathError(f"key [{key}] does not exist in literal {wording.of(value)}")
            value = value[key]
        elif isinstance(value, list):
            index = attribute.int_value
            if attribute.WhichOneof("value") != "int_value" or not 0 <= index < len(value):
                raise PathError(f"index [{attribute.string_value or index}] is out of range of {wording.of(value)}")
            value = value[index]
        else:
            raise PathError(f"a {type(value).__name__} has no attributes")
    return value


def _primitive(value: Any) -> literals_pb2.Literal | None:
    if isinstance(value, bool):
        primitive = literals_pb2.Primitive(boolean=value)
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise PathError(f"the integer {value} does not fit into 64 bits")
        primitive = literals_pb2.Primitive(integer=value)
    elif isinstance(value, float):
        primitive = literals_pb2.Primitive(float_value=value)
    elif isinstance(value, str):
        primitive = literals_pb2.Primitive(string_value=value)
    else:
        return None
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=primitive))


def _of_struct(value: Any) -> literals_pb2.Literal:
    """Numbers of a Struct have no integers: they become floats."""
    if isinstance(value, list):
        items = [_of_struct(item) for item in value]
        return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))
    if isinstance(value, dict):
        struct = struct_pb2.Struct()
        json_format.ParseDict(value, struct)
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(generic=struct))
    if isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    found = _primitive(value)
    return found if found is not None else literals.none()


def _of_msgpack(value: Any) -> literals_pb2.Literal:
    """Lists become collections (array nodes need them), the rest of what is not a primitive stays msgpack."""
    if isinstance(value, list):
        items = [_packed(item) for item in value]
        return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))
    found = _primitive(value)
    return found if found is not None else _packed(value)


def _packed(value: Any) -> literals_pb2.Literal:
    binary = literals_pb2.Binary(value=msgpack.packb(value), tag=MSGPACK)
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=binary))

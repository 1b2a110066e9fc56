"""Lists, dictionaries and unions."""

from __future__ import annotations

import collections.abc
import os
import typing
from typing import Any

from google.protobuf import json_format, struct_pb2

from volant import errors
from volant.types import annotated, engine, plain, transformer
from volantidl.core import literals_pb2, types_pb2

MSGPACK_ANNOTATION = {"cache-key-metadata": {"serialization-format": "msgpack"}}
"""The type annotation of what is encoded as msgpack: it tells the cache how to compare values."""


def struct_type(metadata: dict[str, Any] | None = None) -> types_pb2.LiteralType:
    """STRUCT, as msgpack, optionally with a JSON schema."""
    result = types_pb2.LiteralType(simple=types_pb2.SimpleType.STRUCT)
    result.annotation.annotations.update(MSGPACK_ANNOTATION)
    if metadata is not None:
        result.metadata.update(metadata)
    return result


def use_old_format() -> bool:
    """Whether plain data is to be written in the older form, for readers that know only that."""
    return os.environ.get("FLYTE_USE_OLD_DC_FORMAT", "").lower() in {"true", "t", "1", "yes"}


def write_plain(data: Any) -> literals_pb2.Literal:
    """A literal for plain data, in the form that is asked for."""
    if use_old_format():
        generic = json_format.ParseDict(data, struct_pb2.Struct())
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(generic=generic))
    return plain.pack(data)


class ListTransformer(transformer.Transformer):
    """`list[T]`, and iterators, which are read into a list."""

    name = "Typed List"

    def item_type(self, python_type: Any) -> Any:
        """The type of the items; Any for a bare `list`."""
        args = typing.get_args(annotated.bare(python_type))
        return args[0] if args else Any

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """A collection of the item's type."""
        return types_pb2.LiteralType(collection_type=engine.literal_type(self.item_type(python_type)))

    def accept(self, value: Any, python_type: Any) -> Any:
        """A list whose items are accepted."""
        if not isinstance(value, list):
            raise transformer.mismatch(python_type, value)
        item = self.item_type(python_type)
        return value if item is Any else [engine.accept(one, item) for one in value]

    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:
        """A collection."""
        if not isinstance(value, list):
            raise transformer.mismatch(python_type, value)
        item = self.item_type(python_type)
        convert = engine.lookup(item).to_literal if not annotated.extras(item) else engine.to_literal
        literals = [convert(one, item, expected.collection_type) for one in value]
        return literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=literals))

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """A list."""
        kind = literal.WhichOneof("value")
        if kind == "scalar" and literal.scalar.WhichOneof("value") in {"binary", "generic"}:
            return plain.from_plain(plain.payload(literal), python_type)
        if kind != "collection":
            raise transformer.undecodable(python_type, literal)
        item = self.item_type(python_type)
        return [engine.to_python(one, item) for one in literal.collection.literals]

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:
        """A list of the guessed item type."""
        if literal_type.WhichOneof("type") != "collection_type":
            return None
        return list[engine.guess_python_type(literal_type.collection_type)]  # type: ignore[misc]


class IteratorTransformer(ListTransformer):
    """`Iterator[T]`: a collection, given to the task as an iterator."""

    name = "Typed Iterator"

    def accept(self, value: Any, python_type: Any) -> Any:  # noqa: ARG002
        """Anything that can be iterated over."""
        return iter(value)

    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:
        """A collection of what it yields."""
        return super().to_literal(list(value), python_type, expected)

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """An iterator."""
        return iter(super().to_python(literal, python_type))

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:  # noqa: ARG002 - a list stands for collections
        """Nothing."""
        return None


class DictTransformer(transformer.Transformer):
    """`dict[str, T]` as a map; other dictionaries as plain data."""

    name = "Typed Dict"

    def value_type(self, python_type: Any) -> Any:
        """The type of the values where the keys are text, else None."""
        args = typing.get_args(annotated.bare(python_type))
        return args[1] if len(args) == 2 and args[0] is str else None

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """A map, or a struct."""
        value = self.value_type(python_type)
        if value is None:
            return struct_type()
        return types_pb2.LiteralType(map_value_type=engine.literal_type(value))

    def accept(self, value: Any, python_type: Any) -> Any:
        """A dictionary whose values are accepted."""
        if not isinstance(value, collections.abc.Mapping):
            raise transformer.mismatch(python_type, value)
        item = self.value_type(python_type)
        if item is None:
            return value
        for key in value:
            if not isinstance(key, str):
                raise transformer.mismatch(python_type, value, f"The key {key!r} is not text")
        return {key: engine.accept(one, item) for key, one in value.items()}

    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:
        """A map, or plain data."""
        if not isinstance(value, collections.abc.Mapping):
            raise transformer.mismatch(python_type, value)
        item = self.value_type(python_type)
        if item is None:
            if typing.get_args(annotated.bare(python_type)):
                return write_plain(plain.to_plain(value, python_type))
            return write_plain(plain.of_any(dict(value)))
        literals = {}
        for key, one in value.items():
            if not isinstance(key, str):
                raise transformer.mismatch(python_type, value, f"The key {key!r} is not text")
            engine.accept(key, str)
            literals[key] = engine.to_literal(one, item, expected.map_value_type)
        return literals_pb2.Literal(map=literals_pb2.LiteralMap(literals=literals))

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """A dictionary."""
        item = self.value_type(python_type)
        kind = literal.WhichOneof("value")
        if kind == "map":
            if item is None:
                args = typing.get_args(annotated.bare(python_type))
                item = args[1] if args else None
            return {
                key: engine.to_python(one, item if item is not None else kind_of(one))
                for key, one in literal.map.literals.items()
            }
        if kind == "scalar" and literal.scalar.WhichOneof("value") in {"binary", "generic"}:
            return self._from_scalar(literal, python_type)
        raise transformer.undecodable(python_type, literal)

    def _from_scalar(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        data = plain.payload(literal)
        if literal.metadata.get("format") == "pickle" and isinstance(data, dict) and "pickle_file" in data:
            blob = literals_pb2.Literal(scalar=literals_pb2.Scalar(blob=literals_pb2.Blob(uri=data["pickle_file"])))
            return engine.to_python(blob, Any)
        if not isinstance(data, dict):
            raise transformer.mismatch(python_type, data)
        return plain.from_plain(data, python_type) if typing.get_args(annotated.bare(python_type)) else data

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:
        """A dictionary."""
        kind = literal_type.WhichOneof("type")
        if kind == "map_value_type":
            return dict[str, engine.guess_python_type(literal_type.map_value_type)]  # type: ignore[misc]
        return dict if kind == "simple" and literal_type.simple == types_pb2.SimpleType.STRUCT else None


def kind_of(literal: literals_pb2.Literal) -> Any:
    """A Python type for a value whose type is not declared."""
    kind = literal.WhichOneof("value")
    if kind == "collection":
        return list[Any]
    if kind == "map":
        return dict
    scalar = literal.scalar.WhichOneof("value")
    if scalar == "primitive":
        field = literal.scalar.primitive.WhichOneof("value")
        return {"integer": int, "float_value": float, "string_value": str, "boolean": bool}.get(str(field), Any)
    return dict if scalar in {"binary", "generic"} else Any


class UnionTransformer(transformer.Transformer):
    """`Union`, `Optional` and `A | B`."""

    name = "Typed Union"

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """The variants, each tagged with the name of its transformer."""
        variants = [self._variant(one) for one in typing.get_args(annotated.bare(python_type))]
        return types_pb2.LiteralType(union_type=types_pb2.UnionType(variants=variants))

    def _variant(self, python_type: Any) -> types_pb2.LiteralType:
        result = types_pb2.LiteralType()
        result.CopyFrom(engine.literal_type(python_type))
        result.structure.Clear()
        result.structure.tag = engine.lookup(python_type).name
        return result

    def _ordered(self, value: Any, python_type: Any) -> list[Any]:
        """The variants, those first whose outermost type the value already has."""
        args = typing.get_args(annotated.bare(python_type))
        exact = [one for one in args if type(value) is (typing.get_origin(annotated.bare(one)) or annotated.bare(one))]
        fitting = [one for one in args if one not in exact and plain.fits(value, one)]
        return [*exact, *fitting, *(one for one in args if one not in exact and one not in fitting)]

    def accept(self, value: Any, python_type: Any) -> Any:
        """What the first variant that accepts the value makes of it."""
        for one in self._ordered(value, python_type):
            try:
                return engine.accept(value, one)
            except errors.TypeMismatchError:
                continue
        raise transformer.mismatch(python_type, value)

    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:  # noqa: ARG002
        """The value as its variant, which is named beside it."""
        for one in self._ordered(value, python_type):
            try:
                engine.accept(value, one)
                inner = engine.to_literal(value, one)
            except errors.TypeMismatchError:
                continue
            union = literals_pb2.Union(value=inner, type=self._variant(one))
            return literals_pb2.Literal(scalar=literals_pb2.Scalar(union=union), hash=inner.hash)
        raise transformer.mismatch(python_type, value)

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """Whatever variant is stored."""
        variants = typing.get_args(annotated.bare(python_type))
        if literal.scalar.WhichOneof("value") in {"binary", "generic"}:
            return plain.from_plain(plain.payload(literal), python_type)
        if literal.scalar.WhichOneof("value") == "union":
            stored = literal.scalar.union.type
            literal = literal.scalar.union.value
            variants = self._matching(variants, stored) or variants
        for one in variants:
            try:
                return engine.to_python(literal, one)
            except errors.TypeMismatchError:
                continue
        raise transformer.undecodable(python_type, literal)

    def _matching(self, variants: tuple[Any, ...], stored: types_pb2.LiteralType) -> tuple[Any, ...]:
        tagged = tuple(one for one in variants if engine.lookup(one).name == stored.structure.tag)
        exact = tuple(one for one in tagged if self._variant(one) == stored)
        return exact or tagged

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:
        """A union of the guessed variants."""
        if literal_type.WhichOneof("type") != "union_type":
            return None
        return typing.Union[tuple(engine.guess_python_type(one) for one in literal_type.union_type.variants)]  # noqa: UP007


engine.register(ListTransformer(), list)
engine.register(IteratorTransformer(), collections.abc.Iterator)
engine.register(DictTransformer(), dict)
engine.register(UnionTransformer(), typing.Union)

"""Dataclasses: plain data with a JSON schema."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from volant import errors
from volant.types import annotated, containers, engine, plain, schema, transformer
from volantidl.core import literals_pb2, types_pb2


class DataclassTransformer(transformer.Transformer):
    """Any dataclass; its fields may hold whatever plain data can, files and frames included."""

    name = "Object-Dataclass-Transformer"

    def __init__(self) -> None:
        self._building: set[Any] = set()

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """STRUCT with a schema, and the type of each field for attribute access."""
        python_type = annotated.bare(python_type)
        result = containers.struct_type(schema.of(python_type))
        if python_type in self._building:  # a class that contains itself
            return result
        self._building.add(python_type)
        try:
            hints = plain.hints_of(python_type)
            for field in dataclasses.fields(typing.get_origin(python_type) or python_type):
                if _is_tuple(hints[field.name]):  # other SDKs have no type for it; the schema says what it is
                    continue
                result.structure.dataclass_type[field.name].CopyFrom(engine.literal_type(hints[field.name]))
        finally:
            self._building.discard(python_type)
        return result

    def accept(self, value: Any, python_type: Any) -> Any:
        """An instance, or a dictionary of its fields."""
        python_type = annotated.bare(python_type)
        kind = typing.get_origin(python_type) or python_type
        if isinstance(value, kind):
            return value
        if isinstance(value, dict):
            return plain.from_plain(value, python_type)
        raise transformer.mismatch(python_type, value)

    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:  # noqa: ARG002
        """Plain data."""
        python_type = annotated.bare(python_type)
        return containers.write_plain(plain.to_plain(self.accept(value, python_type), python_type))

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """An instance."""
        if literal.scalar.WhichOneof("value") not in {"binary", "generic"}:
            raise transformer.undecodable(python_type, literal)
        data = plain.payload(literal)
        if not isinstance(data, dict):
            raise errors.TypeMismatchError(
                f"expected the fields of {transformer.describe(python_type)}, found {transformer.excerpt(data)}"
            )
        return plain.from_plain(data, annotated.bare(python_type))


def _is_tuple(python_type: Any) -> bool:
    kind = typing.get_origin(annotated.bare(python_type)) or annotated.bare(python_type)
    return isinstance(kind, type) and issubclass(kind, tuple)


engine.register_fallback("dataclass", DataclassTransformer())

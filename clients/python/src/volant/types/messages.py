"""Protobuf messages as values."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format, message, struct_pb2

from volant.types import annotated, engine, plain, transformer
from volantidl.core import literals_pb2, types_pb2


class MessageTransformer(transformer.Transformer):
    """Messages, as Structs of their JSON form."""

    name = "Protobuf-Transformer"

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """STRUCT that names the class."""
        kind = annotated.bare(python_type)
        result = types_pb2.LiteralType(simple=types_pb2.SimpleType.STRUCT)
        result.metadata.update({"pb_type": f"{kind.__module__}.{kind.__name__}"})
        return result

    def to_literal(
        self,
        value: Any,
        python_type: Any,
        expected: types_pb2.LiteralType,  # noqa: ARG002
    ) -> literals_pb2.Literal:
        """A Struct."""
        self.accept(value, annotated.bare(python_type))
        generic = json_format.ParseDict(json_format.MessageToDict(value), struct_pb2.Struct())
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(generic=generic))

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """A message."""
        if literal.scalar.WhichOneof("value") not in {"binary", "generic"}:
            raise transformer.undecodable(python_type, literal)
        return json_format.ParseDict(plain.payload(literal), annotated.bare(python_type)())


engine.register(MessageTransformer(), message.Message)

"""The error that a failure handler is given."""

from __future__ import annotations

import dataclasses
from typing import Any

from volant.types import engine, transformer
from volantidl.core import literals_pb2, types_pb2


@dataclasses.dataclass(frozen=True)
class FlyteError:
    """What failed: an input of type `Optional[FlyteError]` of an on_failure task gets it."""

    message: str
    failed_node_id: str


class ErrorTransformer(transformer.Transformer):
    """FlyteError."""

    name = "error"

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:  # noqa: ARG002
        """ERROR."""
        return types_pb2.LiteralType(simple=types_pb2.SimpleType.ERROR)

    def to_literal(
        self,
        value: Any,
        python_type: Any,
        expected: types_pb2.LiteralType,  # noqa: ARG002
    ) -> literals_pb2.Literal:
        """The error scalar."""
        if not isinstance(value, FlyteError):
            raise transformer.mismatch(python_type, value)
        error = types_pb2.Error(message=value.message, failed_node_id=value.failed_node_id)
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(error=error))

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """From the error scalar."""
        if literal.scalar.WhichOneof("value") != "error":
            raise transformer.undecodable(python_type, literal)
        return FlyteError(literal.scalar.error.message, literal.scalar.error.failed_node_id)

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:
        """FlyteError."""
        is_ours = literal_type.WhichOneof("type") == "simple" and literal_type.simple == types_pb2.SimpleType.ERROR
        return FlyteError if is_ours else None


engine.register(ErrorTransformer(), FlyteError)

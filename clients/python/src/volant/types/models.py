"""pydantic's models. Imported when a type of pydantic (or a model) is first used."""

from __future__ import annotations

import json
from typing import Any

import pydantic

from volant import errors
from volant.types import annotated, containers, engine, plain, schema, transformer
from volantidl.core import literals_pb2, types_pb2


class ModelTransformer(transformer.Transformer):
    """Models, as plain data with pydantic's own schema."""

    name = "Pydantic Transformer"

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """STRUCT with the model's schema, and the type of each field for attribute access."""
        model = annotated.bare(python_type)
        result = containers.struct_type(model.model_json_schema())
        for name, field in model.model_fields.items():
            result.structure.dataclass_type[name].CopyFrom(engine.literal_type(field.annotation))
        return result

    def accept(self, value: Any, python_type: Any) -> Any:
        """An instance, or a dictionary of its fields."""
        model = annotated.bare(python_type)
        if isinstance(value, model):
            return value
        if isinstance(value, dict):
            return _validated(model, value)
        raise transformer.mismatch(python_type, value)

    def to_literal(
        self,
        value: Any,
        python_type: Any,
        expected: types_pb2.LiteralType,  # noqa: ARG002
    ) -> literals_pb2.Literal:
        """Plain data."""
        return containers.write_plain(_dumped(self.accept(value, python_type)))

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """An instance."""
        if literal.scalar.WhichOneof("value") not in {"binary", "generic"}:
            raise transformer.undecodable(python_type, literal)
        return _validated(annotated.bare(python_type), plain.payload(literal))


def _dumped(value: Any) -> Any:
    return json.loads(value.model_dump_json())


def _validated(model: Any, data: Any) -> Any:
    try:
        return model.model_validate_json(json.dumps(data), strict=False)
    except (pydantic.ValidationError, TypeError) as cause:
        raise errors.TypeMismatchError(f"{transformer.describe(model)}: {cause}") from cause


engine.register(ModelTransformer(), pydantic.BaseModel)
plain.register(pydantic.BaseModel, lambda value, _: _dumped(value), lambda data, kind: _validated(kind, data))
schema.register(pydantic.BaseModel, lambda: {"type": "object"})

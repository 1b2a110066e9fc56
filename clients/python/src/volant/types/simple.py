"""Types that are one primitive of the contract: numbers, text, truth values, times, None, enumerations, Literal."""

from __future__ import annotations

import datetime
import enum
import numbers
import typing
from collections.abc import Callable
from typing import Any

from google.protobuf import duration_pb2, timestamp_pb2

from volant import errors
from volant.types import annotated, engine, plain, transformer
from volantidl.core import literals_pb2, types_pb2

_INT64 = 2**63
_SIMPLE = types_pb2.SimpleType


def primitive(**value: Any) -> literals_pb2.Literal:
    """A literal that holds one primitive."""
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(**value)))


class SimpleTransformer(transformer.Transformer):
    """One Python type, one simple type, one primitive field."""

    def __init__(
        self,
        name: str,
        python_type: Any,
        simple: types_pb2.SimpleType.ValueType,
        field: str,
        encode: Callable[[Any], Any],
        decode: Callable[[Any], Any],
    ) -> None:
        self.name = name
        self._python_type = python_type
        self._type = types_pb2.LiteralType(simple=simple)
        self._field = field
        self._encode = encode
        self._decode = decode

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:  # noqa: ARG002
        """The simple type."""
        return self._type

    def accept(self, value: Any, python_type: Any) -> Any:  # noqa: ARG002
        """The value, numpy scalars turned into Python's."""
        return self._encode(value)

    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:  # noqa: ARG002
        """One primitive."""
        return self.primitive_of(self._encode(value))

    def primitive_of(self, checked: Any) -> literals_pb2.Literal:
        """The literal of a value that was checked."""
        return primitive(**{self._field: checked})

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """From the primitive, or from data that an attribute access gave."""
        kind = literal.scalar.WhichOneof("value")
        if kind == "primitive":
            field = literal.scalar.primitive.WhichOneof("value")
            if field == self._field:
                return self._decode(getattr(literal.scalar.primitive, field))
            if self._field == "float_value" and field == "integer":
                return float(literal.scalar.primitive.integer)
        if kind in {"binary", "generic"}:
            return plain.from_plain(plain.payload(literal), self._python_type)
        if kind == "union":
            return self.to_python(literal.scalar.union.value, python_type)
        raise transformer.undecodable(self._python_type, literal)

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:
        """The type itself."""
        if literal_type.WhichOneof("type") == "simple" and literal_type.simple == self._type.simple:
            return self._python_type
        return None


class _TimeTransformer(SimpleTransformer):
    """Primitives that are messages."""

    def primitive_of(self, checked: Any) -> literals_pb2.Literal:
        if isinstance(checked, datetime.timedelta):
            duration = duration_pb2.Duration()
            duration.FromTimedelta(checked)
            return primitive(duration=duration)
        stamp = timestamp_pb2.Timestamp()
        stamp.FromDatetime(checked)
        return primitive(datetime=stamp)


def _int(value: Any) -> int:
    if type(value) is not int:
        if (
            isinstance(value, bool)
            or type(value).__name__ in {"bool_", "bool"}
            or not isinstance(value, numbers.Integral)
        ):
            raise transformer.mismatch(int, value)
        value = int(value)
    if not -_INT64 <= value < _INT64:
        raise errors.TypeMismatchError(
            f"the integer {transformer.excerpt(value)} does not fit into 64 bits; pass it as str"
        )
    return typing.cast("int", value)


def _float(value: Any) -> float:
    if type(value) is float:
        return value
    if isinstance(value, bool) or type(value).__name__ == "bool_" or not isinstance(value, numbers.Real):
        raise transformer.mismatch(float, value)
    try:
        return float(value)
    except OverflowError as cause:
        raise errors.TypeMismatchError(
            f"the number {transformer.excerpt(value)} does not fit into a float; pass it as str"
        ) from cause


def _bool(value: Any) -> bool:
    if type(value) is bool:
        return value
    if type(value).__module__ == "numpy" and type(value).__name__ in {"bool_", "bool"}:
        return bool(value)
    raise transformer.mismatch(bool, value)


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise transformer.mismatch(str, value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as cause:
            raise errors.TypeMismatchError(
                f"the text {transformer.excerpt(value)} holds half a character (a surrogate), which no encoding has; "
                f"pass bytes, or text decoded with errors='replace'"
            ) from cause
    return value


def _datetime(value: Any) -> datetime.datetime:
    if not isinstance(value, datetime.datetime):
        raise transformer.mismatch(datetime.datetime, value)
    if value.tzinfo is None:
        return value.replace(tzinfo=datetime.UTC)
    return value.astimezone(datetime.UTC)


def _date(value: Any) -> datetime.datetime:
    if isinstance(value, datetime.datetime) or not isinstance(value, datetime.date):
        raise transformer.mismatch(datetime.date, value)
    return datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC)


class _DateTransformer(_TimeTransformer):
    def accept(self, value: Any, python_type: Any) -> Any:  # noqa: ARG002
        _date(value)
        return value

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:  # noqa: ARG002 - a DATETIME is rather a datetime
        return None


def _timedelta(value: Any) -> datetime.timedelta:
    if not isinstance(value, datetime.timedelta):
        raise transformer.mismatch(datetime.timedelta, value)
    return value


def _to_datetime(stamp: Any) -> datetime.datetime:
    return typing.cast("datetime.datetime", stamp.ToDatetime(tzinfo=datetime.UTC))


class NoneTransformer(transformer.Transformer):
    """None."""

    name = "none"

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:  # noqa: ARG002
        """NONE."""
        return types_pb2.LiteralType(simple=_SIMPLE.NONE)

    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:  # noqa: ARG002
        """The void scalar."""
        if value is not None:
            raise transformer.mismatch(type(None), value)
        return literals_pb2.Literal(scalar=literals_pb2.Scalar(none_type=literals_pb2.Void()))

    def accept(self, value: Any, python_type: Any) -> Any:  # noqa: ARG002
        """None."""
        if value is not None:
            raise transformer.mismatch(type(None), value)
        return value

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """None."""
        kind = literal.scalar.WhichOneof("value")
        if kind == "none_type":
            return None
        if kind in {"binary", "generic"} and plain.payload(literal) is None:
            return None
        raise transformer.undecodable(python_type, literal)

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:
        """NoneType."""
        is_none = literal_type.WhichOneof("type") == "simple" and literal_type.simple == _SIMPLE.NONE
        return type(None) if is_none else None


class EnumTransformer(transformer.Transformer):
    """Enumerations whose values are text."""

    name = "DefaultEnumTransformer"

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """The values in their order of definition."""
        values = [member.value for member in annotated.bare(python_type)]
        return types_pb2.LiteralType(enum_type=types_pb2.EnumType(values=values))

    def accept(self, value: Any, python_type: Any) -> Any:
        """The member, also for its value."""
        kind = annotated.bare(python_type)
        if isinstance(value, kind):
            return value
        try:
            return kind(value)
        except ValueError as cause:
            allowed = ", ".join(repr(member.value) for member in kind)
            raise transformer.mismatch(python_type, value, f"Allowed: {allowed}") from cause

    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:  # noqa: ARG002
        """The value as text."""
        return primitive(string_value=self.accept(value, python_type).value)

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """The member."""
        kind = literal.scalar.WhichOneof("value")
        if kind in {"binary", "generic"}:
            return self.accept(plain.payload(literal), python_type)
        if kind != "primitive" or literal.scalar.primitive.WhichOneof("value") != "string_value":
            raise transformer.undecodable(python_type, literal)
        return self.accept(literal.scalar.primitive.string_value, python_type)

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:
        """An enumeration made from the values."""
        if literal_type.WhichOneof("type") != "enum_type":
            return None
        return enum.Enum("Choice", {value: value for value in literal_type.enum_type.values})


class LiteralTransformer(transformer.Transformer):
    """`Literal["a", "b"]`."""

    name = "LiteralTypeTransformer"

    def _base(self, python_type: Any) -> Any:
        kinds = {type(choice) for choice in typing.get_args(annotated.bare(python_type))}
        if len(kinds) != 1:
            raise errors.TypeMismatchError(f"the values of {transformer.describe(python_type)} must be of one type")
        return kinds.pop()

    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """The simple type of the choices, which stand in the annotation."""
        result = types_pb2.LiteralType()
        result.CopyFrom(engine.literal_type(self._base(python_type)))
        result.annotation.annotations.update({"literal_values": list(typing.get_args(annotated.bare(python_type)))})
        return result

    def accept(self, value: Any, python_type: Any) -> Any:
        """One of the choices."""
        choices = typing.get_args(annotated.bare(python_type))
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            raise transformer.mismatch(python_type, value)
        return value

    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:  # noqa: ARG002
        """As its base type."""
        return engine.to_literal(self.accept(value, python_type), self._base(python_type))

    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """One of the choices."""
        return self.accept(engine.to_python(literal, self._base(python_type)), python_type)


def _same(value: Any) -> Any:
    return value


engine.register(SimpleTransformer("int", int, _SIMPLE.INTEGER, "integer", _int, int), int)
engine.register(SimpleTransformer("float", float, _SIMPLE.FLOAT, "float_value", _float, float), float)
engine.register(SimpleTransformer("bool", bool, _SIMPLE.BOOLEAN, "boolean", _bool, bool), bool)
engine.register(SimpleTransformer("str", str, _SIMPLE.STRING, "string_value", _str, _same), str)
engine.register(
    _TimeTransformer("datetime", datetime.datetime, _SIMPLE.DATETIME, "datetime", _datetime, _to_datetime),
    datetime.datetime,
)
engine.register(
    _DateTransformer(
        "date", datetime.date, _SIMPLE.DATETIME, "datetime", _date, lambda stamp: _to_datetime(stamp).date()
    ),
    datetime.date,
)
engine.register(
    _TimeTransformer(
        "timedelta", datetime.timedelta, _SIMPLE.DURATION, "duration", _timedelta, lambda value: value.ToTimedelta()
    ),
    datetime.timedelta,
)
engine.register(NoneTransformer(), type(None))
engine.register_fallback("enum", EnumTransformer())
engine.register_fallback("literal", LiteralTransformer())

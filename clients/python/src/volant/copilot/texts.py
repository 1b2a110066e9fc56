"""Literals of simple types as text, written and read as Flyte does."""

from __future__ import annotations

import base64
import datetime
import decimal
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import duration_pb2, json_format, struct_pb2, timestamp_pb2

from volant import errors
from volantidl.core import literals_pb2, types_pb2

_SIMPLE = types_pb2.SimpleType
_BLANKS = " \n\t\r"
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9.]+([eE][+-]?[0-9]+)?|inf(inity)?|nan)", re.IGNORECASE)
_TRUE, _FALSE = {"1", "t", "true"}, {"0", "f", "false"}
_UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3, "μs": 10**3, "ns": 1}
_PIECE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_CLOCK = re.compile(r"(?:(-?[0-9]+) days?, )?([0-9]+):([0-9]{2}):([0-9]{2}(?:\.[0-9]+)?)")
"""How Python writes a timedelta."""

NAMES: Mapping[int, str] = {
    _SIMPLE.INTEGER: "an integer, such as 42",
    _SIMPLE.FLOAT: "a number, such as 1.5",
    _SIMPLE.BOOLEAN: "true or false",
    _SIMPLE.STRING: "text in UTF-8",
    _SIMPLE.DATETIME: "a time as RFC 3339 has it, such as 2026-11-23T20:15:00Z",
    _SIMPLE.DURATION: "a duration, such as 1h30m or 2.5s",
    _SIMPLE.STRUCT: "a JSON object",
    _SIMPLE.BINARY: "bytes (MessagePack)",
    _SIMPLE.NONE: "anything",
    _SIMPLE.ERROR: "text in UTF-8",
}
"""What the file of an output of such a type holds."""


def plain(primitive: literals_pb2.Primitive) -> Any:
    """A primitive as a value of JSON."""
    kind = primitive.WhichOneof("value")
    if kind is None:
        return None
    if kind in {"datetime", "duration"}:
        return text_of(primitive)
    value = getattr(primitive, kind)
    # JSON has no such numbers.
    return text_of(primitive) if kind == "float_value" and not math.isfinite(value) else value


def text_of(primitive: literals_pb2.Primitive) -> str:
    """What the file of an input holds."""
    kind = primitive.WhichOneof("value")
    if kind is None:
        return "null"
    return _WRITERS[kind](getattr(primitive, kind))


def _float(value: float) -> str:
    """No exponent, no more digits than needed."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = format(decimal.Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def _time(value: timestamp_pb2.Timestamp) -> str:
    moment = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(seconds=value.seconds)
    fraction = f".{value.nanos:09d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _duration(value: duration_pb2.Duration) -> str:
    nanoseconds = value.seconds * 10**9 + value.nanos
    sign, left = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if left < _UNITS["s"]:
        unit = "s" if not left else "ns" if left < _UNITS["us"] else "µs" if left < _UNITS["ms"] else "ms"
        return f"{sign}{_fraction(left, _UNITS[unit])}{unit}"
    hours, left = divmod(left, _UNITS["h"])
    minutes, left = divmod(left, _UNITS["m"])
    larger = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{larger}{_fraction(left, _UNITS['s'])}s"


def _fraction(amount: int, unit: int) -> str:
    whole, rest = divmod(amount, unit)
    digits = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


_WRITERS: Mapping[str, Callable[[Any], str]] = {
    "string_value": str,
    "boolean": lambda value: "true" if value else "false",
    "integer": str,
    "float_value": _float,
    "datetime": _time,
    "duration": _duration,
}


def scalar_of(content: bytes, kind: types_pb2.SimpleType.ValueType) -> literals_pb2.Scalar:
    """What the file of an output means. ValueError when it is not of its type."""
    if kind == _SIMPLE.BINARY:
        return literals_pb2.Scalar(binary=literals_pb2.Binary(value=content, tag="msgpack"))
    if kind == _SIMPLE.NONE:
        return literals_pb2.Scalar(none_type=literals_pb2.Void())
    text = content.decode().strip(_BLANKS)
    if kind == _SIMPLE.STRUCT:
        try:
            return literals_pb2.Scalar(generic=json_format.Parse(text, struct_pb2.Struct()))
        except json_format.ParseError as wrong:
            raise ValueError(str(wrong)) from wrong
    if kind == _SIMPLE.ERROR:
        return literals_pb2.Scalar(error=types_pb2.Error(message=text))
    return literals_pb2.Scalar(primitive=_READERS[kind](text))


def _read_integer(text: str) -> literals_pb2.Primitive:
    if not _INTEGER.fullmatch(text):
        raise ValueError
    return literals_pb2.Primitive(integer=int(text))


def _read_float(text: str) -> literals_pb2.Primitive:
    if not _FLOAT.fullmatch(text):
        raise ValueError
    return literals_pb2.Primitive(float_value=float(text))


def _read_boolean(text: str) -> literals_pb2.Primitive:
    if text.lower() not in _TRUE | _FALSE:
        raise ValueError
    return literals_pb2.Primitive(boolean=text.lower() in _TRUE)


def _read_time(text: str) -> literals_pb2.Primitive:
    stamp = timestamp_pb2.Timestamp()
    try:
        stamp.FromJsonString(text)
    except ValueError:
        moment = datetime.datetime.fromisoformat(text)  # what Python itself writes; without a zone, UTC
        stamp.FromDatetime(moment.astimezone(datetime.UTC) if moment.tzinfo else moment)
    return literals_pb2.Primitive(datetime=stamp)


def _read_duration(text: str) -> literals_pb2.Primitive:
    sign = -1 if text.startswith("-") and "day" not in text else 1
    left = text[1:] if text[:1] in {"+", "-"} and "day" not in text else text
    clock = _CLOCK.fullmatch(left)
    if clock:
        days, hours, minutes, seconds = clock.groups()
        whole = (int(days or 0) * 24 + int(hours)) * 3600 + int(minutes) * 60
        nanoseconds = whole * 10**9 + int(decimal.Decimal(seconds) * 10**9)
    elif left == "0":
        nanoseconds = 0
    elif left and not _PIECE.sub("", left):
        nanoseconds = int(sum(decimal.Decimal(number) * _UNITS[unit] for number, unit in _PIECE.findall(left)))
    else:
        raise ValueError
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(sign * nanoseconds)
    return literals_pb2.Primitive(duration=duration)


_READERS: Mapping[int, Callable[[str], literals_pb2.Primitive]] = {
    _SIMPLE.INTEGER: _read_integer,
    _SIMPLE.FLOAT: _read_float,
    _SIMPLE.BOOLEAN: _read_boolean,
    _SIMPLE.STRING: lambda text: literals_pb2.Primitive(string_value=text),
    _SIMPLE.DATETIME: _read_time,
    _SIMPLE.DURATION: _read_duration,
}


def base64_of(content: bytes) -> str:
    """Bytes as a value of JSON."""
    return base64.b64encode(content).decode()


def file_name(name: str, what: str) -> str:
    """A name that is to be a file's; refused where it would lead elsewhere."""
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise errors.TypeMismatchError(f"{what} can't be a file: its name is {name!r}")
    return name

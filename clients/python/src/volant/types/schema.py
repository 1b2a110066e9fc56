"""JSON schemas of dataclasses, as flytekit writes them (mashumaro, draft 2020-12)."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import pathlib
import typing
import uuid
from collections.abc import Callable
from typing import Any

from volant.types import annotated, plain

Schema = dict[str, Any]
_custom: dict[type, Callable[[], Schema]] = {}

_SIMPLE: dict[Any, Schema] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    bytes: {"type": "string", "format": "base64"},
    bytearray: {"type": "string", "format": "base64"},
    type(None): {"type": "null"},
    dict: {"type": "object"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array", "uniqueItems": True},
    frozenset: {"type": "array", "uniqueItems": True},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    datetime.timedelta: {"type": "number", "format": "time-delta"},
    decimal.Decimal: {"type": "string", "format": "decimal"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    ipaddress.IPv4Address: {"type": "string", "format": "ipv4"},
    ipaddress.IPv6Address: {"type": "string", "format": "ipv6"},
}


def register(python_type: type, build: Callable[[], Schema]) -> None:
    """Say what the schema of a class (and its subclasses) is."""
    _custom[python_type] = build


def of(python_type: Any) -> Schema:
    """The schema of a type."""
    return _schema(python_type, ())


def _schema(python_type: Any, inside: tuple[Any, ...]) -> Schema:  # noqa: C901, PLR0911, PLR0912 - one return for each family
    python_type = annotated.bare(python_type)
    origin = typing.get_origin(python_type)
    args = typing.get_args(python_type)
    if plain.is_union(python_type):
        return {"anyOf": [_schema(arg, inside) for arg in args]}
    if origin is typing.Literal:
        return {"enum": list(args)}
    if origin in {list, collections.abc.Sequence, collections.deque}:
        return {"type": "array", "items": _schema(args[0], inside)}
    if origin in {set, frozenset}:
        return {"type": "array", "items": _schema(args[0], inside), "uniqueItems": True}
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return {"type": "array", "items": _schema(args[0], inside)}
        items = [_schema(arg, inside) for arg in args]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if origin in {dict, collections.abc.Mapping}:
        return _mapping(args, inside)
    kind = origin or python_type
    if kind in _SIMPLE:
        return dict(_SIMPLE[kind])
    if not isinstance(kind, type):
        return {}
    for base in kind.__mro__:
        if base in _custom:
            return _custom[base]()
    if issubclass(kind, enum.Enum):
        return {"enum": [member.value for member in kind]}
    if issubclass(kind, pathlib.PurePath):
        return {"type": "string", "format": "path"}
    if dataclasses.is_dataclass(kind):
        return _dataclass(python_type, inside)
    return {}


def _mapping(args: tuple[Any, ...], inside: tuple[Any, ...]) -> Schema:
    result: Schema = {"type": "object"}
    value = _schema(args[1], inside)
    if value:
        result["additionalProperties"] = value
    key = _schema(args[0], inside)
    if key:
        result["propertyNames"] = key
    return result


def _dataclass(python_type: Any, inside: tuple[Any, ...]) -> Schema:
    kind = typing.get_origin(python_type) or python_type
    result: Schema = {"type": "object", "title": kind.__name__}
    if kind in inside:  # a class that contains itself: what it holds was said further out
        return result
    hints = plain.hints_of(python_type)
    properties: Schema = {}
    required = []
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        one = _schema(hints[field.name], (*inside, kind))
        if field.default is not dataclasses.MISSING:
            one["default"] = plain.of_any(field.default)
            if isinstance(one["default"], bytes):
                one["default"] = one["default"].decode("latin-1")
        elif field.default_factory is dataclasses.MISSING:
            required.append(field.name)
        properties[field.name] = one
    result["properties"] = properties
    result["additionalProperties"] = False
    if required:
        result["required"] = required
    return result

"""Plain data: how dataclasses, dictionaries and what stands in them become msgpack, and come back.

The forms are flytekit's (mashumaro's): times as ISO text, durations as seconds, sets and tuples as lists, enumerations
as their values. Converters are built once for each type.
"""

from __future__ import annotations

import base64
import collections
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import threading
import types
import typing
import uuid
from collections.abc import Callable
from typing import Any

import msgpack
from google.protobuf import json_format

from volant import errors
from volant.types import annotated, transformer
from volantidl.core import literals_pb2

TAG = "msgpack"
"""The tag of binary scalars that hold msgpack."""

Convert = Callable[[Any], Any]
_encoders: dict[Any, Convert] = {}
_decoders: dict[Any, Convert] = {}
_building = threading.RLock()
_begun: set[tuple[int, Any]] = set()
"""Converters that are being built, by the thread that has the lock."""
_custom: dict[type, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {}

_AS_TEXT: dict[type, Convert] = {
    decimal.Decimal: decimal.Decimal,
    uuid.UUID: uuid.UUID,
    pathlib.Path: pathlib.Path,
    pathlib.PurePath: pathlib.PurePath,
}
_SEQUENCES = {list: list, set: set, frozenset: frozenset, tuple: tuple, collections.deque: collections.deque}
_ABSTRACT = {collections.abc.Sequence: list, collections.abc.Iterable: list, collections.abc.Mapping: dict}


def register(python_type: type, encode: Callable[[Any, Any], Any], decode: Callable[[Any, Any], Any]) -> None:
    """Say how values of a class (and its subclasses) stand inside plain data; both get the declared type too."""
    _custom[python_type] = (encode, decode)


def pack(data: Any) -> literals_pb2.Literal:
    """A literal that holds plain data."""
    try:
        packed = msgpack.packb(data)
    except (TypeError, ValueError, OverflowError) as cause:
        raise errors.TypeMismatchError(
            f"cannot encode {transformer.excerpt(data)}: {cause}. Declare a dataclass or a typed dict for values that "
            f"are not text, numbers, truth values, lists and dicts"
        ) from cause
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(binary=literals_pb2.Binary(value=packed, tag=TAG)))


def payload(literal: literals_pb2.Literal) -> Any:
    """The plain data that a literal holds, in msgpack or in the older form, a Struct."""
    scalar = literal.scalar
    if scalar.WhichOneof("value") == "generic":
        return json.loads(json_format.MessageToJson(scalar.generic))
    if scalar.binary.tag not in {TAG, ""}:
        raise errors.TypeMismatchError(f"unknown binary format {scalar.binary.tag!r}; only {TAG!r} can be read")
    return msgpack.unpackb(scalar.binary.value, strict_map_key=False)


def to_plain(value: Any, python_type: Any) -> Any:
    """Turn a value into plain data as its declared type says."""
    return _cached(_encoders, python_type, _encoder)(value)


def from_plain(data: Any, python_type: Any) -> Any:
    """Turn plain data back into a value of a type."""
    return _cached(_decoders, python_type, _decoder)(data)


def _cached(cache: dict[Any, Convert], python_type: Any, build: Callable[[Any], Convert]) -> Convert:
    try:
        found = cache.get(python_type)
    except TypeError:
        return build(python_type)
    return found if found is not None else _built(cache, python_type, build)


def _built(cache: dict[Any, Convert], python_type: Any, build: Callable[[Any], Convert]) -> Convert:
    """Build a converter, in one thread: others wait for it, as tasks side by side meet a type at once."""
    with _building:
        found = cache.get(python_type)
        if found is not None:
            return found
        key = (id(cache), python_type)
        if key in _begun:
            # A class may contain itself: what is found while building refers to the finished converter.
            return lambda value: _cached(cache, python_type, build)(value)  # noqa: PLW0108 - looked up when it is called
        _begun.add(key)
        try:
            found = cache[python_type] = build(python_type)
        finally:
            _begun.discard(key)
        return found


def hints_of(python_type: Any) -> dict[str, Any]:
    """The evaluated annotations of a class; of a generic one, with the types that were given for its variables."""
    kind = typing.get_origin(python_type) or python_type
    given = dict(zip(getattr(kind, "__parameters__", ()), typing.get_args(python_type), strict=False))
    return {name: _filled(hint, given) for name, hint in _own_hints_of(kind).items()}


def _filled(hint: Any, given: dict[Any, Any]) -> Any:
    if isinstance(hint, typing.TypeVar):
        return given.get(hint, Any)
    open_places = getattr(hint, "__parameters__", ())
    if not open_places or isinstance(hint, type):
        return hint
    return hint[tuple(given.get(place, Any) for place in open_places)]


def _own_hints_of(python_type: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(python_type, include_extras=True)
    except NameError as cause:
        raise errors.DefinitionError(
            f"cannot evaluate the annotations of {transformer.describe(python_type)}: {cause}. "
            f"Define the class at the top level of its module"
        ) from cause


def _custom_for(python_type: Any) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]] | None:
    for base in getattr(python_type, "__mro__", ()):
        if base in _custom:
            return _custom[base]
    return None


def is_union(python_type: Any) -> bool:
    """Whether a type is a Union or an Optional, in either notation."""
    return isinstance(python_type, types.UnionType) or typing.get_origin(python_type) is typing.Union


def _is_named_tuple(python_type: Any) -> bool:
    return isinstance(python_type, type) and issubclass(python_type, tuple) and hasattr(python_type, "_fields")


# ---- encoding


def _encoder(python_type: Any) -> Convert:
    python_type = annotated.bare(python_type)
    origin = typing.get_origin(python_type)
    args = typing.get_args(python_type)
    if is_union(python_type):
        return _union_encoder(args)
    if origin in _SEQUENCES or (origin in _ABSTRACT and origin is not collections.abc.Mapping):
        if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
            return _tuple_encoder(args)
        item = _cached(_encoders, args[0], _encoder)
        return lambda value: [item(one) for one in value]
    if origin in {dict, collections.abc.Mapping, collections.OrderedDict, collections.defaultdict}:
        key, item = (_cached(_encoders, arg, _encoder) for arg in args)
        return lambda value: {key(k): item(v) for k, v in value.items()}
    custom = _custom_for(origin or python_type)
    if custom is not None:
        return lambda value: custom[0](value, python_type)
    if _is_named_tuple(python_type):
        hints = hints_of(python_type)
        return _tuple_encoder([hints.get(name, Any) for name in python_type._fields])
    if dataclasses.is_dataclass(origin or python_type):
        return _dataclass_encoder(python_type)
    if python_type in _EXACT:
        return _exact_encoder(python_type, _EXACT[python_type])
    if python_type in _TIMES:
        return lambda value: _time_encoder(python_type, value)
    return _any_encoder


_EXACT: dict[Any, tuple[type, ...]] = {int: (int,), float: (float, int), str: (str,), bool: (bool,)}
"""The simple types, and what their values may be."""


_TIMES = {datetime.datetime, datetime.date, datetime.time, datetime.timedelta}


def _time_encoder(python_type: Any, value: Any) -> Any:
    if not isinstance(value, python_type):
        raise transformer.mismatch(python_type, value)
    return _any_encoder(value)


def _exact_encoder(python_type: Any, kinds: tuple[type, ...]) -> Convert:
    """Whoever makes a wrong value shall hear of it, not who reads it."""

    def encode(value: Any) -> Any:
        if type(value) in kinds:
            return value
        made = _any_encoder(value)
        if type(made) not in kinds:
            raise transformer.mismatch(python_type, value)
        return made

    return encode


def _union_encoder(args: tuple[Any, ...]) -> Convert:
    members = [(arg, _cached(_encoders, arg, _encoder)) for arg in args if arg is not type(None)]

    def encode(value: Any) -> Any:
        if value is None:
            return None
        for arg, member in members:
            if fits(value, arg):
                return member(value)
        return members[0][1](value) if len(members) == 1 else _any_encoder(value)

    return encode


def fits(value: Any, python_type: Any) -> bool:
    """Whether a value is, as far as its outermost type shows, of a type."""
    python_type = annotated.bare(python_type)
    if python_type is Any:
        return True
    if typing.get_origin(python_type) is typing.Literal:
        return value in typing.get_args(python_type)
    if is_union(python_type):
        return any(fits(value, arg) for arg in typing.get_args(python_type))
    kind = typing.get_origin(python_type) or python_type
    if kind is float:
        return type(value) in {float, int}
    if kind is int:
        return type(value) is int
    return isinstance(kind, type) and isinstance(value, kind)


def _tuple_encoder(args: typing.Sequence[Any]) -> Convert:
    items = [_cached(_encoders, arg, _encoder) for arg in args]
    return lambda value: [item(one) for item, one in zip(items, value, strict=True)]


def _type_of(field: dataclasses.Field[Any], hints: dict[str, Any]) -> Any:
    """A field's type; `x: int = None` is often written for what may be None."""
    hint = hints[field.name]
    return typing.Optional[hint] if field.default is None else hint  # noqa: UP045 - hints may be anything


def _dataclass_encoder(python_type: Any) -> Convert:
    kind = typing.get_origin(python_type) or python_type
    hints = hints_of(python_type)
    fields = [(field.name, _cached(_encoders, _type_of(field, hints), _encoder)) for field in dataclasses.fields(kind)]

    def encode(value: Any) -> Any:
        if isinstance(value, dict):
            value = from_plain(value, python_type)
        if type(value) is not kind and dataclasses.is_dataclass(value) and isinstance(value, kind):
            return to_plain(value, type(value))
        if not isinstance(value, kind):
            raise transformer.mismatch(python_type, value)
        return {name: _field(kind, name, convert, getattr(value, name)) for name, convert in fields}

    return encode


def _field(kind: Any, name: str, convert: Convert, value: Any) -> Any:
    try:
        return convert(value)
    except errors.TypeMismatchError as cause:
        raise errors.TypeMismatchError(f"{kind.__name__}.{name}: {cause}") from cause


def _any_encoder(value: Any) -> Any:  # noqa: C901, PLR0911, PLR0912 - one return for each family of values
    kind = type(value)
    if kind in {int, float, str, bool, bytes, type(None)}:
        return value
    if kind is list:
        return [_any_encoder(item) for item in value]
    if kind is dict:
        return {_any_encoder(key): _any_encoder(item) for key, item in value.items()}
    if isinstance(value, enum.Enum):
        return _any_encoder(value.value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if kind in _AS_TEXT or isinstance(value, pathlib.PurePath):
        return str(value)
    custom = _custom_for(kind)
    if custom is not None:
        return custom[0](value, kind)
    if dataclasses.is_dataclass(value) or _is_named_tuple(kind):
        return to_plain(value, kind)
    if isinstance(value, (set, frozenset, tuple, collections.deque)):
        return [_any_encoder(item) for item in value]
    if kind.__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return value.item()
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (str, int, float)):
        return next(base(value) for base in (str, int, float) if isinstance(value, base))
    raise errors.TypeMismatchError(
        f"cannot encode {transformer.excerpt(value)} of type {transformer.describe(kind)} inside a dict or dataclass. "
        f"Give it an output of its own, or turn it into text, numbers, lists or dicts"
    )


def of_any(value: Any) -> Any:
    """Turn a value of no declared type into plain data."""
    return _any_encoder(value)


# ---- decoding


def _decoder(python_type: Any) -> Convert:  # noqa: C901, PLR0911 - one return for each family of types
    python_type = annotated.bare(python_type)
    origin = typing.get_origin(python_type)
    args = typing.get_args(python_type)
    if is_union(python_type):
        return _union_decoder(args)
    if origin in _SEQUENCES or origin in {collections.abc.Sequence, collections.abc.Iterable}:
        if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
            return _tuple_decoder(args, tuple)
        item = _cached(_decoders, args[0], _decoder)
        build: Any = _SEQUENCES.get(origin) or list
        return lambda data: build(item(one) for one in _listed(data, python_type))
    if origin in {dict, collections.abc.Mapping, collections.OrderedDict}:
        key, item = (_cached(_decoders, arg, _decoder) for arg in args)
        return lambda data: {key(k): item(v) for k, v in _mapped(data, python_type).items()}
    custom = _custom_for(origin or python_type)
    if custom is not None:
        return lambda data: custom[1](data, python_type)
    if dataclasses.is_dataclass(origin or python_type):
        return _dataclass_decoder(python_type)
    if isinstance(python_type, type):
        if _is_named_tuple(python_type):
            hints = hints_of(python_type)
            make: Any = python_type
            return _tuple_decoder([hints.get(name, Any) for name in make._fields], lambda items: make(*items))
        if issubclass(python_type, enum.Enum):
            return python_type
        if python_type in _SCALARS:
            return _SCALARS[python_type]
        if issubclass(python_type, pathlib.PurePath):
            return python_type
        if python_type in _SEQUENCES:
            return lambda data: _SEQUENCES[python_type](_listed(data, python_type))
    return lambda data: data


def _listed(data: Any, python_type: Any) -> Any:
    if not isinstance(data, (list, tuple)):
        raise transformer.mismatch(python_type, data)
    return data


def _mapped(data: Any, python_type: Any) -> dict[Any, Any]:
    if not isinstance(data, dict):
        raise transformer.mismatch(python_type, data)
    return data


def _union_decoder(args: tuple[Any, ...]) -> Convert:
    members = [(arg, _cached(_decoders, arg, _decoder)) for arg in args if arg is not type(None)]

    def decode(data: Any) -> Any:
        if data is None:
            return None
        for arg, member in members:
            if fits(data, arg):
                return member(data)
        for _, member in members:
            try:
                return member(data)
            except (errors.VolantError, ValueError, TypeError, KeyError):
                continue
        raise errors.TypeMismatchError(
            f"{transformer.excerpt(data)} fits none of {[transformer.describe(a) for a in args]}"
        )

    return decode


def _tuple_decoder(args: typing.Sequence[Any], make: Convert) -> Convert:
    items = [_cached(_decoders, arg, _decoder) for arg in args]
    return lambda data: make(tuple(item(one) for item, one in zip(items, data, strict=True)))


def _dataclass_decoder(python_type: Any) -> Convert:
    kind = typing.get_origin(python_type) or python_type
    hints = hints_of(python_type)
    fields = {
        field.name: _cached(_decoders, _type_of(field, hints), _decoder)
        for field in dataclasses.fields(kind)
        if field.init
    }

    def decode(data: Any) -> Any:
        if isinstance(data, kind):
            return data
        mapped = _mapped(data, python_type)
        try:
            return kind(
                **{
                    name: _field(kind, name, convert, mapped[name])
                    for name, convert in fields.items()
                    if name in mapped
                }
            )
        except errors.TypeMismatchError:
            raise
        except TypeError as cause:
            raise errors.TypeMismatchError(f"{transformer.describe(python_type)}: {cause}") from cause

    return decode


def _decode_int(data: Any) -> Any:
    if isinstance(data, float) and data.is_integer():
        return int(data)
    if isinstance(data, bool) or not isinstance(data, int):
        raise transformer.mismatch(int, data)
    return data


def _decode_float(data: Any) -> Any:
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        raise transformer.mismatch(float, data)
    return float(data)


def _exactly(kind: type) -> Convert:
    def decode(data: Any) -> Any:
        if not isinstance(data, kind):
            raise transformer.mismatch(kind, data)
        return data

    return decode


def _decode_bytes(data: Any) -> Any:
    return base64.b64decode(data) if isinstance(data, str) else bytes(data)


def _decode_none(data: Any) -> Any:
    if data is not None:
        raise transformer.mismatch(type(None), data)


def _decode_datetime(data: Any) -> Any:
    return data if isinstance(data, datetime.datetime) else datetime.datetime.fromisoformat(data)


def _decode_timedelta(data: Any) -> Any:
    return data if isinstance(data, datetime.timedelta) else datetime.timedelta(seconds=data)


_SCALARS: dict[Any, Convert] = {
    int: _decode_int,
    float: _decode_float,
    str: _exactly(str),
    bool: _exactly(bool),
    bytes: _decode_bytes,
    bytearray: lambda data: bytearray(_decode_bytes(data)),
    type(None): _decode_none,
    dict: _exactly(dict),
    datetime.datetime: _decode_datetime,
    datetime.date: lambda data: datetime.date.fromisoformat(data[:10]),
    datetime.time: datetime.time.fromisoformat,
    datetime.timedelta: _decode_timedelta,
    **_AS_TEXT,
}

"""Requests from paths, queries and bodies; responses as JSON by the contract's own field names, defaults shown."""

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from volant_core import errors

_YES, _NO = frozenset({"true", "1"}), frozenset({"false", "0"})


def read_body(message: Message, field: str, data: bytes, *, binary: bool) -> None:
    """Fill a message, or one field of it, from a body."""
    target = message if field == "*" else getattr(message, field)
    try:
        if binary:
            target.MergeFromString(data)
        elif data.strip():
            json_format.Parse(data.decode(), target)
    except (json_format.ParseError, DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.InvalidArgumentError(
            f"the body is not a valid {message.DESCRIPTOR.full_name}: {str(error)[:500]}"
        ) from error


def set_fields(message: Message, pairs: Iterable[tuple[str, str]], *, strict: bool) -> None:
    """Set fields named by path (`sort_by.key`). Unless `strict`, names that there are none of are passed over."""
    for path, text in pairs:
        try:
            _set(message, path.split("."), text)
        except KeyError as error:
            if strict:
                raise errors.InvalidArgumentError(f"there is no field {path}") from error
        except (ValueError, TypeError, json_format.ParseError) as error:
            raise errors.InvalidArgumentError(f"{path}: {text[:200]!r} does not fit: {str(error)[:300]}") from error


def _set(message: Message, path: list[str], text: str) -> None:
    *parents, last = path
    at = message
    for name in parents:
        field = _field(at.DESCRIPTOR, name)
        if field.message_type is None or _is_repeated(field):
            raise KeyError(name)
        at = getattr(at, field.name)
        at.SetInParent()
    name, _, key = last.partition("[")
    field = _field(at.DESCRIPTOR, name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        values = field.message_type.fields_by_name["value"]
        getattr(at, field.name)[key.rstrip("]")] = _value(values, text)
    elif field.message_type is not None:
        if _is_repeated(field):
            raise KeyError(name)
        # Times, durations and wrappers are one JSON value.
        json_format.Parse(json.dumps(text), getattr(at, field.name))
    elif _is_repeated(field):
        getattr(at, field.name).append(_value(field, text))
    else:
        setattr(at, field.name, _value(field, text))


def _field(descriptor: Any, name: str) -> FieldDescriptor:
    field: FieldDescriptor | None = descriptor.fields_by_name.get(name) or descriptor.fields_by_camelcase_name.get(name)
    if field is None:
        raise KeyError(name)
    return field


def _is_repeated(field: FieldDescriptor) -> bool:
    untyped: Any = field  # newer runtimes have `is_repeated`, older ones a label
    repeated = getattr(untyped, "is_repeated", None)
    return bool(repeated) if repeated is not None else untyped.label == FieldDescriptor.LABEL_REPEATED


def _value(field: FieldDescriptor, text: str) -> Any:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        if text.lower() not in _YES | _NO:
            raise ValueError("true or false is wanted")
        return text.lower() in _YES
    if field.enum_type is not None:
        known = field.enum_type.values_by_name.get(text)
        return known.number if known is not None else int(text)
    if kind in {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}:
        return float(text)
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        raise KeyError(field.name)
    return int(text)


def to_json(message: Message) -> bytes:
    """The message as JSON."""
    told = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return json.dumps(told, separators=(",", ":")).encode()

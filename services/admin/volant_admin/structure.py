"""Whether two registrations of one version are the same, and how they differ."""

import hashlib
import itertools
import json
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

_MOST_LINES = 200
_LONGEST_VALUE = 1000
_LARGEST = 4 * 2**20
"""Bytes of a message that is still worth comparing line by line."""


def same(old: Message, new: Message) -> bool:
    """Whether the content is the same: bytes may differ between versions of Protobuf, and NaN does from itself."""
    return old == new or digest(old) == digest(new)


def digest(message: Message) -> bytes:
    """A hash of a message's content."""
    return hashlib.sha256(message.SerializeToString(deterministic=True)).digest()


def differences(old: Message, new: Message) -> str:
    """What changed, a path with the old and the new value each."""
    if max(old.ByteSize(), new.ByteSize()) > _LARGEST:
        return "(too large to be compared line by line)"
    try:
        found = list(itertools.islice(_compare("", _plain(old), _plain(new)), _MOST_LINES + 1))
    except (json_format.Error, ValueError):  # infinite numbers, for one, have no JSON
        return "(can not be compared line by line)"
    lines = [f"{path}:\n\t- {_text(left)} \n\t+ {_text(right)}" for path, left, right in found[:_MOST_LINES]]
    return "\n".join(lines + (["… and more"] if len(found) > _MOST_LINES else []))


def _plain(message: Message) -> Any:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


_ABSENT = object()


def _compare(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _compare(f"{path}/{key}", old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        for index, (left, right) in enumerate(itertools.zip_longest(old, new, fillvalue=_ABSENT)):
            yield from _compare(f"{path}/{index}", left, right)
    elif old != new:
        yield path, old, new


def _text(value: Any) -> str:
    if value is _ABSENT:
        return "(none)"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"

"""Hypothesis strategies for any Protobuf message, made from its descriptor: random ones, and one field changed."""

import base64
import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import hypothesis
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

MAX_DEPTH = 5
MAX_ITEMS = 3
EXISTING_IN_TEN = 7
# A field of number 9,000 with the value 1: what a newer client might send.
_UNKNOWN_FIELD = b"\xc0\xb2\x04\x01"

_I32 = (0, 1, -1, 2**31 - 1, -(2**31))
_I64 = (0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 253_402_300_800, -62_135_596_801)
_U32 = (0, 1, 2**31, 2**32 - 1)
_U64 = (0, 1, 2**63, 2**64 - 1)
_FLOATS = (0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan"), 1e308, 5e-324)
_NOISE = base64.b32encode(b"".join(hashlib.sha256(bytes([n])).digest() for n in range(256))).decode()
# What breaks parsers of filters, paths, addresses, identifiers and SQL, besides text of all kinds.
_TEXTS = (
    "",
    " ",
    "a",
    "'; DROP TABLE admin.tasks; --",
    "%",
    "_",
    "\\",
    "../../etc/passwd",
    "a/b",
    "{{.inputs.x}}",
    "eq(name,a)",
    "eq(name",
    "value_in(phase,A;B)+gt(duration,1h)",
    "contains(name,%)",
    "ne(created_at,2026-01-01T00:00:00Z)",
    "gte(created_at,99999-99-99)",
    "eq(execution.phase,SUCCEEDED)",
    "created_at",
    "18446744073709551616",
    "-1",
    "1e400",
    "NaN",
    "s3://",
    "s3://volant/x",
    "file:///etc/passwd",
    "http://[::1",
    "flyte://v1/a/b/c/d/e/f/g",
    "2026-02-30T25:61:61Z",
    "PT1M",
    "* * * * *",
    "@hourly",
    "0 0 31 2 *",
    "\u202e\U0001f680\u0301",
    "A" * 300,
    "x" * 5_000,
    # Too long for a row of an index, also when compressed.
    _NOISE[:5_000],
    "a" + _NOISE[:200].lower(),
    "-----",
    "application/x-\r\nInjected: 1",
)
_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (_I32, -(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (_I64, -(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (_U32, 0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (_U64, 0, 2**64 - 1),
}

# Values that exist on the server, in groups of those that can stand for one another, by the name of their field.
Known = Mapping[str, Sequence[Sequence[Any]]]


def texts() -> st.SearchStrategy[str]:
    """Texts of all kinds. Few with a NUL: one is enough to have the whole request refused."""
    any_text = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
    without_nul = st.one_of(st.sampled_from(_TEXTS), any_text, st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True))
    return st.integers(0, 99).flatmap(lambda roll: st.just("a\x00b") if roll == 50 else without_nul)


def scalars(field: FieldDescriptor, known: Known, now: Any = None) -> st.SearchStrategy[Any]:
    """Values for a field that is no message: most of them exist, where any does, of the same group as `now`."""
    if field.cpp_type in _INTEGERS:
        edges, low, high = _INTEGERS[field.cpp_type]
        made: st.SearchStrategy[Any] = st.one_of(st.sampled_from(edges), st.integers(0, 20), st.integers(low, high))
    elif field.cpp_type in {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}:
        made = st.one_of(st.sampled_from(_FLOATS), st.floats(width=32))
    elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        made = st.booleans()
    elif field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        values = [value.number for value in field.enum_type.values]
        made = st.one_of(st.sampled_from(values), st.sampled_from([*values, 99, -1, 2**31 - 1]))
    elif field.type == FieldDescriptor.TYPE_BYTES:
        made = st.one_of(st.binary(max_size=40), st.sampled_from([b"\x00" * 16, b"\xff" * 3, b"x" * 5_000]))
    else:
        made = texts()
    groups = known.get(field.name, ())
    there = next((group for group in groups if now in group), [value for group in groups for value in group])
    there = [value for value in there if value != now]
    if not there:
        return made
    return st.integers(0, 9).flatmap(lambda roll: st.sampled_from(there) if roll < EXISTING_IN_TEN else made)


@st.composite
def random_messages(draw: st.DrawFn, descriptor: Descriptor, known: Known, depth: int = 0) -> Message:
    """A message with some of its fields set, to anything."""
    message = message_factory.GetMessageClass(descriptor)()
    for field in descriptor.fields:
        # Sparser further down, or messages would grow without end.
        if draw(st.integers(0, 2 + 2 * depth)) == 0 or (depth == 0 and draw(st.booleans())):
            _set(draw, message, field, known, depth)
    return message


def _set(draw: st.DrawFn, message: Message, field: FieldDescriptor, known: Known, depth: int) -> None:
    if is_map(field):
        _fill_map(draw, message, field, known, depth)
    elif is_repeated(field):
        _fill_list(draw, message, field, known, depth)
    elif field.message_type is None:
        setattr(message, field.name, draw(scalars(field, known, getattr(message, field.name))))
    elif depth < MAX_DEPTH:
        getattr(message, field.name).CopyFrom(draw(random_messages(field.message_type, known, depth + 1)))
    else:
        getattr(message, field.name).SetInParent()


def _fill_map(draw: st.DrawFn, message: Message, field: FieldDescriptor, known: Known, depth: int) -> None:
    key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
    entries = getattr(message, field.name)
    for _ in range(draw(st.integers(0, MAX_ITEMS))):
        name = draw(scalars(key, known))
        if value.message_type is None:
            entries[name] = draw(scalars(value, known))
        elif depth < MAX_DEPTH:
            entries[name].CopyFrom(draw(random_messages(value.message_type, known, depth + 1)))


def _fill_list(draw: st.DrawFn, message: Message, field: FieldDescriptor, known: Known, depth: int) -> None:
    values = getattr(message, field.name)
    for _ in range(draw(st.integers(0, MAX_ITEMS))):
        if field.message_type is None:
            values.append(draw(scalars(field, known)))
        elif depth < MAX_DEPTH:
            values.add().CopyFrom(draw(random_messages(field.message_type, known, depth + 1)))


@dataclasses.dataclass(frozen=True)
class Place:
    """A field of some message within a request."""

    owner: Message
    field: FieldDescriptor
    depth: int


def places(message: Message, depth: int = 0) -> list[Place]:
    """Every field of a message and of the messages that are in it, set or not."""
    found = []
    for field in message.DESCRIPTOR.fields:
        found.append(Place(message, field, depth))
        if field.message_type is None:
            continue
        value = getattr(message, field.name)
        if is_map(field):
            inner = list(value.values()) if field.message_type.fields_by_name["value"].message_type else []
        elif is_repeated(field):
            inner = list(value)
        else:
            inner = [value] if message.HasField(field.name) else []
        for one in inner:
            found += places(one, depth + 1)
    return found


@st.composite
def changed(draw: st.DrawFn, make: Callable[[], Message], known: Known) -> Message:
    """What `make` makes, with one field changed: cleared, unknown to us, set to what exists, or to anything."""
    message = make()
    before = message.SerializeToString(deterministic=True)
    _change(draw, message, known)
    hypothesis.assume(message.SerializeToString(deterministic=True) != before)
    return message


@st.composite
def much_changed(draw: st.DrawFn, make: Callable[[], Message], known: Known) -> Message:
    """What `make` makes, with several fields changed: gets further into the server than a random message does."""
    message = make()
    for _ in range(draw(st.integers(2, 6))):
        _change(draw, message, known)
    return message


def _change(draw: st.DrawFn, message: Message, known: Known) -> None:
    everywhere = places(message)
    roll = draw(st.integers(0, 9))
    if roll == 0 or not everywhere:
        inside = draw(st.sampled_from([message, *(place.owner for place in everywhere)]))
        inside.MergeFromString(_UNKNOWN_FIELD)
        return
    # Half of the time a field of which other values exist, where there is one.
    telling = [place for place in everywhere if place.field.name in known]
    place = draw(st.sampled_from(telling if telling and draw(st.booleans()) else everywhere))
    owner, field = place.owner, place.field
    if roll == 1:
        owner.ClearField(field.name)
        return
    if is_repeated(field) and draw(st.booleans()):
        owner.ClearField(field.name)
    _set(draw, owner, field, known, max(place.depth, 2))


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def is_repeated(field: FieldDescriptor) -> bool:
    # `label` is deprecated in newer Protobuf, `is_repeated` unknown to older.
    repeated = getattr(field, "is_repeated", None)
    return bool(field.label == FieldDescriptor.LABEL_REPEATED if repeated is None else repeated)

"""What no service can keep, refused before any of them sees it.

Text with NUL characters (PostgreSQL has no place for them), and times outside of the range that Protobuf allows, which
no calendar can show. The text of values that travel through unread (literals, JSON) is left alone.
"""

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from volant_core import errors

Check = Callable[[Message, bytes], None]

_TIMESTAMP = "google.protobuf.Timestamp"
_DURATION = "google.protobuf.Duration"
# Values of users: kept as bytes, never as text of the database.
_UNREAD = ("google.protobuf.Value", "google.protobuf.Struct", "volantidl.core.Primitive")
# The years 1 to 9999, and as much back and forth.
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
_LONGEST_SECONDS = 315_576_000_000
_NANOS = 1_000_000_000


def checker(descriptor: Descriptor) -> Check | None:
    """The check for requests of a type, called with the message and its bytes; None where nothing can be wrong."""
    with_text = _compile(descriptor, text=True)
    times_only = _compile(descriptor, text=False)
    if with_text is None:
        return None

    def check(message: Message, data: bytes) -> None:
        # Text with a NUL shows in the bytes, so that most requests need no second look for it.
        plan = with_text if b"\x00" in data else times_only
        found = plan.problem(message) if plan is not None else None
        if found is not None:
            raise errors.InvalidArgumentError(found)

    return check


def _compile(root: Descriptor, *, text: bool) -> "_Plan | None":
    """The plan for a type and for all that it can hold, or None where there is nothing to look at."""
    plans: dict[str, _Plan] = {}

    def plan_of(descriptor: Descriptor) -> _Plan:
        known = plans.get(descriptor.full_name)
        if known is None:
            known = plans[descriptor.full_name] = _Plan()
            for field in descriptor.fields:
                step = step_of(descriptor.full_name, field)
                if step is not None:
                    known.steps[field.number] = step
        return known

    def step_of(owner: str, field: FieldDescriptor) -> "_Step | None":
        if field.type == FieldDescriptor.TYPE_STRING:
            return _text if text and owner not in _UNREAD else None
        inner = field.message_type
        if inner is None:
            return None
        return {_TIMESTAMP: _timestamp, _DURATION: _duration}.get(inner.full_name) or plan_of(inner)

    plan = plan_of(root)
    _prune(plans.values())
    return plan if plan.steps else None


def _prune(plans: Iterable["_Plan"]) -> None:
    """Drop the steps into types below which there is nothing to look at (they may hold one another)."""
    worth: set[int] = set()
    grown = True
    while grown:
        grown = False
        for plan in plans:
            if id(plan) not in worth and any(not isinstance(s, _Plan) or id(s) in worth for s in plan.steps.values()):
                worth.add(id(plan))
                grown = True
    for plan in plans:
        plan.steps = {n: s for n, s in plan.steps.items() if not isinstance(s, _Plan) or id(s) in worth}


class _Plan:
    """Which fields of one type to look at, by number."""

    def __init__(self) -> None:
        self.steps: dict[int, _Step] = {}

    def problem(self, message: Message) -> str | None:
        """What is wrong in a message, in words that name the field; None when nothing is."""
        steps = self.steps
        for field, value in message.ListFields():
            step = steps.get(field.number)
            if step is None:
                continue
            if _is_one(value):
                found = _look(step, value)
                where = ""
            else:
                found, where = _problem_of_many(step, value)
            if found is not None:
                between = "" if found.startswith(" ") else "."
                return f"{field.name}{where}{between}{found}"
        return None


_Step = _Plan | Callable[[Any], str | None]


def _is_one(value: object) -> bool:
    return isinstance(value, str | Message)


def _problem_of_many(step: _Step, values: Any) -> tuple[str | None, str]:
    """The first problem in a list or map, and the index to name it with."""
    if isinstance(values, MutableMapping) and isinstance(step, _Plan):
        key_step, value_step = step.steps.get(1), step.steps.get(2)
        for key in values:
            if callable(key_step) and key_step(key) is not None:
                return f" has a key{_TEXT_PROBLEM}", ""
            found = _look(value_step, values[key]) if value_step is not None else None
            if found is not None:
                return found, f"[{key!r}]"
        return None, ""
    for index, value in enumerate(values):
        found = _look(step, value)
        if found is not None:
            return found, f"[{index}]"
    return None, ""


def _look(step: _Step, value: Any) -> str | None:
    return step.problem(value) if isinstance(step, _Plan) else step(value)


# Problems of a field itself begin with a space, to stand behind its name.
_TEXT_PROBLEM = " with a NUL character, which text can not have: remove it"


def _text(value: str) -> str | None:
    return f" is a text{_TEXT_PROBLEM}" if "\x00" in value else None


def _timestamp(value: Any) -> str | None:
    if _FIRST_SECOND <= value.seconds <= _LAST_SECOND and 0 <= value.nanos < _NANOS:
        return None
    return f" is not a valid timestamp (years 1 to 9999): seconds {value.seconds}, nanos {value.nanos}"


def _duration(value: Any) -> str | None:
    seconds, nanos = value.seconds, value.nanos
    if abs(seconds) <= _LONGEST_SECONDS and abs(nanos) < _NANOS and seconds * nanos >= 0:
        return None
    return f" is not a valid duration: seconds {seconds}, nanos {nanos}"

"""What a type must offer to travel between tasks."""

from __future__ import annotations

import abc
import re
from typing import Any

from volant import errors
from volantidl.core import literals_pb2, types_pb2

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Transformer(abc.ABC):
    """Translates one family of Python types to the contract's types and values, and back.

    Third parties subclass it and hand an instance to `volant.types.register`.
    """

    name: str
    """The tag of this type inside unions; it must be what other SDKs write for the same type."""

    @abc.abstractmethod
    def literal_type(self, python_type: Any) -> types_pb2.LiteralType:
        """The contract's type for a Python type."""

    @abc.abstractmethod
    def to_literal(self, value: Any, python_type: Any, expected: types_pb2.LiteralType) -> literals_pb2.Literal:
        """Encode a value, raising TypeMismatchError when it is not of the type."""

    @abc.abstractmethod
    def to_python(self, literal: literals_pb2.Literal, python_type: Any) -> Any:
        """Decode a literal, raising TypeMismatchError when it cannot be one of this type."""

    def guess(self, literal_type: types_pb2.LiteralType) -> Any:  # noqa: ARG002 - the interface's
        """The Python type that stands for a contract's type, or None where this transformer has none."""
        return None

    def accept(self, value: Any, python_type: Any) -> Any:
        """Check a value that stays in Python, cheaply; returns it, or its nearest equal of the declared type."""
        if python_type is not Any and isinstance(python_type, type):
            try:
                fits = isinstance(value, python_type)
            except TypeError:  # a protocol that cannot be checked at run time
                fits = True
            if not fits:
                raise mismatch(python_type, value)
        return value


def describe(python_type: Any) -> str:
    """A type as the user would write it."""
    if python_type is type(None):
        return "None"
    if isinstance(python_type, type) and not hasattr(python_type, "__origin__"):
        module = python_type.__module__
        args = getattr(python_type, "__args__", None)
        if args:
            return str(python_type)
        return python_type.__qualname__ if module == "builtins" else f"{module}.{python_type.__qualname__}"
    return str(python_type).replace("typing.", "")


def excerpt(value: Any, limit: int = 80) -> str:
    """A value's repr, cut to a length fit for an error message."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a user's __repr__ may do anything
        text = f"<{type(value).__name__}>"
    text = _ADDRESS.sub("", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def mismatch(python_type: Any, value: Any, hint: str = "") -> errors.TypeMismatchError:
    """The error for a value of the wrong type."""
    message = f"expected {describe(python_type)}, found {describe(type(value))}: {excerpt(value)}"
    return errors.TypeMismatchError(f"{message}. {hint or _way_out(python_type, value)}")


def _way_out(python_type: Any, value: Any) -> str:
    """What to do about a value of the wrong type."""
    wanted = describe(python_type)
    if value is None:
        return f"Declare {wanted} | None where None is allowed"
    if python_type in {int, float} and isinstance(value, bool):
        return f"A truth value is no number here; {wanted}(…) makes one of it"
    if python_type is int and isinstance(value, float):
        return "Round it, with int(…) or round(…), or declare float"
    if python_type in {int, float} and isinstance(value, str):
        return f"Convert it with {wanted}(…)" if _is_number(value) else "Give a number"
    if python_type is str and isinstance(value, (int, float, bool)):
        return "Convert it with str(…)"
    if wanted.startswith("list") and isinstance(value, (tuple, set, frozenset)):
        return "Convert it with list(…)"
    return "Give a value of that type, or change the annotation"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def undecodable(python_type: Any, literal: literals_pb2.Literal) -> errors.TypeMismatchError:
    """The error for a literal of the wrong kind."""
    return errors.TypeMismatchError(f"expected a value for {describe(python_type)}, found {literal_kind(literal)}")


def literal_kind(literal: literals_pb2.Literal) -> str:
    """What kind of value a literal holds, in words."""
    kind = literal.WhichOneof("value")
    if kind is None:
        return "an empty value"
    if kind != "scalar":
        return f"a {kind}"
    scalar = literal.scalar.WhichOneof("value")
    if scalar == "primitive":
        return f"a primitive ({literal.scalar.primitive.WhichOneof('value')})"
    return f"a {scalar}"

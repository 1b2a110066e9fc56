"""What may be written inside `Annotated[…]` beside a type, and how it is found there."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from volant import errors, user_code

T = TypeVar("T")


class HashMethod(Generic[T]):
    """`Annotated[T, HashMethod(f)]`: the cache key uses `f(value)` instead of the value."""

    def __init__(self, function: Callable[[T], str]) -> None:
        if not callable(function):
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: HashMethod({function!r}): expected a function that gives a value's hash "
                f"as text, found {type(function).__name__}"
            )
        self._function = function

    def calculate(self, value: T) -> str:
        """The value's hash."""
        return self._function(value)


class TypeAnnotation:
    """`Annotated[T, TypeAnnotation({...})]`: JSON data shown with the type, for tools."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data: dict[str, Any] = dict(data)


def extras(python_type: Any) -> tuple[Any, ...]:
    """What stands beside the type in an `Annotated`; nothing for other types."""
    if typing.get_origin(python_type) is typing.Annotated:
        return tuple(typing.get_args(python_type)[1:])
    return ()


def bare(python_type: Any) -> Any:
    """The type without its `Annotated`."""
    if typing.get_origin(python_type) is typing.Annotated:
        return typing.get_args(python_type)[0]
    return python_type


def type_annotation(python_type: Any) -> Mapping[str, Any] | None:
    """The data of the type's TypeAnnotation, if it has one."""
    for extra in extras(python_type):
        if isinstance(extra, TypeAnnotation):
            return extra.data
    return None


def user_hash(value: Any, python_type: Any) -> str | None:
    """The value's hash by the type's HashMethod, if it has one."""
    for extra in extras(python_type):
        if isinstance(extra, HashMethod):
            return extra.calculate(value)
    return None

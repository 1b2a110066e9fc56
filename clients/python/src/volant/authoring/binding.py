"""Bindings: what an input of a node, or an output of a workflow, is taken from."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from volant import errors
from volant.authoring import promise as promises
from volant.types import annotated, compatibility, engine, plain, transformer
from volantidl.core import literals_pb2, types_pb2


@dataclasses.dataclass(frozen=True)
class BindingList:
    """A list with promises in it."""

    items: Sequence[Binding]


@dataclasses.dataclass(frozen=True)
class BindingMap:
    """A dictionary with promises in it."""

    items: Mapping[str, Binding]


Binding = promises.Promise | literals_pb2.Literal | BindingList | BindingMap


def bind(value: Any, python_type: Any, literal_type: types_pb2.LiteralType, subject: str) -> Binding:
    """Bind a value or promise to something of a declared type.

    Args:
        value: A promise, a constant, or a list or dictionary with promises inside.
        python_type: The declared type.
        literal_type: Its contract type.
        subject: What is bound, with the user's line: it begins the error message.
    """
    if isinstance(value, promises.Promise):
        _check(value, python_type, literal_type, subject)
        return value
    if isinstance(value, promises.NodeOutputs):
        outputs = len(value)
        names = ", ".join(value.node.outputs)
        what = f"has {outputs} outputs; pass one of them: unpack it, or take it by its name ({names})"
        if not outputs:
            what = "has no outputs. Annotate what it returns; '>>' lets one call wait for another without a value"
        raise errors.DefinitionError(f"{subject}: {value.node.entity.name} {what}")
    if getattr(value, "is_unfinished_conditional", False):
        raise errors.DefinitionError(
            f"{subject}: the conditional has no else_(); end it with .else_().then(…) or .fail(…)"
        )
    if contains_promise(value):
        return _bind_inside(value, python_type, literal_type, subject)
    try:
        return engine.to_literal(value, python_type, literal_type)
    except errors.TypeMismatchError as cause:
        raise errors.TypeMismatchError(f"{subject}: {cause}") from cause


def _check(value: promises.Promise, python_type: Any, literal_type: types_pb2.LiteralType, subject: str) -> None:
    given = value._literal_type  # noqa: SLF001 - a promise's own names must not hide those of the value
    if given is None or compatibility.assignable(given, literal_type):
        return
    if annotated.bare(python_type) is Any or annotated.bare(value._python_type) is Any:  # noqa: SLF001
        # Without annotations the platform cannot check the edge; the value itself can be, when it is there.
        raise promises.NeedsValueError("passing a value between an annotated and an unannotated place", repr(value))
    raise errors.TypeMismatchError(
        f"{subject}: expected {transformer.describe(python_type)}, found {compatibility.words(given)}: "
        f"{value._origin()}. {_way_out(given, literal_type)}"  # noqa: SLF001 - as above
    )


def _way_out(given: types_pb2.LiteralType, wanted: types_pb2.LiteralType) -> str:
    """What to do about an edge between two types."""
    none = types_pb2.LiteralType(simple=types_pb2.SimpleType.NONE)
    if given.WhichOneof("type") == "union_type":
        kinds = [one for one in given.union_type.variants if one.simple != none.simple]
        if len(kinds) < len(given.union_type.variants) and all(compatibility.assignable(one, wanted) for one in kinds):
            return "It may be None: take Optional[…], or give something instead of None in a task between them"
    if wanted.WhichOneof("type") == "collection_type" and compatibility.assignable(given, wanted.collection_type):
        return "Put it into a list: […]"
    if given.WhichOneof("type") == "collection_type" and compatibility.assignable(given.collection_type, wanted):
        return "Take one item, such as […][0], or call it for each item with map_task"
    return "Convert it in a task between them, or change one of the two annotations"


def _bind_inside(value: Any, python_type: Any, literal_type: types_pb2.LiteralType, subject: str) -> Binding:
    base = annotated.bare(python_type)
    if plain.is_union(base):
        for variant in typing.get_args(base):
            if isinstance(value, typing.get_origin(annotated.bare(variant)) or annotated.bare(variant)):
                return _bind_inside(value, variant, engine.literal_type(variant), subject)
    args = typing.get_args(base)
    if isinstance(value, list) and literal_type.WhichOneof("type") == "collection_type":
        item = args[0] if args else Any
        of_item = literal_type.collection_type
        return BindingList([bind(one, item, of_item, f"{subject}[{n}]") for n, one in enumerate(value)])
    if isinstance(value, dict) and literal_type.WhichOneof("type") == "map_value_type":
        of_value = literal_type.map_value_type
        return BindingMap({key: bind(one, args[1], of_value, f"{subject}[{key!r}]") for key, one in value.items()})
    if isinstance(value, dict) and base is dict:
        return BindingMap({str(key): _bind_untyped(one, f"{subject}[{key!r}]") for key, one in value.items()})
    raise errors.DefinitionError(
        f"{subject}: expected {transformer.describe(python_type)}, found {type(value).__name__} with the outputs "
        f"of other nodes inside. Only lists and dictionaries can hold them; build other values in a task"
    )


def _bind_untyped(value: Any, subject: str) -> Binding:
    if isinstance(value, promises.Promise):
        return value
    if isinstance(value, dict):
        return BindingMap({str(key): _bind_untyped(one, f"{subject}[{key!r}]") for key, one in value.items()})
    if isinstance(value, list):
        return BindingList([_bind_untyped(one, f"{subject}[{n}]") for n, one in enumerate(value)])
    return bind(value, type(value), engine.literal_type(type(value)), subject)


def contains_promise(value: Any) -> bool:
    """Whether a promise stands somewhere in lists, tuples, dictionaries or dataclasses."""
    if isinstance(value, (promises.Promise, promises.NodeOutputs)):
        return True
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(contains_promise(one) for one in value)
    if isinstance(value, dict):
        return any(contains_promise(one) for one in value.values())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return any(contains_promise(getattr(value, field.name, None)) for field in dataclasses.fields(value))
    return False


def promises_in(binding: Binding) -> Iterator[promises.Promise]:
    """The promises of a binding."""
    if isinstance(binding, promises.Promise):
        yield binding
    elif isinstance(binding, BindingList):
        for item in binding.items:
            yield from promises_in(item)
    elif isinstance(binding, BindingMap):
        for item in binding.items.values():
            yield from promises_in(item)

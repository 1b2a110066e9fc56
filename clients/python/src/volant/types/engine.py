"""The type engine: finds the transformer of a type and applies it. What one type does lives in its own module."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import threading
import types
import typing
from collections.abc import Callable
from typing import Any

from volant import errors, user_code
from volant.storage import router
from volant.types import annotated, transformer
from volantidl.core import literals_pb2, types_pb2

_registry: dict[Any, transformer.Transformer] = {}
_lazy_modules: dict[str, str] = {}
_fallbacks: dict[str, transformer.Transformer] = {}
_lookup_cache: dict[Any, transformer.Transformer] = {}
_type_cache: dict[Any, types_pb2.LiteralType] = {}
_import_lock = threading.RLock()


def register(new: transformer.Transformer, *python_types: Any, override: bool = False) -> None:
    """Make a transformer serve some Python types (and their subclasses).

    Args:
        new: The transformer.
        python_types: The types, or origins of generic types such as `list`.
        override: Replace what is registered for a type instead of refusing.
    """
    for python_type in python_types:
        if python_type in _registry and not override:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: a transformer for {transformer.describe(python_type)} "
                f"is already registered "
                f"({type(_registry[python_type]).__name__}); pass override=True to replace it"
            )
        _registry[python_type] = new
    _lookup_cache.clear()
    _type_cache.clear()


def register_fallback(kind: str, new: transformer.Transformer) -> None:
    """Register what serves a kind of types that has no common base: enum, literal, dataclass, pickle, annotated."""
    _fallbacks[kind] = new


def register_lazy(package: str, module: str) -> None:
    """Import a module (which registers transformers) when a type of a top-level package is first looked up."""
    _lazy_modules[package] = module


def lookup(python_type: Any) -> transformer.Transformer:
    """The transformer that serves a type; any type has one, pickle being the last."""
    try:
        found = _lookup_cache.get(python_type)
    except TypeError:  # unhashable annotations
        return _find(python_type)
    if found is None:
        found = _lookup_cache[python_type] = _find(python_type)
    return found


def _find(python_type: Any) -> transformer.Transformer:
    origin = typing.get_origin(python_type)
    if origin is typing.Annotated:
        base, *extras = typing.get_args(python_type)
        own = next((extra for extra in extras if isinstance(extra, transformer.Transformer)), None)
        return own or lookup(base)
    if python_type is None:
        return lookup(type(None))
    if inspect.isclass(python_type) and issubclass(python_type, enum.Enum):
        return _fallbacks["enum"] if _is_text_enum(python_type) else _fallbacks["pickle"]
    if origin is typing.Literal:
        return _fallbacks["literal"]
    if isinstance(python_type, types.UnionType) or origin is typing.Union:
        return _registry[typing.Union]
    _import_for(python_type)
    if python_type in _registry:
        return _registry[python_type]
    if origin is not None:
        _import_for(origin)
        if origin in _registry:
            return _registry[origin]
        python_type = origin
    for base in getattr(python_type, "__mro__", ())[:-1]:
        _import_for(base)
        if base in _registry:
            return _registry[base]
    if inspect.isclass(python_type) and dataclasses.is_dataclass(python_type):
        return _fallbacks["dataclass"]
    return _fallbacks["pickle"]


def _is_text_enum(python_type: type[enum.Enum]) -> bool:
    return all(isinstance(member.value, str) for member in python_type)


def _import_for(python_type: Any) -> None:
    package = str(getattr(python_type, "__module__", "")).partition(".")[0]
    if package in _lazy_modules:
        with _import_lock:
            module = _lazy_modules.get(package)
            if module is not None:
                importlib.import_module(module)
                _lazy_modules.pop(package, None)


def is_pickled(python_type: Any) -> bool:
    """Whether values of a type travel as pickles, because nothing better is known."""
    return lookup(python_type) is _fallbacks["pickle"]


def literal_type(python_type: Any) -> types_pb2.LiteralType:
    """The contract's type of a Python type. The result is shared: copy it before changing it."""
    try:
        found = _type_cache.get(python_type)
    except TypeError:
        return _literal_type(python_type)
    if found is None:
        found = _type_cache[python_type] = _literal_type(python_type)
    return found


def _literal_type(python_type: Any) -> types_pb2.LiteralType:
    result = lookup(python_type).literal_type(python_type)
    extra = annotated.type_annotation(python_type)
    if extra is not None:
        merged = types_pb2.LiteralType()
        merged.CopyFrom(result)
        merged.annotation.annotations.update(extra)
        result = merged
    return result


def to_literal(value: Any, python_type: Any, expected: types_pb2.LiteralType | None = None) -> literals_pb2.Literal:
    """Encode a value as its declared type says.

    Args:
        value: What to encode.
        python_type: The declared type.
        expected: The contract's type; computed when left out.
    """
    served_by = lookup(python_type)
    result = served_by.to_literal(value, python_type, expected if expected is not None else literal_type(python_type))
    hashed = annotated.user_hash(value, python_type)
    if hashed is not None:
        result.hash = hashed
    return result


def to_python(literal: literals_pb2.Literal, python_type: Any) -> Any:
    """Decode a literal as its declared type says; reads what was offloaded."""
    if literal.WhichOneof("value") == "offloaded_metadata":
        literal = literals_pb2.Literal.FromString(router.read(literal.offloaded_metadata.uri))
    return lookup(python_type).to_python(literal, python_type)


def accept(value: Any, python_type: Any) -> Any:
    """Check a value that stays in Python; returns it, or its nearest equal of the declared type."""
    return lookup(python_type).accept(value, python_type)


def guess_python_type(known: types_pb2.LiteralType) -> Any:
    """A Python type that can hold values of a contract's type (of an entity that is known only by its interface)."""
    seen: set[int] = set()
    candidates: list[Callable[[types_pb2.LiteralType], Any]] = []
    for one in (*_registry.values(), *_fallbacks.values()):
        if id(one) not in seen:
            seen.add(id(one))
            candidates.append(one.guess)
    for guess in candidates:
        found = guess(known)
        if found is not None:
            return found
    return Any

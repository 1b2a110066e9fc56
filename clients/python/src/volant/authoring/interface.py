"""The typed signature of an entity, read from a function."""

from __future__ import annotations

import ast
import collections.abc
import dataclasses
import functools
import inspect
import sys
import textwrap
import typing
from collections.abc import Callable, Mapping
from typing import Any

from volant import errors
from volant.types import engine
from volantidl.core import interface_pb2

MISSING = inspect.Parameter.empty


@dataclasses.dataclass(frozen=True)
class Interface:
    """Names and types of what goes in and comes out."""

    inputs: Mapping[str, Any]
    """The type of each input, by name, in the order of the signature."""
    outputs: Mapping[str, Any]
    """The type of each output, by name."""
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Default values of inputs that have one."""
    output_class: type | None = None
    """The NamedTuple that outputs are given as, if one was declared."""
    docs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Descriptions of inputs and outputs, by name."""
    source: str = ""
    """File and line, for messages."""

    @functools.cached_property
    def typed(self) -> interface_pb2.TypedInterface:
        """The contract's form. It is shared: copy it before changing it."""
        return interface_pb2.TypedInterface(inputs=self._variables(self.inputs), outputs=self._variables(self.outputs))

    def _variables(self, types: Mapping[str, Any]) -> interface_pb2.VariableMap:
        return interface_pb2.VariableMap(
            variables={
                name: interface_pb2.Variable(
                    type=self._type_of(name, python_type), description=self.docs.get(name, name)
                )
                for name, python_type in types.items()
            }
        )

    def _type_of(self, name: str, python_type: Any) -> Any:
        try:
            return engine.literal_type(python_type)
        except errors.VolantError as cause:
            raise errors.DefinitionError(f"{self.source}: {name!r}: {cause}") from cause

    @property
    def required(self) -> list[str]:
        """Inputs without a default."""
        return [name for name in self.inputs if name not in self.defaults]

    def wrap_outputs(self, values: Mapping[str, Any]) -> Any:
        """Named output values as the function would have returned them."""
        if not self.outputs:
            return None
        if self.output_class is not None:
            make: Any = self.output_class
            return make(**values)
        if len(self.outputs) == 1:
            return next(iter(values.values()))
        return tuple(values[name] for name in self.outputs)

    def unwrap_outputs(self, result: Any) -> dict[str, Any]:
        """What a function returned, by the names of its outputs."""
        names = list(self.outputs)
        if not names:
            return {}
        if len(names) == 1 and self.output_class is None:
            return {names[0]: result}
        if len(names) == 1 and not isinstance(result, tuple):
            return {names[0]: result}
        if not isinstance(result, (tuple, list)) or len(result) != len(names):
            found = "one value" if not isinstance(result, (tuple, list)) else f"{len(result)}"
            raise errors.TypeMismatchError(
                f"expected a tuple of {len(names)} outputs ({', '.join(names)}), found {found}. Return one value for "
                f"each, or change the annotation"
            )
        return dict(zip(names, result, strict=True))


def interface_of(function: Callable[..., Any]) -> Interface:
    """Read a function's interface from its signature; what has no annotation may be anything."""
    signature = inspect.signature(function)
    hints = evaluated_hints(function)
    inputs: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if parameter.kind in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
            star = "*" if parameter.kind is inspect.Parameter.VAR_POSITIONAL else "**"
            raise errors.DefinitionError(
                f"{where(function)}: {function.__name__}() takes {star}{name}; the inputs of a task or workflow are "
                f"part of its interface, so each needs a name. Use a list or a dict instead"
            )
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise errors.DefinitionError(
                f"{where(function)}: {function.__name__}() takes {name!r} only by its place ('/' in its signature); "
                f"the inputs of a task or workflow are given by name. Remove the '/'"
            )
        inputs[name] = hints.get(name, Any)
        if parameter.default is not MISSING:
            defaults[name] = _accepted(function, name, parameter.default, inputs[name])
    outputs, output_class = _outputs(function, hints)
    return Interface(
        inputs=inputs,
        outputs=outputs,
        defaults=defaults,
        output_class=output_class,
        docs=_docs(function),
        source=where(function),
    )


def _accepted(function: Callable[..., Any], name: str, default: Any, python_type: Any) -> Any:
    """A default value, if it is of its type. None is often written for "not given", whatever the type."""
    if default is not None:
        try:
            engine.accept(default, python_type)
        except errors.TypeMismatchError as cause:
            raise errors.TypeMismatchError(
                f"{where(function)}: {function.__name__}(), the default of {name!r}: {cause}"
            ) from cause
    return default


def evaluated_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """A function's annotations, evaluated; names local to the functions that call us are found too."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as cause:
        frame = sys._getframe(1)  # noqa: SLF001 - the only way to see the names that an enclosing function defines
        while frame is not None:
            if frame.f_globals is getattr(function, "__globals__", None) and frame.f_locals is not frame.f_globals:
                try:
                    return typing.get_type_hints(function, localns=dict(frame.f_locals), include_extras=True)
                except NameError:
                    pass
            frame = frame.f_back  # type: ignore[assignment]
        raise errors.DefinitionError(
            f"{where(function)}: cannot evaluate the annotations of {function.__name__}(): {cause}. "
            f"Import or define the type before the function"
        ) from cause


def where(function: Callable[..., Any]) -> str:
    """A function's file and line, as they begin an error message."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else getattr(function, "__name__", "?")


def _outputs(function: Callable[..., Any], hints: Mapping[str, Any]) -> tuple[dict[str, Any], type | None]:
    if "return" not in hints:
        return _unannotated_outputs(function), None
    declared = hints["return"]
    if typing.get_origin(declared) in {collections.abc.Coroutine, collections.abc.Awaitable}:
        declared = typing.get_args(declared)[-1]
    if declared is None or declared is type(None) or declared is typing.NoReturn:
        return {}, None
    if isinstance(declared, type) and issubclass(declared, tuple) and hasattr(declared, "_fields"):
        fields = typing.get_type_hints(declared, include_extras=True)
        return {name: fields.get(name, Any) for name in declared._fields}, declared
    if declared is tuple or declared is typing.Tuple:  # noqa: UP006
        count = _returned_tuple_length(function)
        return ({f"o{n}": Any for n in range(count)} if count else {"o0": Any}), None
    if typing.get_origin(declared) is tuple:
        args = typing.get_args(declared)
        if len(args) == 2 and args[1] is Ellipsis:
            return {"o0": list[args[0]]}, None  # type: ignore[valid-type]
        return {f"o{n}": arg for n, arg in enumerate(args) if arg != ()}, None
    return {"o0": declared}, None


def _unannotated_outputs(function: Callable[..., Any]) -> dict[str, Any]:
    returns = _return_expressions(function)
    if returns is not None and all(one is None or _is_none(one) for one in returns):
        return {}
    count = _returned_tuple_length(function)
    return {f"o{n}": Any for n in range(count)} if count else {"o0": Any}


def _is_none(expression: ast.expr) -> bool:
    return isinstance(expression, ast.Constant) and expression.value is None


def _returned_tuple_length(function: Callable[..., Any]) -> int:
    """The number of values in the tuple that a function returns, where its source shows one number; else 0."""
    returns = _return_expressions(function)
    lengths = {
        len(one.elts) if isinstance(one, ast.Tuple) and not any(isinstance(e, ast.Starred) for e in one.elts) else 0
        for one in returns or ()
        if one is not None
    }
    return lengths.pop() if len(lengths) == 1 else 0


def _return_expressions(function: Callable[..., Any]) -> list[ast.expr | None] | None:
    """What the return statements of a function (not of those inside it) return; None where there's no source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    found: list[ast.expr | None] = []

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
                continue
            if isinstance(child, ast.Return):
                found.append(child.value)
            visit(child)

    for top in tree.body:
        if isinstance(top, (ast.FunctionDef, ast.AsyncFunctionDef)):
            visit(top)
    return found


def _docs(function: Callable[..., Any]) -> dict[str, str]:
    """Descriptions of arguments from a docstring in Google's or reStructuredText's style."""
    text = inspect.getdoc(function) or ""
    docs: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith(":param "):
            name, _, rest = stripped[len(":param ") :].partition(":")
            docs[name.split()[-1]] = rest.strip()
        elif stripped in {"Args:", "Arguments:", "Parameters:"}:
            section = "args"
        elif stripped.endswith(":") and not line.startswith(" "):
            section = ""
        elif section == "args" and ":" in stripped:
            name, _, rest = stripped.partition(":")
            name = name.partition("(")[0].strip()
            if name.isidentifier() and rest:
                docs[name] = rest.strip()
    return docs

"""Promises: what stands for a value while a workflow's body is traced into a graph."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from volant import errors, user_code
from volant.types import annotated, engine, plain, transformer
from volantidl.core import types_pb2

if TYPE_CHECKING:
    from volant.authoring.node import Node


class NeedsValueError(BaseException):
    """The traced code wants to look at a value that exists only when the workflow runs.

    Not an Exception, so that `except Exception` in a workflow's body doesn't catch it.
    """

    def __init__(self, operation: str, promise: str) -> None:
        self.operation = operation
        self.promise = promise
        self.line: str = user_code.caller_line()
        super().__init__(f"{self.line}: {operation} needs the value of {promise}, which exists only at run time")


Path = tuple[str | int, ...]


class Promise:
    """The output of a node (or an input of the workflow) before it exists.

    It can be passed on, indexed, asked for attributes and compared inside `conditional`. Anything else needs the value.
    """

    def __init__(self, node: Node | None, var: str, python_type: Any, literal_type: Any, path: Path = ()) -> None:
        self._node = node
        self._var = var
        self._python_type = python_type
        self._literal_type: types_pb2.LiteralType | None = literal_type
        self._path = path

    def __repr__(self) -> str:
        source = f"{self._node.id}.{self._var}" if self._node is not None else f"input {self._var}"
        return f"<Promise {source}{''.join(f'[{part!r}]' for part in self._path)}>"

    def _origin(self) -> str:
        """Where it comes from, in a reader's words."""
        path = "".join(f"[{part!r}]" for part in self._path)
        if self._node is None:
            return f"the workflow's input {self._var}{path}"
        return f"the output {self._var}{path} of {self._node.entity.title}, called at {self._node.line}"

    # ---- graph

    @property
    def node(self) -> Node | None:
        """The node whose output this is; None for the workflow's own inputs."""
        return self._node

    def with_overrides(self, **overrides: Any) -> Promise:
        """Change how the node that makes this value is run; see `Node.with_overrides`."""
        self._own_node().with_overrides(**overrides)
        return self

    def __rshift__(self, other: Any) -> Any:
        self._own_node().runs_before(other)
        return other

    def runs_before(self, other: Any) -> None:
        """Let another node start only after this value's node has ended."""
        self._own_node().runs_before(other)

    def _own_node(self) -> Node:
        if self._node is None:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: {self._var} is an input of the workflow, not a node's output"
            )
        return self._node

    # ---- attribute paths

    def __getitem__(self, key: str | int) -> Promise:
        if isinstance(key, bool) or not isinstance(key, (str, int)) or (isinstance(key, int) and key < 0):
            raise NeedsValueError(f"[{key!r}]", repr(self))
        base = annotated.bare(self._python_type)
        kind, args = typing.get_origin(base) or base, typing.get_args(base)
        if kind is list:
            return self._part(key, args[0] if args else Any)
        if kind is dict:
            return self._part(key, args[1] if len(args) == 2 else Any)
        if base is Any or kind is tuple:
            return self._part(key, Any)
        raise NeedsValueError(f"[{key!r}]", repr(self))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        base = annotated.bare(self._python_type)
        fields = _fields(base)
        if fields is not None and name in fields:
            return self._part(name, fields[name])
        if base is Any or hasattr(base, name):
            raise NeedsValueError(f".{name}", repr(self))
        hint = f"; it has {', '.join(fields)}{user_code.near_miss(name, fields)}" if fields else ""
        raise AttributeError(f"{user_code.caller_line()}: {transformer.describe(base)} has no attribute {name!r}{hint}")

    def _part(self, key: str | int, python_type: Any) -> Promise:
        known = None if python_type is Any else engine.literal_type(python_type)
        return Promise(self._node, self._var, python_type, known, (*self._path, key))

    # ---- comparisons, for conditional

    def __eq__(self, other: object) -> Any:
        return Comparison("==", self, other)

    def __ne__(self, other: object) -> Any:
        return Comparison("!=", self, other)

    def __lt__(self, other: object) -> Any:
        return Comparison("<", self, other)

    def __le__(self, other: object) -> Any:
        return Comparison("<=", self, other)

    def __gt__(self, other: object) -> Any:
        return Comparison(">", self, other)

    def __ge__(self, other: object) -> Any:
        return Comparison(">=", self, other)

    def __hash__(self) -> int:
        return id(self)

    def is_true(self) -> Comparison:
        """The value is True."""
        return Comparison("==", self, True)

    def is_false(self) -> Comparison:
        """The value is False."""
        return Comparison("==", self, False)

    def is_(self, value: bool) -> Comparison:
        """The value is this truth value."""
        return Comparison("==", self, value)

    def is_none(self) -> Comparison:
        """The value is None."""
        return Comparison("==", self, None)

    # ---- everything else needs the value

    @property  # type: ignore[misc]
    def __class__(self) -> type[Promise]:
        """Asked for by isinstance(), which needs the value unless it's we who ask."""
        asker = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 - the only way to tell who asks
        if asker.partition(".")[0] == "volant":
            return Promise
        raise NeedsValueError("isinstance()", repr(self))

    def __bool__(self) -> bool:
        raise NeedsValueError("a condition (if, and, or, not)", repr(self))

    def __iter__(self) -> Iterator[Any]:
        raise NeedsValueError("a loop or an unpacking", repr(self))


def _needing(operation: str) -> Any:
    def method(self: Promise, *_: Any, **__: Any) -> NoReturn:
        raise NeedsValueError(operation, repr(self))

    return method


_OPERATIONS = {
    "__len__": "len()",
    "__contains__": "in",
    "__int__": "int()",
    "__float__": "float()",
    "__index__": "use as an index",
    "__complex__": "complex()",
    "__str__": "str()",
    "__format__": "formatting",
    "__bytes__": "bytes()",
    "__fspath__": "use as a path",
    "__round__": "round()",
    "__call__": "a call",
    "__enter__": "with",
    "__exit__": "with",
    "__await__": "await",
    "__next__": "next()",
    "__setitem__": "an assignment to an item",
    "__delitem__": "del",
    "__reversed__": "reversed()",
    **{f"__{name}__": name for name in ("abs", "neg", "pos", "invert")},
    **{
        f"__{side}{name}__": name
        for name in (
            "add",
            "sub",
            "mul",
            "matmul",
            "truediv",
            "floordiv",
            "mod",
            "divmod",
            "pow",
            "lshift",
            "and",
            "or",
            "xor",
        )
        for side in ("", "r")
    },
    "__rrshift__": "rshift",
}
for _name, _operation in _OPERATIONS.items():
    setattr(Promise, _name, _needing(_operation))


def _fields(python_type: Any) -> dict[str, Any] | None:
    """The fields of a class whose values are plain data; None for other types."""
    kind = typing.get_origin(python_type) or python_type
    if not isinstance(kind, type):
        return None
    if dataclasses.is_dataclass(kind):
        hints = plain.hints_of(kind)
        return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
    model_fields = getattr(kind, "model_fields", None)
    if isinstance(model_fields, Mapping):
        return {name: field.annotation for name, field in model_fields.items()}
    return None


def make_outputs(node: Node) -> Any:
    """What calling an entity gives while tracing: a promise, or a tuple of promises."""
    outputs = node.entity.interface.outputs
    types = node.entity.interface.typed.outputs.variables
    promises = {name: Promise(node, name, python_type, types[name].type) for name, python_type in outputs.items()}
    node.outputs = promises
    if len(promises) == 1 and node.entity.interface.output_class is None:
        return next(iter(promises.values()))
    return NodeOutputs(node, promises)


class NodeOutputs:
    """The outputs of a node that has none or several: unpacks like a tuple, and gives each by its name."""

    def __init__(self, node: Node, promises: Mapping[str, Promise]) -> None:
        self._node = node
        self._promises = dict(promises)

    @property
    def node(self) -> Node:
        """The node."""
        return self._node

    def __iter__(self) -> Iterator[Promise]:
        return iter(self._promises.values())

    def __len__(self) -> int:
        return len(self._promises)

    def __getitem__(self, index: int) -> Promise:
        return list(self._promises.values())[index]

    def __getattr__(self, name: str) -> Promise:
        promises = self.__dict__.get("_promises", {})
        if name in promises:
            found: Promise = promises[name]
            return found
        raise AttributeError(
            f"{user_code.caller_line()}: this node has no output {name!r}; it has {', '.join(promises) or 'none'}"
            f"{user_code.near_miss(name, promises)}"
        )

    def __repr__(self) -> str:
        return f"<Outputs of {self._node.id}: {', '.join(self._promises) or 'none'}>"

    def with_overrides(self, **overrides: Any) -> NodeOutputs:
        """Change how the node is run; see `Node.with_overrides`."""
        self._node.with_overrides(**overrides)
        return self

    def __rshift__(self, other: Any) -> Any:
        self._node.runs_before(other)
        return other

    def runs_before(self, other: Any) -> None:
        """Let another node start only after this one has ended."""
        self._node.runs_before(other)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


class Expression:
    """A condition of `conditional`, made by comparing promises; combined with `&` and `|`."""

    def __and__(self, other: object) -> Conjunction:
        return Conjunction("and", self, _expression(other))

    def __or__(self, other: object) -> Conjunction:
        return Conjunction("or", self, _expression(other))

    def __bool__(self) -> bool:
        raise NeedsValueError("a condition (if, and, or, not)", repr(self))

    def promises(self) -> list[Promise]:
        """The promises that it compares."""
        raise NotImplementedError


def _expression(value: object) -> Expression:
    if isinstance(value, Expression):
        return value
    hint = ". A truth value is compared by .is_true()" if isinstance(value, Promise) else ""
    raise errors.DefinitionError(f"{user_code.caller_line()}: expected a comparison, found {value!r}{hint}")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Comparison(Expression):
    """A promise compared with a constant or another promise."""

    operator: str
    left: Any
    right: Any

    def __repr__(self) -> str:
        return f"{self.left!r} {self.operator} {self.right!r}"

    def promises(self) -> list[Promise]:
        """The promises on both sides."""
        return [side for side in (self.left, self.right) if isinstance(side, Promise)]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Conjunction(Expression):
    """Two conditions, both or either of which must hold."""

    operator: str
    left: Expression
    right: Expression

    def __repr__(self) -> str:
        return f"({self.left!r}) {self.operator} ({self.right!r})"

    def promises(self) -> list[Promise]:
        """The promises on both sides."""
        return [*self.left.promises(), *self.right.promises()]

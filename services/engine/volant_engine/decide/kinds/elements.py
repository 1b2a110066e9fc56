"""What an array node is made of: its size, inputs and outputs of its elements, the sum of their errors. Pure data."""

import array
import collections
import dataclasses
import math
from collections.abc import Collection, Mapping

from volant_core.model import literals
from volant_engine.decide import commands
from volantidl.core import (
    catalog_pb2,
    execution_pb2,
    interface_pb2,
    literals_pb2,
    tasks_pb2,
    types_pb2,
)

NEW, LIVE, DONE, FAILED = range(4)
"""Where an element is."""


class SizeError(Exception):
    """The inputs do not make an array. The text is Flyte's."""


def size_of(inputs: literals_pb2.LiteralMap, bound: Collection[str]) -> int:
    """How many elements there are: the length of the list inputs that are not bound."""
    size = -1
    for name in sorted(inputs.literals):
        literal = inputs.literals[name]
        if name in bound or literal.WhichOneof("value") != "collection":
            continue
        length = len(literal.collection.literals)
        if size < 0:
            size = length
        elif size != length:
            raise SizeError(f"input arrays have different lengths: expecting '{size}' found '{length}'")
    if size < 0:
        if len(bound) != len(inputs.literals):
            raise SizeError("no input array provided")
        return 1
    return size


def inputs_of(inputs: literals_pb2.LiteralMap, bound: Collection[str], index: int) -> literals_pb2.LiteralMap:
    """The inputs of one element."""
    result = literals_pb2.LiteralMap()
    for name, literal in inputs.literals.items():
        if name in bound or literal.WhichOneof("value") != "collection":
            result.literals[name].CopyFrom(literal)
        else:
            result.literals[name].CopyFrom(literal.collection.literals[index])
    return result


def element_task(task: tasks_pb2.TaskTemplate, bound: Collection[str], *, original: bool) -> tasks_pb2.TaskTemplate:
    """The task with the interface of one element, which is what its cache entries belong to."""
    if original:
        return task
    result = tasks_pb2.TaskTemplate()
    result.CopyFrom(task)
    for variables, kept in ((result.interface.inputs, bound), (result.interface.outputs, ())):
        for name, variable in variables.variables.items():
            if name not in kept:
                _unwrap(variable)
    return result


def _unwrap(variable: interface_pb2.Variable) -> None:
    if variable.type.WhichOneof("type") == "collection_type":
        inner = types_pb2.LiteralType()
        inner.CopyFrom(variable.type.collection_type)
        variable.type.CopyFrom(inner)


def least_successes(size: int, *, minimum: int | None, ratio: float | None) -> int:
    """How many elements must succeed."""
    if minimum is not None:
        return minimum
    if ratio is not None and math.isfinite(ratio):
        # The ratio comes as 32 bits: 0.1 of 10 is one, not two.
        return math.ceil(round(float(f"{ratio:.6g}") * size, 6))
    return size


@dataclasses.dataclass(slots=True, eq=False)
class Flight:
    """An element that is being looked up, run, stopped or stored."""

    index: int
    number: int
    """Its attempt."""
    name: str = ""
    """Of its attempt, once launched."""
    child: str = ""
    """Of its child execution, where it is one."""
    child_known: bool = False
    launched: bool = False
    started_at: float = 0.0
    key: commands.CacheKey | None = None
    cache_status: catalog_pb2.CatalogCacheStatus.ValueType = catalog_pb2.CACHE_DISABLED
    logs: tuple[execution_pb2.TaskLog, ...] = ()
    stopping: execution_pb2.ExecutionError | None = None
    """Why it is being stopped, when that is for its own sake (a time-out)."""
    outputs: literals_pb2.LiteralMap | None = None


class Outputs:
    """What the elements have put out, as bytes: small ones held, large ones left in their files."""

    def __init__(self, size: int, held: int) -> None:
        """For `size` elements, each held up to `held` bytes."""
        self._size = size
        self._held = held
        self._values: dict[str, list[bytes | None]] = {}
        """Serialized literals by name, one for each element."""
        self.elsewhere: dict[int, str] = {}
        """Elements whose outputs are only in a file: where."""

    def keep(self, index: int, outputs: literals_pb2.LiteralMap | None, uri: str) -> None:
        """Take an element's outputs, which are at `uri` as well."""
        if outputs is None or (uri and outputs.ByteSize() > self._held):
            self.elsewhere[index] = uri
            return
        self.elsewhere.pop(index, None)
        self.put(index, {name: literal.SerializeToString() for name, literal in outputs.literals.items()})

    def put(self, index: int, values: Mapping[str, bytes]) -> None:
        """Take an element's outputs as serialized literals."""
        for name, data in values.items():
            if name not in self._values:
                self._values[name] = [None] * self._size
            self._values[name][index] = data

    def held(self, index: int) -> dict[str, bytes]:
        """What is held of an element."""
        return {name: data for name, values in self._values.items() if (data := values[index]) is not None}

    def gather(
        self, names: Collection[str] | None, fetched: Mapping[str, literals_pb2.LiteralMap]
    ) -> literals_pb2.LiteralMap:
        """One list for each output (of those that are named, or seen); elements that failed are None in it."""
        for index, uri in self.elsewhere.items():
            self.put(index, {name: one.SerializeToString() for name, one in fetched[uri].literals.items()})
        nothing = literals.none().SerializeToString()
        result = literals_pb2.LiteralMap()
        for name in self._values if names is None else names:
            values = self._values.get(name) or [None] * self._size
            # The items of a list are put together as bytes: a hundred thousand messages would hold everything up.
            listed = b"".join([_item(nothing if data is None else data) for data in values])
            result.literals[name].collection.MergeFromString(listed)
        return result


_ITEM_TAG = bytes([literals_pb2.LiteralCollection.LITERALS_FIELD_NUMBER << 3 | 2])


def _item(data: bytes) -> bytes:
    """A serialized literal as an item of a serialized collection."""
    length = len(data)
    if length < 128:
        return _ITEM_TAG + bytes((length,)) + data
    size = bytearray()
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    size.append(length)
    return _ITEM_TAG + size + data


class Errors:
    """Errors of elements, those with the same text together."""

    def __init__(self) -> None:
        """None yet."""
        self._indexes: dict[str, array.array[int]] = {}
        self.first: execution_pb2.ExecutionError | None = None

    def add(self, index: int, error: execution_pb2.ExecutionError) -> None:
        """An element failed for good."""
        if self.first is None:
            self.first = error
        self._indexes.setdefault(error.message, array.array("L")).append(index)

    def summary(self, limit: int = 102400) -> str:
        """All texts with the elements that they are of, cut at `limit` characters."""
        parts: list[str] = []
        room = limit
        for message, indexes in self._indexes.items():
            part = f"{_ranges(sorted(indexes))}: {message}\n"[:room]
            parts.append(part)
            room -= len(part)
            if room <= 0:
                break
        return "".join(parts)


def _ranges(indexes: list[int]) -> str:
    texts = []
    begin = last = indexes[0]
    for index in [*indexes[1:], -1]:
        if index == last + 1:
            last = index
            continue
        texts.append(f"[{begin}]" if begin == last else f"[{begin}-{last}]")
        begin = last = index
    return "".join(texts)


class Progress:
    """How far an array node is."""

    __slots__ = (
        "bound",
        "done",
        "errors",
        "failed",
        "failing",
        "fetched",
        "flights",
        "frees",
        "least",
        "most",
        "next",
        "numbers",
        "outputs",
        "queue",
        "ran",
        "ready",
        "size",
        "states",
        "systems",
        "task",
    )

    def __init__(self, size: int, least: int, most: int, bound: frozenset[str], held: int) -> None:
        """Nothing is launched yet."""
        self.size = size
        self.least = least
        """Successes needed."""
        self.most = most
        """Elements in flight at once."""
        self.bound = bound
        self.states = bytearray(size)
        self.numbers = array.array("H", bytes(2 * size))
        """Attempts, by element."""
        self.systems = bytearray(size)
        """System failures, by element."""
        self.frees = array.array("H", bytes(2 * size))
        """Attempts that the platform itself ended, by element."""
        self.next = 0
        self.queue: collections.deque[int] = collections.deque()
        """Elements to be launched before those that are next."""
        self.ran: set[int] = set()
        """Of these, the ones whose attempt an engine before this one had seen running."""
        self.flights: dict[int, Flight] = {}
        self.done = 0
        self.failed = 0
        self.failing = False
        self.ready = False
        """Whether the inputs are where elements read them."""
        self.outputs = Outputs(size, held)
        self.errors = Errors()
        self.task: tasks_pb2.TaskTemplate | None = None
        """As its cache entries know it; made when first needed."""
        self.fetched: dict[str, literals_pb2.LiteralMap] = {}

"""Eager bodies: the function runs as it is; each call starts at once and gives a value that waits when looked at."""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import inspect
import itertools
import operator
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from volant.authoring import calls, entity, interface, task
from volant.local import threads


class Value:
    """The result of a call that runs already. Anything done with it waits for the result and is done with that."""

    __slots__ = ("_volant_future", "_volant_pick")

    def __init__(self, future: concurrent.futures.Future[Any], pick: Callable[[Any], Any] | None = None) -> None:
        object.__setattr__(self, "_volant_future", future)
        object.__setattr__(self, "_volant_pick", pick)

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return type(value_of(self))
        if name in {"_volant_future", "_volant_pick", "__await__"}:
            return object.__getattribute__(self, name)
        value = value_of(self)
        extra = _TRUTH.get(name)
        if extra is not None and not hasattr(value, name):
            return extra(value)
        return getattr(value, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(value_of(self), name, value)

    def __await__(self) -> Generator[Any, Any, Any]:
        async def wait() -> Any:
            import asyncio  # noqa: PLC0415 - only async bodies need it

            future = object.__getattribute__(self, "_volant_future")
            await asyncio.wait([asyncio.wrap_future(future)])
            return value_of(self)

        return wait().__await__()


_TRUTH: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "is_true": lambda value: lambda: value is True,
    "is_false": lambda value: lambda: value is False,
    "is_none": lambda value: lambda: value is None,
    "is_": lambda value: lambda other: value is other,
    "with_overrides": lambda value: lambda **_: value,
}


def value_of(value: Any) -> Any:
    """The result behind a Value, waited for; anything else as it is."""
    if type(value) is not Value:
        return value
    future = object.__getattribute__(value, "_volant_future")
    future.was_looked_at = True  # the body may live with its failure
    result = future.result()
    pick = object.__getattribute__(value, "_volant_pick")
    return pick(result) if pick is not None else result


def settle(value: Any) -> Any:
    """A value with all Values inside lists, tuples, dictionaries and dataclasses waited for."""
    value = value_of(value)
    kind = type(value)
    if kind in {list, set, frozenset}:
        return kind(settle(item) for item in value) if _holds_values(value) else value
    if kind is dict:
        return {key: settle(item) for key, item in value.items()} if _holds_values(value.values()) else value
    if isinstance(value, tuple) and _holds_values(value):
        items = [settle(item) for item in value]
        return kind(*items) if hasattr(kind, "_fields") else tuple(items)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
        if _holds_values(changes.values()):
            return dataclasses.replace(value, **{name: settle(item) for name, item in changes.items()})
    return value


def awaited(value: Any) -> list[concurrent.futures.Future[Any]]:
    """The futures, not done yet, of all Values inside lists, tuples, dictionaries and dataclasses."""
    if type(value) is Value:
        future = object.__getattribute__(value, "_volant_future")
        return [] if future.done() else [future]
    items: Any = ()
    if isinstance(value, dict):
        items = value.values()
    elif isinstance(value, (list, tuple, set, frozenset)):
        items = value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = [getattr(value, f.name) for f in dataclasses.fields(value) if f.init]
    return [future for item in items for future in awaited(item)] if _holds_values(items) else []


def when_done(futures: Sequence[concurrent.futures.Future[Any]], begin: Callable[[], object]) -> None:
    """Call `begin` once all are done: now, or in the thread in which the last of them comes to its end."""
    if not futures:
        begin()
        return
    left = itertools.count(len(futures) - 1, -1)

    def ended(_: concurrent.futures.Future[Any]) -> None:
        if next(left) == 0:
            begin()

    for future in futures:
        future.add_done_callback(ended)


def _holds_values(items: Any) -> bool:
    return any(type(item) is Value or isinstance(item, (list, tuple, dict, set, frozenset)) for item in items)


def _unary(function: Callable[[Any], Any]) -> Any:
    return lambda self: function(value_of(self))


def _binary(function: Callable[[Any, Any], Any]) -> Any:
    return lambda self, other: function(value_of(self), value_of(other))


def _reflected(function: Callable[[Any, Any], Any]) -> Any:
    return lambda self, other: function(value_of(other), value_of(self))


def _named(name: str) -> Any:
    return lambda self, *args, **kwargs: getattr(value_of(self), name)(*args, **kwargs)


def _as_array(self: Value, *args: Any, **kwargs: Any) -> Any:
    import numpy as np  # noqa: PLC0415 - numpy itself asks

    return np.asarray(value_of(self), *args, **kwargs)


def _equip() -> None:
    """Give Value every operator; each waits for the result."""
    methods: dict[str, Any] = {
        "__bool__": _unary(bool),
        "__len__": _unary(len),
        "__iter__": _unary(iter),
        "__next__": _unary(next),
        "__int__": _unary(int),
        "__float__": _unary(float),
        "__complex__": _unary(complex),
        "__index__": _unary(operator.index),
        "__str__": _unary(str),
        "__repr__": _unary(repr),
        "__bytes__": _unary(bytes),
        "__hash__": _unary(hash),
        "__reversed__": _unary(reversed),
        "__neg__": _unary(operator.neg),
        "__pos__": _unary(operator.pos),
        "__abs__": _unary(abs),
        "__invert__": _unary(operator.invert),
        "__contains__": _binary(operator.contains),
        "__getitem__": _binary(operator.getitem),
        "__delitem__": _binary(operator.delitem),
        "__setitem__": lambda self, key, item: operator.setitem(value_of(self), key, item),
        "__format__": lambda self, spec: format(value_of(self), spec),
        "__round__": lambda self, *digits: round(value_of(self), *digits),
        "__fspath__": _unary(os.fspath),
        "__array__": _as_array,
        "__copy__": _unary(copy.copy),
        "__deepcopy__": lambda self, memo: copy.deepcopy(value_of(self), memo),
        "__call__": lambda self, *args, **kwargs: value_of(self)(*args, **kwargs),
        "__enter__": _named("__enter__"),
        "__exit__": _named("__exit__"),
        "__reduce_ex__": lambda self, protocol: value_of(self).__reduce_ex__(protocol),
        "__dir__": _unary(dir),
    }
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        methods[f"__{name}__"] = _binary(getattr(operator, name))
    names = (
        "add",
        "sub",
        "mul",
        "matmul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "lshift",
        "rshift",
        "and_",
        "or_",
        "xor",
    )
    for name in names:
        bare = name.rstrip("_")
        methods[f"__{bare}__"] = _binary(getattr(operator, name))
        methods[f"__r{bare}__"] = _reflected(getattr(operator, name))
    methods["__divmod__"], methods["__rdivmod__"] = _binary(divmod), _reflected(divmod)
    for name, method in methods.items():
        setattr(Value, name, method)


_equip()


class ThreadDriver:
    """Makes calls of an eager body threads of this process."""

    def __init__(self) -> None:
        self._children: list[concurrent.futures.Future[Any]] = []
        self._lane = threads.Lane(threads.CALLS_AT_ONCE)

    def call(self, called: entity.Entity, inputs: Mapping[str, Any]) -> Any:
        """Start the call; it waits for its inputs itself."""
        given = dict(inputs)
        future = self._lane.start(lambda: self._run(called, given))
        self._children.append(future)
        return values_of_call(called.interface, future)

    def _run(self, called: entity.Entity, given: Mapping[str, Any]) -> Any:
        with calls.made_by(None):
            settled = {name: settle(value) for name, value in given.items()}
            if isinstance(called, task.PythonTask) and not called.is_eager:
                from volant.local import execution  # noqa: PLC0415 - it stands on top of this module

                return execution.run_entity(called, settled)
            result = called.run(settled)
            return task.wait_for(result) if inspect.iscoroutine(result) else result

    def cancel(self) -> None:
        """The body has failed: what still runs isn't needed. Threads cannot be ended; they are left alone."""

    def finish(self) -> None:
        """Wait for every call; raises the first failure that the body has not seen."""
        for child in self._children:
            error = child.exception()
            if error is not None and not hasattr(child, "was_looked_at"):
                raise error


def values_of_call(signature: interface.Interface, future: concurrent.futures.Future[Any]) -> Any:
    """What a call gives at once: a value, or a tuple of values, of which each waits by itself."""
    names = list(signature.outputs)
    if signature.output_class is not None:
        make: Any = signature.output_class
        return make(*(Value(future, operator.itemgetter(place)) for place in range(len(names))))
    if len(names) > 1:
        return tuple(Value(future, operator.itemgetter(place)) for place in range(len(names)))
    return Value(future)


def run_body(
    function: Callable[..., Any],
    signature: interface.Interface,  # noqa: ARG001 - kept beside the function that it describes
    inputs: Mapping[str, Any],
    driver: ThreadDriver | None = None,
) -> Any:
    """Run an eager body here; gives what it returned, complete.

    Args:
        function: The body.
        signature: Its interface.
        inputs: Its complete inputs.
        driver: What its calls become; threads of this process by default.
    """
    driver = driver or ThreadDriver()
    try:
        with calls.made_by(driver):
            result = function(**inputs)
            if inspect.iscoroutine(result):
                result = task.wait_for(result)
        settled = settle(result)
        driver.finish()
    except BaseException:
        driver.cancel()
        raise
    return settled

"""Eager bodies on a platform: each call becomes a child, which has the same name in every attempt of the driver.

A driver that is started again finds the children of its earlier life by their names, and runs none of them twice. What
a child is, a `Place` knows: a node below the driver's own on our platform, an execution on a Flyte.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import dataclasses
import functools
import hashlib
import inspect
import os
import signal
import sys
import threading
import types
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from volant import errors
from volant.authoring import calls, driver, entity, mapping, node, task
from volant.local import caching, eager, threads
from volant.runtime import executions, nodes
from volant.serialization import settings as serialization_settings
from volant.types import engine
from volantidl.core import literals_pb2

_DECODED_AT_ONCE = 8


class Place(Protocol):
    """Where the children of a driver run."""

    def takes(self, called: entity.Entity) -> bool:
        """Whether it can run such a thing as one child."""
        ...

    def start(
        self, called: entity.Entity, inputs: Mapping[str, literals_pb2.Literal], key: str
    ) -> concurrent.futures.Future[Callable[[], Mapping[str, literals_pb2.Literal]]]:
        """Start a child, or find the one of that key; what reads its outputs, or raises TaskFailedError."""
        ...

    def close(self, *, failed: bool) -> None:
        """The driver has ended; when it failed, its children are not needed."""
        ...


def available() -> bool:
    """Whether this process knows of a platform that can run children."""
    knows_platform = nodes.available() or bool(os.environ.get("FLYTE_PLATFORM_URL"))
    return knows_platform and bool(os.environ.get(serialization_settings.ENVIRONMENT_VARIABLE))


class PlatformDriver(eager.ThreadDriver):
    """Makes calls of an eager body children on the platform."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place
        self._decoding = threads.Lane(_DECODED_AT_ONCE)
        self._made: Counter[str] = Counter()
        self._lock = threading.Lock()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._terminated)

    def _terminated(self, number: int, frame: types.FrameType | None) -> None:  # noqa: ARG002 - the signal's interface
        self.cancel()
        sys.exit(128 + number)

    def cancel(self) -> None:
        """The body has failed: what still runs isn't needed."""
        self._place.close(failed=True)

    def finish(self) -> None:
        """Wait for every call; raises the first failure that the body has not seen."""
        super().finish()
        self._place.close(failed=False)

    def call(self, called: entity.Entity, inputs: Mapping[str, Any]) -> Any:
        """Start the child when its inputs are there."""
        given = dict(inputs)
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._children.append(future)
        begin = functools.partial(self._lane.start, functools.partial(self._begin, called, given, future))
        # In this context, whichever thread it is in which the inputs come to be there.
        eager.when_done(eager.awaited(given), functools.partial(contextvars.copy_context().run, begin))
        return eager.values_of_call(called.interface, future)

    def _begin(self, called: entity.Entity, given: Mapping[str, Any], future: concurrent.futures.Future[Any]) -> None:
        try:
            with calls.made_by(None):
                settled = {name: eager.settle(value) for name, value in given.items()}
                if self._place.takes(called):
                    self._start(called, settled, future)
                elif isinstance(called, mapping.MapTask):
                    future.set_result(self._mapped(called, settled))
                else:
                    result = called.run(settled)
                    future.set_result(task.wait_for(result) if inspect.iscoroutine(result) else result)
        except BaseException as error:  # noqa: BLE001 - handed to whoever looks at the call's value
            future.set_exception(error)

    def _start(self, called: entity.Entity, settled: Mapping[str, Any], future: concurrent.futures.Future[Any]) -> None:
        literals = _encode(called, settled)
        started = self._place.start(called, literals, self._key_of(called, literals))

        def decode() -> None:
            try:
                outputs = started.result()()
                kinds = called.interface.outputs
                values = {name: engine.to_python(outputs[name], kind) for name, kind in kinds.items()}
                future.set_result(called.interface.wrap_outputs(values))
            except BaseException as error:  # noqa: BLE001 - handed to whoever looks at the call's value
                future.set_exception(error)

        begin = functools.partial(self._decoding.start, decode)
        eager.when_done([started], functools.partial(contextvars.copy_context().run, begin))

    def _mapped(self, called: mapping.MapTask, settled: Mapping[str, Any]) -> Any:
        """Each element a child of its own, where the place knows no arrays."""
        bound = {**called.bound, **{name: settled[name] for name in called.bound if name in settled}}
        count = len(settled[called.listed[0]]) if called.listed else 0
        elements = [{**bound, **{name: settled[name][index] for name in called.listed}} for index in range(count)]
        lane = threads.Lane(called.concurrency or threads.AT_ONCE)

        def run(element: Mapping[str, Any]) -> Any:
            future: concurrent.futures.Future[Any] = concurrent.futures.Future()
            self._start(called.target, element, future)
            return future.result()

        running = [lane.start(functools.partial(run, element)) for element in elements]
        return [one.result() for one in running] if called.interface.outputs else None

    def _key_of(self, called: entity.Entity, literals: Mapping[str, literals_pb2.Literal]) -> str:
        """A name that is the same for the same call in every attempt, whatever the order in which calls are made.

        Made of what is called, with what, and the how manyth such call it is. Values that lie outside of their literals
        count by their hashes: each attempt stores them somewhere else.
        """
        digest = hashlib.sha256(f"{type(called).__name__}\0{called.name}\0".encode())
        for name in sorted(literals):
            digest.update(name.encode() + b"\0")
            digest.update(caching.collapsed(literals[name]).SerializeToString(deterministic=True))
        key = f"{node.dns_name(called.short_name)[:40]}-{digest.hexdigest()[:16]}"
        with self._lock:
            self._made[key] += 1
            count = self._made[key]
        return key if count == 1 else f"{key}-{count}"


def _encode(called: entity.Entity, inputs: Mapping[str, Any]) -> dict[str, literals_pb2.Literal]:
    variables = called.interface.typed.inputs.variables
    literals = {}
    has_defaults = isinstance(called, (task.Task, mapping.MapTask))
    complete = {**called.interface.defaults, **inputs} if has_defaults else inputs
    for name, value in complete.items():
        try:
            literals[name] = engine.to_literal(value, called.interface.inputs[name], variables[name].type)
        except errors.TypeMismatchError as cause:
            raise errors.TypeMismatchError(f"{called.name}, input {name!r}: {cause}") from cause
    return literals


def execute(
    found: driver.DriverTask | task.PythonTask[..., Any], inputs: Mapping[str, Any], distribution: str, destination: str
) -> Any:
    """Run an eager body; its calls become children where there's a platform, else threads of this process."""
    if not available():
        return eager.run_body(found.function, found.interface, inputs)
    settings = serialization_settings.SerializationSettings.from_environment()
    if distribution:
        settings = dataclasses.replace(
            settings, distribution=distribution, destination=destination or settings.destination
        )
    place: Place = nodes.Nodes(settings) if nodes.available() else executions.Executions(settings)
    return eager.run_body(found.function, found.interface, inputs, PlatformDriver(place))

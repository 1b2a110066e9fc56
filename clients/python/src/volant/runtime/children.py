"""Eager bodies on a platform: each call becomes a child execution, whose name tells which call it is.

A driver that is started again finds the children of its earlier life by their names, and runs none of them twice.
"""

from __future__ import annotations

import contextlib
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
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from volant import context, errors
from volant.authoring import calls, driver, entity, launch_plan, mapping, reference, task, workflow
from volant.local import eager, threads
from volant.serialization import settings as serialization_settings
from volant.types import engine
from volantidl.core import literals_pb2

if TYPE_CHECKING:
    from volant.client import execution

_NAME_LENGTH = 20
_LONGEST_POLL = 0.25
"""Seconds between two looks at a child."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def available() -> bool:
    """Whether this process knows of a platform that can run children."""
    return bool(os.environ.get("FLYTE_PLATFORM_URL") and os.environ.get(serialization_settings.ENVIRONMENT_VARIABLE))


class PlatformDriver(eager.ThreadDriver):
    """Makes calls of an eager body child executions of this platform."""

    def __init__(self, distribution: str, destination: str) -> None:
        super().__init__()
        from volant.client import remote  # noqa: PLC0415 - only eager tasks talk to the platform

        settings = serialization_settings.SerializationSettings.from_environment()
        if distribution:
            settings = dataclasses.replace(
                settings, distribution=distribution, destination=destination or settings.destination
            )
        self._settings = settings
        self._remote = remote.Remote(project=settings.project, domain=settings.domain)
        # The attempt's folder without the attempt: the same for a driver that is started again.
        self._identity = context.current_context().output_metadata_prefix.rstrip("/").rpartition("/")[0]
        self._made: Counter[str] = Counter()
        self._registered: set[str] = set()
        self._running: dict[str, execution.Execution] = {}
        self._lock = threading.Lock()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._terminated)

    def _terminated(self, number: int, frame: types.FrameType | None) -> None:  # noqa: ARG002 - the signal's interface
        self.cancel()
        sys.exit(128 + number)

    def cancel(self) -> None:
        """End the children that still run."""
        for child in list(self._running.values()):
            with contextlib.suppress(errors.VolantError):
                child.abort("the eager execution that started it has ended")

    def call(self, called: entity.Entity, inputs: Mapping[str, Any]) -> Any:
        """Start the child when its inputs are there."""
        # Numbered here, in the order of the body's calls: threads would number them in the order of their luck.
        self._made[called.name] += 1
        number = self._made[called.name]
        given = dict(inputs)
        future = self._lane.start(lambda: self._child(called, given, number))
        self._children.append(future)
        return eager.values_of_call(called.interface, future)

    def _child(self, called: entity.Entity, given: Mapping[str, Any], number: int) -> Any:
        with calls.made_by(None):
            settled = {name: eager.settle(value) for name, value in given.items()}
            if isinstance(called, mapping.MapTask):
                return self._mapped(called, settled, number)
            if not isinstance(called, (task.Task, workflow.Workflow, launch_plan.LaunchPlan, reference.Reference)):
                result = called.run(settled)
                return task.wait_for(result) if inspect.iscoroutine(result) else result
            return self._execute(called, settled, f"{called.name}/{number}")

    def _mapped(self, called: mapping.MapTask, settled: Mapping[str, Any], number: int) -> Any:
        bound = {**called.bound, **{name: settled[name] for name in called.bound if name in settled}}
        count = len(settled[called.listed[0]]) if called.listed else 0
        elements = [{**bound, **{name: settled[name][place] for name in called.listed}} for place in range(count)]
        names = [f"{called.name}/{number}/{place}" for place in range(count)]
        lane = threads.Lane(called.concurrency or threads.AT_ONCE)
        running = [
            lane.start(functools.partial(self._execute, called.target, *pair))
            for pair in zip(elements, names, strict=True)
        ]
        return [one.result() for one in running] if called.interface.outputs else None

    def _execute(self, called: entity.Entity, inputs: Mapping[str, Any], which: str) -> Any:
        version = self._settings.version
        if not isinstance(called, reference.Reference):
            with self._lock:
                if called.name not in self._registered:
                    self._remote.register_with(self._settings, called)
                    self._registered.add(called.name)
        started = self._remote.start(called, _encode(called, inputs), version=version, name=self._name_of(which))
        self._running[which] = started
        started.wait(poll=_LONGEST_POLL)
        self._running.pop(which, None)
        if not started.is_successful:
            raise started.failure()
        literals = started.output_literals()
        values = {name: engine.to_python(literals[name], kind) for name, kind in called.interface.outputs.items()}
        return called.interface.wrap_outputs(values)

    def _name_of(self, which: str) -> str:
        digest = hashlib.sha256(f"{self._identity}\0{which}".encode()).digest()
        return "e" + "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[: _NAME_LENGTH - 1])


def _encode(called: entity.Entity, inputs: Mapping[str, Any]) -> dict[str, literals_pb2.Literal]:
    variables = called.interface.typed.inputs.variables
    literals = {}
    complete = {**called.interface.defaults, **inputs} if isinstance(called, task.Task) else inputs
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
    return eager.run_body(found.function, found.interface, inputs, PlatformDriver(distribution, destination))

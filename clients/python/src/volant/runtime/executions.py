"""Children as executions: what a driver does on a Flyte, which knows no other way."""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from volant import context, errors
from volant.authoring import entity, launch_plan, reference, task, workflow
from volant.local import threads
from volant.serialization import settings as serialization_settings
from volantidl.core import literals_pb2

if TYPE_CHECKING:
    from volant.client import execution

_NAME_LENGTH = 20
_LONGEST_POLL = 0.25
"""Seconds between two looks at a child."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


class Executions:
    """Runs each child as an execution, whose name tells which call of which driver it is."""

    def __init__(self, settings: serialization_settings.SerializationSettings) -> None:
        from volant.client import remote  # noqa: PLC0415 - only eager tasks talk to the platform

        self._settings = settings
        self._remote = remote.Remote(project=settings.project, domain=settings.domain)
        # The attempt's folder without the attempt: the same for a driver that is started again.
        self._identity = context.current_context().output_metadata_prefix.rstrip("/").rpartition("/")[0]
        self._lane = threads.Lane(threads.CALLS_AT_ONCE)
        self._registered: set[str] = set()
        self._running: dict[str, execution.Execution] = {}
        self._lock = threading.Lock()

    def takes(self, called: entity.Entity) -> bool:
        """Whether it can be launched."""
        return isinstance(called, (task.Task, workflow.Workflow, launch_plan.LaunchPlan, reference.Reference))

    def start(
        self, called: entity.Entity, inputs: Mapping[str, literals_pb2.Literal], key: str
    ) -> concurrent.futures.Future[Callable[[], Mapping[str, literals_pb2.Literal]]]:
        """Start a child, or find the one of that key."""
        return self._lane.start(lambda: self._execute(called, inputs, key))

    def _execute(
        self, called: entity.Entity, inputs: Mapping[str, literals_pb2.Literal], key: str
    ) -> Callable[[], Mapping[str, literals_pb2.Literal]]:
        if not isinstance(called, reference.Reference):
            with self._lock:
                if called.name not in self._registered:
                    self._remote.register_with(self._settings, called)
                    self._registered.add(called.name)
        started = self._remote.start(called, inputs, version=self._settings.version, name=self._name_of(key))
        self._running[key] = started
        started.wait(poll=_LONGEST_POLL)
        self._running.pop(key, None)
        if not started.is_successful:
            raise started.failure()
        return started.output_literals

    def _name_of(self, key: str) -> str:
        digest = hashlib.sha256(f"{self._identity}\0{key}".encode()).digest()
        return "e" + "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[: _NAME_LENGTH - 1])

    def close(self, *, failed: bool) -> None:
        """End the children that still run, where the driver failed."""
        for child in list(self._running.values()) if failed else ():
            with contextlib.suppress(errors.VolantError):
                child.abort("the eager execution that started it has ended")

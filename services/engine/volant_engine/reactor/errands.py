"""Work done for one execution outside its worker: launches, reads, calls. Its faults are that execution's alone."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from volant_core import aio
from volant_engine.reactor import worker


class Errands:
    """Runs errands; one that fails in a way that nobody had thought of would leave its execution waiting for ever."""

    def __init__(self, tasks: aio.Tasks, faulty: Callable[[worker.Worker, Exception], None]) -> None:
        """Errands are among `tasks`; `faulty` hears whose failed, and why."""
        self._tasks = tasks
        self._faulty = faulty

    def start(self, one: worker.Worker, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run an errand for an execution."""

        def ended(task: asyncio.Task[None]) -> None:
            fault = None if task.cancelled() else task.exception()
            if isinstance(fault, Exception):
                self._faulty(one, fault)

        task = self._tasks.start(name, work)
        task.add_done_callback(ended)
        return task

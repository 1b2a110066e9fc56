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
        return self._tasks.start(name, self._run(one, work))

    async def _run(self, one: worker.Worker, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as fault:  # noqa: BLE001 -- the supervisor of errands: the execution is loaded anew
            self._faulty(one, fault)

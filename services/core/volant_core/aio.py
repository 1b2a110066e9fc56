"""Tasks with an owner and a name: the only place that calls `create_task`.

Prefer `asyncio.TaskGroup` where the work ends with a block. `Tasks` is for an object that lives longer than one call (a
connection, a service) and owns what runs for it: what fails there is logged, never lost, and ends with its owner.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

_log = logging.getLogger(__name__)


class Tasks:
    """The tasks of one owner."""

    def __init__(self, owner: str, failed: Callable[[BaseException], None] | None = None) -> None:
        """`owner` names it in logs; `failed` hears of an exception that a task did not handle, after it is logged."""
        self._owner = owner
        self._failed = failed
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        """How many still run."""
        return len(self._tasks)

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` until it ends or the owner does."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self._owner}: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            _log.error("%s failed: %s", task.get_name(), error, exc_info=error)
            if self._failed is not None:
                self._failed(error)

    async def drain(self, timeout_s: float) -> bool:
        """Wait for all to end by themselves, also those started meanwhile; whether they did in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        except TimeoutError:
            return False
        return True

    async def cancel(self) -> None:
        """Cancel all and wait until they have ended."""
        await cancel_all(self._tasks)


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended. The caller's own task is left alone."""
    mine = asyncio.current_task()
    pending = [task for task in tasks if task is not mine and not task.done()]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)

"""Threads for local runs: what runs side by side, bounded, in the order in which it came."""

from __future__ import annotations

import collections
import concurrent.futures
import contextvars
import itertools
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

AT_ONCE = 64
"""Nodes of one graph, or elements of one map, that run side by side."""
CALLS_AT_ONCE = 256
"""Calls of one eager body that run or wait side by side. A call waits only for earlier ones, so a bound can't block."""

_numbers = itertools.count(1)
slots: threading.BoundedSemaphore = threading.BoundedSemaphore(
    int(os.environ.get("VOLANT_LOCAL_PARALLELISM") or max(8, 2 * (os.cpu_count() or 1)))
)
"""Held while a task's function runs, not by what only waits for others."""


class Lane:
    """Runs things in threads of its own, at most so many at once. A forgotten one doesn't keep the process alive."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._waiting: collections.deque[Callable[[], None]] = collections.deque()
        self._threads = 0

    def start(self, work: Callable[[], T]) -> concurrent.futures.Future[T]:
        """Run something in a copy of this context, as soon as there's room."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        context = contextvars.copy_context()

        def run() -> None:
            try:
                future.set_result(context.run(work))
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                future.set_exception(error)

        with self._lock:
            self._waiting.append(run)
            if self._threads == self._limit:
                return future
            self._threads += 1
        threading.Thread(target=self._serve, name=f"volant-local-{next(_numbers)}", daemon=True).start()
        return future

    def _serve(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                run = self._waiting.popleft()
            run()


def start(work: Callable[[], T]) -> concurrent.futures.Future[T]:
    """Run one thing in a thread of its own."""
    return Lane(1).start(work)


def outcome(future: concurrent.futures.Future[Any]) -> Any:
    """What something gave, or the exception that it ended with, waited for."""
    error = future.exception()
    return error if error is not None else future.result()

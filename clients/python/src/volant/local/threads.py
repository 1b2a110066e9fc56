"""Threads for local runs: one for each thing that runs side by side, and a bound on tasks that compute."""

from __future__ import annotations

import concurrent.futures
import contextvars
import itertools
import os
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_numbers = itertools.count(1)
slots = threading.BoundedSemaphore(int(os.environ.get("VOLANT_LOCAL_PARALLELISM") or max(8, 2 * (os.cpu_count() or 1))))
"""Held while a task's function runs, not by what only waits for others."""


def start(work: Callable[[], T]) -> concurrent.futures.Future[T]:
    """Run something in a thread of its own, in a copy of this context. It doesn't keep the process alive."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            future.set_result(context.run(work))
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            future.set_exception(error)

    threading.Thread(target=run, name=f"volant-local-{next(_numbers)}", daemon=True).start()
    return future

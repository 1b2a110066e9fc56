"""`AsyncRemote`: the same as `Remote`, for programs that run an event loop. Calls run in threads."""

from __future__ import annotations

import asyncio
import datetime
import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from volant.client import execution, remote

P = ParamSpec("P")
R = TypeVar("R")


def _threaded(
    method: Callable[Concatenate[remote.Remote, P], R],
) -> Callable[Concatenate[AsyncRemote, P], Coroutine[Any, Any, R]]:
    async def call(self: AsyncRemote, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.to_thread(method, self.sync, *args, **kwargs)

    functools.update_wrapper(call, method)
    return call


class AsyncRemote:
    """A platform, for programs that run an event loop; see `Remote` for arguments and methods."""

    def __init__(self, endpoint: str | None = None, **settings: Any) -> None:
        self.sync: remote.Remote = remote.Remote(endpoint, **settings)
        """The same platform, for calls that may block."""

    register = _threaded(remote.Remote.register)
    execute = _threaded(remote.Remote.execute)
    activate = _threaded(remote.Remote.activate)
    fetch_task = _threaded(remote.Remote.fetch_task)
    fetch_workflow = _threaded(remote.Remote.fetch_workflow)
    fetch_launch_plan = _threaded(remote.Remote.fetch_launch_plan)
    fetch_execution = _threaded(remote.Remote.fetch_execution)
    recent_executions = _threaded(remote.Remote.recent_executions)
    set_signal = _threaded(remote.Remote.set_signal)
    approve = _threaded(remote.Remote.approve)
    reject = _threaded(remote.Remote.reject)

    async def wait(
        self,
        one: execution.Execution,
        timeout: float | datetime.timedelta | None = None,  # noqa: ASYNC109 - raises the SDK's own error
    ) -> execution.Execution:
        """Wait until an execution has ended, also when it failed; a time-out raises TimedOutError."""
        return await asyncio.to_thread(one.wait, timeout)

    async def outputs(self, one: execution.Execution) -> dict[str, Any]:
        """An execution's outputs, decoded. Raises TaskFailedError where it failed."""
        return await asyncio.to_thread(lambda: dict(one.outputs))

"""`AsyncRemote`: the same as `Remote`, for programs that run an event loop. Calls run in threads."""

from __future__ import annotations

import asyncio
import datetime
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from volant.authoring import entity
from volant.client import execution, registered, registration, remote
from volantidl.core import identifier_pb2


class AsyncRemote:
    """A platform, for programs that run an event loop; see `Remote` for what arguments mean."""

    def __init__(self, endpoint: str | None = None, **settings: Any) -> None:
        self.sync: remote.Remote = remote.Remote(endpoint, **settings)
        """The same platform, for calls that may block."""

    async def register(
        self,
        *entities: entity.Entity,
        version: str | None = None,
        root: str | pathlib.Path | None = None,
        copy: str = "auto",
        image: str | None = None,
        images: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        activate: bool = False,
        progress: registration.Progress | None = None,
    ) -> str:
        """As `Remote.register`."""
        return await asyncio.to_thread(
            self.sync.register,
            *entities,
            version=version,
            root=root,
            copy=copy,
            image=image,
            images=images,
            environment=environment,
            activate=activate,
            progress=progress,
        )

    async def execute(
        self,
        target: entity.Entity | registered.Registered,
        inputs: Mapping[str, Any] | None = None,
        *,
        version: str | None = None,
        name: str = "",
        wait: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 - raises the SDK's own error
        overwrite_cache: bool = False,
        interruptible: bool | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        tags: Sequence[str] = (),
    ) -> execution.Execution:
        """As `Remote.execute`."""
        return await asyncio.to_thread(
            self.sync.execute,
            target,
            inputs,
            version=version,
            name=name,
            wait=wait,
            timeout=timeout,
            overwrite_cache=overwrite_cache,
            interruptible=interruptible,
            labels=labels,
            annotations=annotations,
            environment=environment,
            tags=tags,
        )

    async def activate(self, plan: identifier_pb2.Identifier | registered.Registered, *, active: bool = True) -> None:
        """As `Remote.activate`."""
        await asyncio.to_thread(self.sync.activate, plan, active=active)

    async def fetch_task(self, name: str, version: str = "") -> registered.Registered:
        """As `Remote.fetch_task`."""
        return await asyncio.to_thread(self.sync.fetch_task, name, version)

    async def fetch_workflow(self, name: str, version: str = "") -> registered.Registered:
        """As `Remote.fetch_workflow`."""
        return await asyncio.to_thread(self.sync.fetch_workflow, name, version)

    async def fetch_launch_plan(self, name: str, version: str = "") -> registered.Registered:
        """As `Remote.fetch_launch_plan`."""
        return await asyncio.to_thread(self.sync.fetch_launch_plan, name, version)

    async def fetch_execution(self, name: str, project: str = "", domain: str = "") -> execution.Execution:
        """As `Remote.fetch_execution`."""
        return await asyncio.to_thread(self.sync.fetch_execution, name, project, domain)

    async def recent_executions(self, limit: int = 20) -> list[execution.Execution]:
        """As `Remote.recent_executions`."""
        return await asyncio.to_thread(self.sync.recent_executions, limit)

    async def set_signal(self, name: str, of: execution.Execution | str, value: Any, python_type: Any = None) -> None:
        """As `Remote.set_signal`."""
        await asyncio.to_thread(self.sync.set_signal, name, of, value, python_type)

    async def approve(self, name: str, of: execution.Execution | str) -> None:
        """As `Remote.approve`."""
        await asyncio.to_thread(self.sync.approve, name, of)

    async def reject(self, name: str, of: execution.Execution | str) -> None:
        """As `Remote.reject`."""
        await asyncio.to_thread(self.sync.reject, name, of)

    async def wait(
        self,
        one: execution.Execution,
        timeout: float | datetime.timedelta | None = None,  # noqa: ASYNC109 - raises the SDK's own error
    ) -> execution.Execution:
        """Wait until an execution has ended, also when it failed; a time-out raises TimedOutError.

        No thread waits with it: thousands may be waited for.
        """
        pauses = one.pauses(timeout)
        while not (await asyncio.to_thread(one.sync)).is_done:  # noqa: ASYNC110 - the platform tells only who asks
            await asyncio.sleep(next(pauses))
        return one

    async def outputs(self, one: execution.Execution) -> dict[str, Any]:
        """An execution's outputs, decoded. Raises TaskFailedError where it failed."""
        return await asyncio.to_thread(lambda: dict(one.outputs))

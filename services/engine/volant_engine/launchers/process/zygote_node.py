"""The launcher's side of one zygote: what is asked of it, and what it says."""

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from volant_core import aio, errors
from volant_engine.launchers.process import link


class Watcher(Protocol):
    """Who asked for an attempt, and hears what becomes of it."""

    def started(self, pid: int, at: float) -> None:
        """It was forked."""

    def ended(self, status: int, at: float) -> None:
        """It ended with this wait status."""

    def existed(self) -> None:
        """It was not forked, because it was before."""

    def refused(self, why: str) -> None:
        """It could not be forked."""

    def abandoned(self) -> None:
        """The zygote is gone; the attempt may run on."""


class Node:
    """One zygote."""

    def __init__(self, title: str, tasks: aio.Tasks) -> None:
        """Describe a zygote that is about to be forked; `attach` it to its link."""
        self.title = title
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.watchers: dict[str, Watcher] = {}
        self.modules: dict[str, asyncio.Future[str]] = {}
        self.facts: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._tasks = tasks
        self._link: link.Link | None = None
        self.spoilt = ""
        """Why it can't fork, where it said so itself."""
        self._pids: dict[str, int] = {}
        self._has_spare = False
        self._handlers: dict[str, Callable[[Any, dict[str, Any]], None]] = {
            "ended": self._ended,
            "started": self._started,
            "exists": self._existed,
            "refused": self._refused,
            "imported": lambda module, message: _resolve(self.modules.get(module), message.get("why", "")),
            "ready": lambda _, __: _resolve(self.ready, None),
            "facts": lambda found, _: _resolve(self.facts, found),
            "spoilt": self._was_spoilt,
        }
        for future in (self.ready, self.facts):
            future.add_done_callback(seen)

    @property
    def is_open(self) -> bool:
        """Whether it may still fork."""
        return self._link is not None and self._link.is_open

    def attach(self, opened: Callable[[link.Heard, link.Lost], link.Link]) -> None:
        """Start to listen to it."""
        self._link = opened(self._heard, self._lost)

    def fork(self, title: str, **request: Any) -> "Node":
        """Ask for a zygote of the next level."""
        node = Node(title, self._tasks)
        node.attach(functools.partial(self._open_link().fork, {"op": "zygote", **request}))
        return node

    def ask_facts(self) -> None:
        """Ask what the interpreter is; the answer is `facts`."""
        self._send({"op": "facts"})

    async def load(self, module: str) -> str:
        """Import a module of the user's; returns why attempts must do that themselves, or nothing."""
        loading = self.modules.get(module)
        if loading is None:
            loading = self.modules[module] = asyncio.get_running_loop().create_future()
            loading.add_done_callback(seen)
            self._has_spare = False
            self._send({"op": "import", "module": module})
        return await asyncio.shield(loading)

    def run(self, name: str, request: Mapping[str, Any], watcher: Watcher) -> None:
        """Fork an attempt."""
        self.watchers[name] = watcher
        self._has_spare = False
        self._send({"op": "run", "name": name, **request})

    def keep_spare(self) -> None:
        """Have the next attempt forked ahead of its time."""
        if self.is_open and not self._has_spare:
            self._has_spare = True
            self._send({"op": "spare"})

    def drop_spare(self) -> None:
        """Have no attempt forked ahead."""
        if self.is_open and self._has_spare:
            self._has_spare = False
            self._send({"op": "no spare"})

    def close(self) -> None:
        """Let it end; attempts live on and are watched in another way."""
        if self._link is not None and self._link.is_open:
            self._link.close()
            self._lost()

    def _open_link(self) -> link.Link:
        if self._link is None or not self._link.is_open:
            raise errors.UnavailableError(f"the {self.title} zygote is gone")
        return self._link

    def _send(self, message: dict[str, Any]) -> None:
        self._open_link().send(message)

    def _heard(self, message: dict[str, Any]) -> None:
        for kind, handle in self._handlers.items():
            if kind in message:
                handle(message[kind], message)
                return

    def _started(self, name: str, message: dict[str, Any]) -> None:
        if (watcher := self.watchers.get(name)) is not None:
            self._pids[name] = message["pid"]
            watcher.started(message["pid"], message["at"])

    def _ended(self, name: str, message: dict[str, Any]) -> None:
        # Not so the end of a fork that found that it was not wanted: that has been told in another way.
        if self._pids.get(name) == message["pid"] and (watcher := self._dismiss(name)) is not None:
            watcher.ended(message["status"], message["at"])

    def _existed(self, name: str, _: dict[str, Any]) -> None:
        if (watcher := self._dismiss(name)) is not None:
            watcher.existed()

    def _refused(self, name: str, message: dict[str, Any]) -> None:
        if (watcher := self._dismiss(name)) is not None:
            watcher.refused(message["why"])

    def _dismiss(self, name: str) -> Watcher | None:
        self._pids.pop(name, None)
        return self.watchers.pop(name, None)

    def _was_spoilt(self, why: str, _: dict[str, Any]) -> None:
        self.spoilt = why

    def _lost(self) -> None:
        gone = errors.UnavailableError(f"the {self.title} zygote ended; its log is in the data folder's zygotes/")
        futures: list[asyncio.Future[Any]] = [self.ready, self.facts, *self.modules.values()]
        for future in futures:
            if not future.done():
                future.set_exception(gone)
        watchers, self.watchers = list(self.watchers.values()), {}
        for watcher in watchers:
            watcher.abandoned()


def seen(future: asyncio.Future[Any]) -> None:
    """Take note of how it ended: who waits for it is told too."""
    if not future.cancelled():
        future.exception()


def _resolve(future: asyncio.Future[Any] | None, value: object) -> None:
    if future is not None and not future.done():
        future.set_result(value)

"""Who waits on this replica for the ends of nodes that drivers added."""

import asyncio
import contextlib
from collections.abc import Iterator


class Watcher:
    """One stream to a driver."""

    def __init__(self, parent: str) -> None:
        """Watch what is added to node `parent`. At first, all of it is wanted."""
        self.parent = parent
        self._ended: set[str] = set()
        self._all = True
        self._stir = asyncio.Event()

    def tell(self, node_id: str) -> None:
        """A node has ended, which may be one of this driver's."""
        self._ended.add(node_id)
        self._stir.set()

    def tell_all(self) -> None:
        """Some may have ended without being told."""
        self._all = True
        self._stir.set()

    async def changed(self) -> None:
        """Wait until something was told."""
        await self._stir.wait()

    def take(self) -> set[str] | None:
        """What has been told since the last call; None when all must be looked at."""
        self._stir.clear()
        ended, self._ended = self._ended, set()
        everything, self._all = self._all, False
        return None if everything else ended


class Watchers:
    """All of them."""

    def __init__(self) -> None:
        """Start without any."""
        self._by_execution: dict[int, dict[Watcher, None]] = {}

    @contextlib.contextmanager
    def watch(self, execution: int, parent: str) -> Iterator[Watcher]:
        """Watch what a driver adds."""
        watcher = Watcher(parent)
        beside = self._by_execution.setdefault(execution, {})
        beside[watcher] = None
        try:
            yield watcher
        finally:
            del beside[watcher]
            if not beside and self._by_execution.get(execution) is beside:
                del self._by_execution[execution]

    def tell(self, execution: int, node_id: str, parent: str = "") -> bool:
        """A node has ended; whether a driver of `parent` is here to hear of it. Without a parent, all are told."""
        heard = False
        for watcher in self._by_execution.get(execution, ()):
            if not parent or watcher.parent == parent:
                watcher.tell(node_id)
                heard = True
        return heard

    def tell_all(self) -> None:
        """Some news may have been missed."""
        for beside in self._by_execution.values():
            for watcher in beside:
                watcher.tell_all()

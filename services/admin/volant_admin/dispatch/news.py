"""What engines must hear of executions that they drive, and drivers of the nodes that they added.

To engines: aborts, signals, ended children, nodes that drivers added. To drivers: ends of these.

Told after the commit that made it true, never inside a transaction. News for an engine of another replica goes through
NOTIFY, put together with whatever else is waiting; only keys travel, the replica reads the rest itself. All of it may
be told twice: engines take it as what is, not as what happened.
"""

import asyncio
import json
from collections.abc import Callable, Iterable

import structlog

from volant_admin.dispatch import sessions as sessions_
from volant_admin.dispatch import store
from volant_admin.dispatch import watchers as watchers_
from volant_admin.dispatch.settings import DispatchSettings
from volant_core import errors, postgres
from volantidl.dispatch import dispatch_pb2

_log = structlog.get_logger(__name__)

CHANNEL = "volant_dispatch"
_LARGEST_PAYLOAD = 7000  # bytes; PostgreSQL's limit is 8000

_Item = tuple[str, int, str]
"""Kind, execution, signal or node."""
_WAITING: _Item = ("waiting", 0, "")


class News:
    """The way of news from a commit to an engine."""

    def __init__(
        self,
        database: postgres.Database,
        sessions: sessions_.Sessions,
        watchers: watchers_.Watchers,
        settings: DispatchSettings,
        replica: str,
        on_waiting: Callable[[], None],
    ) -> None:
        """Keep the dependencies; `on_waiting` is called when another replica tells of executions without engine."""
        self._database = database
        self._sessions = sessions
        self._watchers = watchers
        self._settings = settings
        self._replica = replica
        self._on_waiting = on_waiting
        self._own: dict[_Item, None] = {}
        self._heard: dict[_Item, None] = {}
        self._lost = False
        self._stir = asyncio.Event()

    def abort(self, execution: int) -> None:
        """A user wants the execution ended."""
        self._add(("abort", execution, ""))

    def signal(self, execution: int, signal_id: str) -> None:
        """A signal has a value."""
        self._add(("signal", execution, signal_id))

    def child_ended(self, child: int) -> None:
        """An execution that a node launched has ended."""
        self._add(("child", child, ""))

    def children_added(self, execution: int, node_ids: Iterable[str]) -> None:
        """A driver has added nodes."""
        for node_id in node_ids:
            self._add(("added", execution, node_id))

    def child_result(self, execution: int, node_id: str, parent: str) -> None:
        """A node that the driver of `parent` has added has ended."""
        if not self._watchers.tell(execution, node_id, parent):
            self._add(("result", execution, node_id))

    def waiting(self) -> None:
        """Executions wait that no engine of this replica takes."""
        self._add(_WAITING)

    def hear(self, payload: str) -> None:
        """News from another replica; the empty text says that some may have been missed."""
        if not payload:
            self._lost = True
        else:
            try:
                replica, items = json.loads(payload)
            except ValueError:  # not one of ours
                return
            if replica != self._replica:
                self._heard.update(dict.fromkeys((kind, number, text) for kind, number, text in items))
        self._stir.set()

    async def deliver(self) -> None:
        """Deliver for ever."""
        while True:
            await self._stir.wait()
            self._stir.clear()
            own, self._own = self._own, {}
            heard, self._heard = self._heard, {}
            lost, self._lost = self._lost, False
            try:
                if lost:
                    self._on_waiting()
                    self._watchers.tell_all()
                    for session in self._sessions:
                        await self.send_all(session)
                if own or heard:
                    await self._deliver(own, heard)
            except errors.VolantError as error:
                _log.warning("news was not delivered", error=error.message)
                self._own = own | self._own
                self._heard = heard | self._heard
                self._lost = self._lost or lost
                await asyncio.sleep(self._settings.retry_pause.total_seconds())
                self._stir.set()

    async def send_all(self, session: sessions_.Session) -> None:
        """Tell an engine everything that it may have missed."""
        for message in await store.session_news(self._database, session.id):
            session.push(message)

    def _add(self, item: _Item) -> None:
        self._own[item] = None
        self._stir.set()

    async def _deliver(self, own: dict[_Item, None], heard: dict[_Item, None]) -> None:
        missed = await self._push_all(own | heard)
        if _WAITING in heard:
            self._on_waiting()
        for _, execution, node_id in (item for item in heard if item[0] == "result"):
            self._watchers.tell(execution, node_id)
        results = [item for item in own if item[0] == "result"]
        if results:
            await store.tell_all_replicas(self._database, CHANNEL, list(self._payloads(results)))
        # What came from another replica is not sent on.
        outgoing = [item for item in own if item in missed or item == _WAITING]
        if outgoing:
            await store.tell_replicas(self._database, CHANNEL, list(self._payloads(outgoing)), self._replica)

    async def _push_all(self, items: Iterable[_Item]) -> set[_Item]:
        """Push to the engines of this replica; the news that is for others."""
        missed: set[_Item] = set()
        by_kind: dict[str, list[_Item]] = {}
        for item in items:
            by_kind.setdefault(item[0], []).append(item)
        if aborts := by_kind.get("abort"):
            for row in await store.abort_news(self._database, (number for _, number, _ in aborts)):
                if not self._push(row, dispatch_pb2.AttachResponse(abort=store.abort_of(row))):
                    missed.add(("abort", row["id"], ""))
        if signals := by_kind.get("signal"):
            for row in await store.signal_news(self._database, ((number, text) for _, number, text in signals)):
                if not self._push(row, dispatch_pb2.AttachResponse(signal=store.signal_of(row))):
                    missed.add(("signal", row["execution_id"], row["signal_id"]))
        if added := by_kind.get("added"):
            missed |= await self._push_added(added)
        if children := by_kind.get("child"):
            for row in await store.child_news(self._database, (number for _, number, _ in children)):
                if not self._push(row, dispatch_pb2.AttachResponse(child=store.child_of(row))):
                    missed.add(("child", row["child_id"], ""))
        return missed

    async def _push_added(self, added: Iterable[_Item]) -> set[_Item]:
        missed: set[_Item] = set()
        rows = await store.added_news(self._database, ((number, text) for _, number, text in added))
        for part, message in store.added_of(rows):
            if not self._push(part[0], dispatch_pb2.AttachResponse(added=message)):
                missed.update(("added", row["execution_id"], row["node_id"]) for row in part)
        return missed

    def _push(self, row: postgres.Record, message: dispatch_pb2.AttachResponse) -> bool:
        session = self._sessions.get(row["lease_session"])
        if session is None:
            return False
        session.push(message)
        return True

    def _payloads(self, items: Iterable[_Item]) -> Iterable[str]:
        batch: list[_Item] = []
        size = 0
        for item in items:
            length = len(json.dumps(item)) + 2
            if batch and size + length > _LARGEST_PAYLOAD:
                yield json.dumps([self._replica, batch])
                batch, size = [], 0
            batch.append(item)
            size += length
        yield json.dumps([self._replica, batch])

"""Carries out commands: each becomes a call somewhere, and its answer an event."""

import asyncio
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from volant_core import clock, errors
from volant_core.blobstore.port import BlobStore
from volant_engine.decide import commands, events
from volant_engine.reactor import attempts, cache, children, dynamic_graphs, errands, patience, timers, values, worker
from volantidl.core import execution_pb2, literals_pb2

_log = structlog.get_logger(__name__)
_READS = 64
"""Values read at once for one node."""


class Effects:
    """Everything that a run can want."""

    def __init__(
        self,
        *,
        errand: errands.Errands,
        blobs: BlobStore,
        known: values.Values,
        at_work: attempts.Attempts,
        cached: cache.Cache,
        kin: children.Children,
        graphs_made: dynamic_graphs.DynamicGraphs,
        alarm: timers.Timers,
        waiting: patience.Patience,
        time: clock.Clock,
        post: attempts.Post,
        ended: Callable[[worker.Worker], None],
    ) -> None:
        """Take what effects are made with; `post` gets the events."""
        self._errands = errand
        self._blobs = blobs
        self._values = known
        self._attempts = at_work
        self._cache = cached
        self._children = kin
        self._graphs = graphs_made
        self._timers = alarm
        self._patience = waiting
        self._clock = time
        self._post = post
        self._ended = ended
        self._handlers: Mapping[type, Callable[[worker.Worker, Any], None]] = {
            commands.Launch: at_work.launch,
            commands.Stop: at_work.stop,
            commands.Forget: self._forget,
            commands.Fetch: self._fetch,
            commands.Write: self._write,
            commands.WakeAt: self._wake_at,
            commands.LookUp: cached.look_up,
            commands.CachePut: cached.put,
            commands.Reserve: cached.reserve,
            commands.Release: cached.release,
            commands.CreateChild: kin.create,
            commands.EndChild: kin.end,
            commands.OpenSignal: kin.open_signal,
            commands.CompileDynamic: graphs_made.compile,
            commands.Continue: self._continue,
            commands.Ended: self._end,
        }

    def perform(self, one: worker.Worker, command: commands.Command) -> None:
        """Begin what is wanted; never waits."""
        self._handlers[type(command)](one, command)

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _forget(self, one: worker.Worker, command: commands.Forget) -> None:
        one.forgotten.append(command.name)

    def _continue(self, one: worker.Worker, _: commands.Continue) -> None:
        self._post(one, events.Continued(self._now()))

    def _end(self, one: worker.Worker, _: commands.Ended) -> None:
        self._ended(one)

    def _wake_at(self, one: worker.Worker, command: commands.WakeAt) -> None:
        # A time-out may be days away: it must not keep an execution in memory that ends before.
        target = weakref.ref(one)

        def wake(now: float) -> None:
            found = target()
            if found is not None:
                self._post(found, events.Woken(now, command.node_id, command.attempt, command.what))

        self._timers.at(command.at, wake)

    def _write(self, one: worker.Worker, command: commands.Write) -> None:
        self._errands.start(one, f"write {command.uri}", self._store(one, command))

    async def _store(self, one: worker.Worker, command: commands.Write) -> None:
        async def put() -> None:
            await self._blobs.put(command.uri, command.data)

        try:
            await self._patience.until_done(f"write {command.uri}", put)
        except errors.VolantError as wrong:
            error = execution_pb2.ExecutionError(
                code="StorageError", message=wrong.message, kind=execution_pb2.ExecutionError.SYSTEM
            )
            self._post(one, events.Broke(self._now(), error))
        self._post(one, events.Written(self._now(), command.node_id))

    def _fetch(self, one: worker.Worker, command: commands.Fetch) -> None:
        self._errands.start(one, f"fetch for {command.node_id}", self._read(one, command))

    async def _read(self, one: worker.Worker, command: commands.Fetch) -> None:
        maps: dict[str, literals_pb2.LiteralMap] = {}
        literals: dict[str, literals_pb2.Literal] = {}
        missing: dict[str, str] = {}

        async def read(uri: str) -> None:
            try:
                if command.maps:
                    maps[uri] = await self._values.map_at(uri)
                else:
                    literals[uri] = await self._values.literal_at(uri)
            except errors.VolantError as wrong:
                missing[uri] = wrong.message

        for begin in range(0, len(command.uris), _READS):
            async with asyncio.TaskGroup() as group:
                for uri in command.uris[begin : begin + _READS]:
                    group.create_task(read(uri))
        self._post(one, events.Fetched(self._now(), command.node_id, maps, literals, missing))

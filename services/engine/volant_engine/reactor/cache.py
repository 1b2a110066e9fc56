"""What runs want of the cache, many nodes' wishes at a time; reservations are extended until they are released."""

import asyncio

import structlog

from volant_core import aio, clock, errors, telemetry
from volant_engine import settings as engine_settings
from volant_engine.decide import commands, events
from volant_engine.reactor import attempts, catalog, errands, patience, worker
from volantidl.core import catalog_pb2

_log = structlog.get_logger(__name__)
_MOST_LOOK_UPS = 500
_MOST_PUTS = 50


class Cache:
    """The cache's part of the effects."""

    def __init__(
        self,
        service: catalog.Catalog,
        tasks: aio.Tasks,
        errand: errands.Errands,
        settings: engine_settings.EngineSettings,
        waiting: patience.Patience,
        time: clock.Clock,
        post: attempts.Post,
    ) -> None:
        """Ask `service`; answers go to `post`."""
        self._service = service
        self._tasks = tasks
        self._errands = errand
        self._settings = settings
        self._patience = waiting
        self._clock = time
        self._post = post
        self._look_ups: catalog.Batches[commands.CacheKey, catalog.Found] = catalog.Batches(
            tasks, "ask the cache", service.look_up, _MOST_LOOK_UPS
        )
        self._puts: catalog.Batches[catalog.Entry, catalog_pb2.CatalogMetadata] = catalog.Batches(
            tasks, "fill the cache", service.put, _MOST_PUTS
        )
        self._held: dict[tuple[commands.CacheKey, str], asyncio.Task[None]] = {}

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def look_up(self, one: worker.Worker, command: commands.LookUp) -> None:
        """Ask for outputs."""
        self._errands.start(one, f"look up for {command.node_id}", self._look_up(one, command))

    async def _look_up(self, one: worker.Worker, command: commands.LookUp) -> None:
        async def ask() -> catalog.Found:
            return await self._look_ups.one(command.key)

        failure = ""
        try:
            with telemetry.execution_span("ask the cache", *one.key, node=command.node_id):
                found = await self._patience.until_done("ask the cache", ask)
        except errors.VolantError as wrong:
            _log.warning("the cache could not be asked", node=command.node_id, error=wrong.message)
            failure = wrong.message
            found = catalog.Found(None, catalog_pb2.CatalogMetadata())
        self._post(
            one,
            events.CacheAnswered(
                self._now(), command.node_id, command.attempt, command.index, found.outputs, found.metadata, failure
            ),
        )

    def put(self, one: worker.Worker, command: commands.CachePut) -> None:
        """Keep outputs."""
        self._errands.start(one, f"fill the cache for {command.node_id}", self._put(one, command))

    async def _put(self, one: worker.Worker, command: commands.CachePut) -> None:
        entry = catalog.Entry(
            key=command.key,
            outputs=command.outputs,
            uri=command.uri,
            execution=one.assignment.id,
            node_id=command.spec_node_id,
            attempt=command.attempt,
            task_version=command.task.id.version,
            overwrite=command.overwrite,
        )
        failure, metadata = "", catalog_pb2.CatalogMetadata()
        try:
            with telemetry.execution_span("fill the cache", *one.key, node=command.node_id):
                metadata = await self._puts.one(entry)
        except errors.VolantError as wrong:
            _log.warning("outputs could not be put into the cache", node=command.node_id, error=wrong.message)
            failure = wrong.message
        self._post(
            one,
            events.CacheStored(self._now(), command.node_id, command.attempt, command.index, metadata, failure),
        )

    def reserve(self, one: worker.Worker, command: commands.Reserve) -> None:
        """Ask for the right to compute."""
        self._errands.start(one, f"reserve for {command.node_id}", self._reserve(one, command))

    async def _reserve(self, one: worker.Worker, command: commands.Reserve) -> None:
        async def ask() -> bool:
            return await self._service.reserve(command.key, command.owner, self._settings.reservation_seconds)

        try:
            acquired = await self._patience.until_done("reserve", ask)
        except errors.VolantError as wrong:
            _log.warning("no reservation to be had; computing without", node=command.node_id, error=wrong.message)
            acquired = True
        if acquired and not one.is_dropped:
            held = (command.key, command.owner)
            self._held[held] = self._errands.start(one, f"extend for {command.node_id}", self._extend(one, *held))
        self._post(one, events.Reserved(self._now(), command.node_id, command.attempt, command.index, acquired))

    async def _extend(self, one: worker.Worker, key: commands.CacheKey, owner: str) -> None:
        while not one.is_dropped and not one.ended:
            await asyncio.sleep(self._settings.reservation_seconds)
            try:
                await self._service.reserve(key, owner, self._settings.reservation_seconds)
            except errors.VolantError as wrong:
                _log.warning("a reservation could not be extended", owner=owner, error=wrong.message)

    def release(self, _: worker.Worker, command: commands.Release) -> None:
        """Give the right back."""
        extending = self._held.pop((command.key, command.owner), None)
        if extending is not None:
            extending.cancel()
        self._tasks.start("release a reservation", self._release(command))

    async def _release(self, command: commands.Release) -> None:
        try:
            await self._service.release(command.key, command.owner)
        except errors.VolantError as wrong:
            _log.warning("a reservation could not be released; it expires", owner=command.owner, error=wrong.message)

"""The engine: takes executions, advances them one event at a time, gives them back when its lease is over."""

import asyncio
import collections
import random

import grpc.aio
import structlog

from volant_core import aio, clock, errors, rpc, telemetry
from volant_core.blobstore.port import BlobStore
from volant_engine import settings as engine_settings
from volant_engine.decide import events, graphs, machine, records, state
from volant_engine.launchers import port
from volant_engine.reactor import (
    attempts,
    cache,
    catalog,
    children,
    dynamic_graphs,
    effects,
    errands,
    loading,
    patience,
    reporter,
    session,
    timers,
    values,
    worker,
)
from volantidl.core import compiler_pb2, execution_pb2, identifier_pb2, literals_pb2
from volantidl.dispatch import dispatch_pb2, dispatch_pb2_grpc
from volantidl.service import admin_pb2_grpc, signal_pb2_grpc

_log = structlog.get_logger(__name__)
_ROUND_SECONDS = 0.004
"""How long the pump may hold the event loop."""
_MOST_UNFIT = 3


class Engine:
    """One engine, attached to one admin."""

    def __init__(
        self,
        *,
        admin: grpc.aio.Channel,
        cached: catalog.Catalog,
        blobs: BlobStore,
        launcher: port.Launcher,
        settings: engine_settings.EngineSettings,
        time: clock.Clock,
        session_id: str,
        chance: random.Random,
        token: str = "",
    ) -> None:
        """Put the parts together; nothing runs before `start`."""
        self._settings = settings
        self._clock = time
        self._launcher = launcher
        self._limits = state.Limits(
            system_retries=settings.system_retries,
            inline=settings.inline_bytes,
            held=settings.held_bytes,
            array_window=settings.array_window,
            steps=settings.slice_steps,
            interruptible_threshold=settings.interruptible_threshold,
        )
        self._tasks = aio.Tasks("engine", failed=self._failed)
        self._loading = asyncio.Semaphore(settings.loads)
        self._workers: dict[int, worker.Worker] = {}
        self._by_key: dict[tuple[str, str, str], worker.Worker] = {}
        self._ready: collections.deque[worker.Worker] = collections.deque()
        self._work = asyncio.Event()
        self._patience = waiting = patience.Patience(*settings.retry_seconds, chance)
        dispatch = rpc.proving(dispatch_pb2_grpc.DispatchServiceStub(admin), token)
        closures = loading.Closures(blobs, settings.closures)
        self._loader = loading.Loader(blobs, closures, dispatch, settings.value_bytes)
        self._timers = timers.Timers(time)
        self._errands = errands.Errands(self._tasks, self._restart)
        self._attempts = attempts.Attempts(
            launcher, blobs, self._tasks, self._errands, settings, waiting, time, self.post
        )
        self._effects = self._compose(admin, cached, blobs, closures)
        self._reporter = reporter.Reporter(
            dispatch,
            session_id,
            settings,
            waiting,
            acknowledged=self._acknowledged,
            refused=self._refused,
            faulty=self._restart,
        )
        self._session = session.Session(dispatch, session_id, settings, waiting, self._told)
        self._serving: list[asyncio.Task[None]] = []
        self._idle = asyncio.Event()
        self._idle.set()

    def _compose(
        self, admin: grpc.aio.Channel, cached: catalog.Catalog, blobs: BlobStore, closures: loading.Closures
    ) -> effects.Effects:
        settings, waiting, time, errand = self._settings, self._patience, self._clock, self._errands
        stub = admin_pb2_grpc.AdminServiceStub(admin)
        signals = signal_pb2_grpc.SignalServiceStub(admin)
        self._children = children.Children(stub, signals, errand, settings, waiting, time, self.post)
        return effects.Effects(
            errand=errand,
            blobs=blobs,
            known=values.Values(blobs, waiting, settings.cached_value_bytes, settings.value_bytes),
            at_work=self._attempts,
            cached=cache.Cache(cached, self._tasks, errand, settings, waiting, time, self.post),
            kin=self._children,
            graphs_made=dynamic_graphs.DynamicGraphs(blobs, closures, stub, errand, settings, waiting, time, self.post),
            alarm=self._timers,
            waiting=waiting,
            time=time,
            post=self.post,
            ended=self._ended,
        )

    def __len__(self) -> int:
        """How many executions it drives."""
        return len(self._workers)

    async def start(self) -> None:
        """Get ready and attach."""
        telemetry.watch("volant_engine_executions_driven", "Executions that the engine drives.", self.__len__)
        telemetry.watch("volant_engine_attempts_awaited", "Attempts that the engine waits for.", self._attempts.__len__)
        await self._launcher.start(self._attempts.heard)
        self._serving = [
            self._tasks.start("pump", self._pump()),
            self._tasks.start("timers", self._timers.run()),
            self._tasks.start("reporter", self._reporter.run()),
            self._tasks.start("session", self._session.run()),
        ]

    @property
    def is_attached(self) -> bool:
        """Whether the stream to admin stands now."""
        return self._session.is_attached

    async def attached(self) -> None:
        """Wait until admin has accepted the session."""
        await self._session.welcomed.wait()

    async def idle(self) -> None:
        """Wait until it drives nothing."""
        await self._idle.wait()

    async def drain(self) -> None:
        """Leave: take nothing more, send what is due, detach, end every task of ours. What runs goes on running."""
        pump, timing, reporting, attached = self._serving
        await aio.cancel_all([pump, timing])
        try:
            async with asyncio.timeout(self._settings.drain_seconds):
                await self._reporter.drained()
        except TimeoutError:
            _log.warning("the last reports could not be sent; what they say is done again", executions=len(self))
        await aio.cancel_all([reporting])
        self._session.leave()
        await asyncio.wait([attached], timeout=self._settings.drain_seconds)
        for one in list(self._workers.values()):
            self._drop(one)
        await self._tasks.cancel()

    def _failed(self, fault: BaseException) -> None:
        """A task of ours failed in a way that nobody had thought of: what hangs on it is found at the next start."""
        _log.error("a part of the engine failed", error=repr(fault))

    # What admin pushes.

    def _told(self, message: dispatch_pb2.AttachResponse) -> None:
        kind = message.WhichOneof("message")
        if kind == "assignment":
            self._assign(message.assignment)
        elif kind == "revoke":
            one = self._workers.get(message.revoke.execution)
            if one is not None and one.epoch <= message.revoke.epoch:
                self._drop(one)
        elif kind == "abort":
            found = self._find(message.abort.id)
            if found is not None:
                self.post(found, events.AbortWanted(self._now(), message.abort.cause))
        elif kind == "signal":
            found = self._find(message.signal.id)
            if found is not None:
                value = literals_pb2.Literal.FromString(message.signal.value)
                self.post(found, events.SignalCame(self._now(), message.signal.signal_id, value))
        elif kind == "child":
            found = self._find(message.child.id)
            if found is not None:
                self._children.told(found, message.child)
        elif kind == "added":
            found = self._find(message.added.id)
            if found is not None:
                self._errands.start(found, f"children of {found.assignment.id.name}", self._add(found, message.added))

    def _find(self, execution: identifier_pb2.WorkflowExecutionIdentifier) -> worker.Worker | None:
        return self._by_key.get((execution.project, execution.domain, execution.name))

    def _assign(self, assignment: dispatch_pb2.Assignment) -> None:
        known = self._workers.get(assignment.execution)
        if known is not None:
            if known.epoch >= assignment.epoch:
                if assignment.HasField("abort"):
                    self.post(known, events.AbortWanted(self._now(), assignment.abort.cause))
                return
            self._drop(known)
        one = worker.Worker(assignment)
        self._workers[one.number] = one
        self._by_key[one.key] = one
        self._idle.clear()
        self._errands.start(one, f"load {assignment.id.name}", self._begin(one))

    async def _begin(self, one: worker.Worker) -> None:
        """Load an execution and set it going."""

        async def load() -> loading.Loaded:
            async with self._loading:
                return await self._loader.load(one.assignment, self._limits)

        try:
            loaded = await self._patience.until_done(f"load {one.assignment.id.name}", load)
        except loading.BrokenError as broken:
            self._break(one, broken.error)
            return
        except errors.VolantError as wrong:
            message = f"the execution could not be loaded: {wrong.message}"
            self._break(one, _system_error("ExecutionNotLoaded", message))
            return
        one.run = loaded.run
        one.events.appendleft(
            events.Began(self._now(), loaded.recorded, loaded.source, loaded.former_facts, loaded.driven)
        )
        if one.assignment.HasField("abort"):
            one.events.append(events.AbortWanted(self._now(), one.assignment.abort.cause))
        self._queue(one)

    async def _add(self, one: worker.Worker, added: dispatch_pb2.ChildrenAdded) -> None:
        """Take nodes that drivers have added."""

        async def load() -> list[graphs.Driven]:
            return [await self._loader.driven(child) for child in added.children]

        try:
            children = await self._patience.until_done(f"load what drivers added to {one.assignment.id.name}", load)
        except loading.BrokenError as broken:
            self.post(one, events.Broke(self._now(), broken.error))
        else:
            self.post(one, events.ChildrenAdded(self._now(), children))

    def _break(self, one: worker.Worker, error: execution_pb2.ExecutionError) -> None:
        """Fail an execution of which not even the graph can be had."""
        identity = state.Identity(one.assignment.id, one.assignment.spec, "s3://")
        nothing = graphs.Library(compiler_pb2.CompiledWorkflowClosure()).primary
        one.run = state.Run(identity, nothing, literals_pb2.LiteralMap(), limits=self._limits)
        one.run.started_at = self._now()
        one.events.clear()
        self.post(one, events.Broke(self._now(), error))

    # The pump.

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def post(self, one: worker.Worker, event: events.Event) -> None:
        """Tell an execution something."""
        if one.is_dropped:
            return
        one.events.append(event)
        if one.run is not None:
            self._queue(one)

    def _queue(self, one: worker.Worker) -> None:
        if not one.is_queued:
            one.is_queued = True
            self._ready.append(one)
            self._work.set()

    async def _pump(self) -> None:
        """Advance whoever has been told something; short rounds, so that everything else gets its turn."""
        while True:
            await self._work.wait()
            self._work.clear()
            until = self._clock.monotonic() + _ROUND_SECONDS
            while self._ready:
                one = self._ready.popleft()
                one.is_queued = False
                with telemetry.bound(execution="/".join(one.key)):  # also for what it starts
                    self._advance(one, until)
                if self._clock.monotonic() >= until:
                    await asyncio.sleep(0)
                    until = self._clock.monotonic() + _ROUND_SECONDS

    def _advance(self, one: worker.Worker, until: float) -> None:
        run = one.run
        if run is None or one.is_dropped:
            return
        try:
            while one.events:
                for command in machine.advance(run, one.events.popleft()):
                    self._effects.perform(one, command)
                if one.events and self._clock.monotonic() >= until:
                    self._queue(one)
                    break
        except Exception as fault:  # noqa: BLE001 -- the supervisor of workers: one execution's fault is not another's
            self._restart(one, fault)
            return
        if records.is_due(run):
            self._reporter.due(one)

    def _restart(self, one: worker.Worker, fault: Exception) -> None:
        """A fault of ours in one execution: load it anew from what is recorded; give up after a while."""
        if one.is_dropped or one.reloads:
            return
        _log.exception("an execution is loaded anew", execution=one.assignment.id.name, error=repr(fault))
        self._attempts.drop(one)
        one.restarts += 1
        one.events.clear()
        one.forgotten.clear()  # their ends were not recorded: they are adopted again
        one.run = None
        if one.restarts > self._settings.restarts:
            message = (
                f"max number of system retry attempts [{one.restarts}/{self._settings.restarts}] exhausted: {fault!r}"
            )
            self._break(one, _system_error("SystemRetriesExhausted", message))
            return
        one.assignment.resumed = one.reloads = True
        self._errands.start(one, f"load {one.assignment.id.name} anew", self._begin_later(one))

    async def _begin_later(self, one: worker.Worker) -> None:
        first, longest = self._settings.retry_seconds
        await self._patience.rest(min(first * 2**one.restarts, longest))
        # Else an attempt whose end is being recorded would be loaded as one that runs, and forgotten meanwhile.
        await self._reporter.settled()
        one.reloads = False
        await self._begin(one)

    # Ends.

    def _ended(self, one: worker.Worker) -> None:
        one.ended = True

    def _acknowledged(self, one: worker.Worker, forgotten: list[str]) -> None:
        self._attempts.forget(forgotten)
        if one.ended and one.run is not None and not records.is_due(one.run):
            if one.assignment.resumed:
                self._attempts.sweep(one, forgotten)
            self._drop(one)

    def _refused(self, one: worker.Worker, refusal: dispatch_pb2.Refusal) -> None:
        if not refusal.unfit:
            _log.info("an execution is another's by now", execution=one.assignment.id.name, reason=refusal.reason)
            self._drop(one)
            return
        one.unfit += 1
        _log.error("a report was unfit", execution=one.assignment.id.name, reason=refusal.reason)
        if one.unfit >= _MOST_UNFIT or one.ended:
            self._drop(one)
        else:
            self.post(one, events.Broke(self._now(), _system_error("ReportUnfit", refusal.reason)))

    def _drop(self, one: worker.Worker) -> None:
        """Drive an execution no more."""
        one.is_dropped = True
        one.events.clear()
        self._attempts.drop(one)
        if one.run is not None:
            one.run.dismantle()
            one.run = None
        if self._workers.get(one.number) is one:
            del self._workers[one.number]
        if self._by_key.get(one.key) is one:
            del self._by_key[one.key]
        if not self._workers:
            self._idle.set()


def _system_error(code: str, message: str) -> execution_pb2.ExecutionError:
    return execution_pb2.ExecutionError(code=code, message=message, kind=execution_pb2.ExecutionError.SYSTEM)

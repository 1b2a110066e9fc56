"""Tells admin what happened: whatever came together goes in one report, one report at a time, in order.

Nothing in an execution waits for a report; what had not got through when an engine dies is done again.
"""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from volant_core import errors, telemetry
from volant_core.rpc import client
from volant_engine import settings as engine_settings
from volant_engine.decide import records
from volant_engine.reactor import metrics, patience, spans, worker
from volantidl.dispatch import dispatch_pb2, dispatch_pb2_grpc

_log = structlog.get_logger(__name__)
_MOST_RECORDS = 2000
_FAULTS = 3
"""How often a report is sent again after a fault of admin's."""


class Reporter:
    """The one reporter of an engine."""

    def __init__(
        self,
        stub: "dispatch_pb2_grpc.DispatchServiceAsyncStub",
        session: str,
        settings: engine_settings.EngineSettings,
        waiting: patience.Patience,
        *,
        acknowledged: Callable[[worker.Worker, list[str]], None],
        refused: Callable[[worker.Worker, dispatch_pb2.Refusal], None],
        faulty: Callable[[worker.Worker, Exception], None],
    ) -> None:
        """Report in the name of `session`.

        Args:
            stub: admin.
            session: who reports.
            settings: the engine's.
            waiting: how to wait for admin to come back.
            acknowledged: hears of a worker whose part was recorded, and of the attempts whose end was in it.
            refused: hears of a worker whose part was dropped.
            faulty: hears of a worker whose part could not even be made, by a fault of ours.
        """
        self._stub = stub
        self._session = session
        self._settings = settings
        self._patience = waiting
        self._acknowledged = acknowledged
        self._refused = refused
        self._faulty = faulty
        self._due: dict[worker.Worker, None] = {}
        self._changed = asyncio.Event()
        self._urgent = asyncio.Event()
        self._pause = settings.report_seconds
        self._sending = asyncio.Lock()
        self._idle = asyncio.Event()
        self._idle.set()

    def due(self, one: worker.Worker) -> None:
        """Something of that execution is to be reported: at once, when somebody waits for it."""
        self._due[one] = None
        self._idle.clear()
        self._changed.set()
        if one.run is not None and (one.run.dirty_self or one.run.is_urgent):
            self._urgent.set()

    async def settled(self) -> None:
        """Wait until what is on its way has been recorded, or has failed."""
        async with self._sending:
            pass

    async def drained(self) -> None:
        """Wait until nothing is left to report; nothing is put off any more."""
        self._pause = 0.0
        self._urgent.set()
        await self._idle.wait()

    async def run(self) -> None:
        """Serve, until cancelled."""
        while True:
            await self._changed.wait()
            if self._pause and not self._urgent.is_set():
                # Much of what comes now is replaced by what comes in a moment: running, then succeeded.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause):
                        await self._urgent.wait()
            self._changed.clear()
            self._urgent.clear()
            # The pump's round goes on first: what follows at once from one event is one report.
            await asyncio.sleep(0)
            request, sent = self._collect()
            if sent:
                async with self._sending:
                    await self._send(request, sent)
            if self._due:
                self._changed.set()
                if request.ByteSize() >= self._settings.report_bytes:
                    self._urgent.set()
            else:
                self._idle.set()

    def _collect(self) -> tuple[dispatch_pb2.ReportRequest, list[tuple[worker.Worker, list[str]]]]:
        """A report of what is due, up to about its bound; what is left stays due."""
        request = dispatch_pb2.ReportRequest(session=self._session)
        sent: list[tuple[worker.Worker, list[str]]] = []
        room = self._settings.report_bytes
        for one in list(self._due):
            if room <= 0:
                break
            run = one.run
            if run is None or one.is_dropped:
                del self._due[one]
                continue
            try:
                part = records.take(run, _MOST_RECORDS, room)
            except Exception as fault:  # noqa: BLE001 -- as for advancing: one execution's fault is not another's
                del self._due[one]
                self._faulty(one, fault)
                continue
            if part is None:
                # What is held back comes again with the event that sets it free.
                del self._due[one]
                continue
            if not records.is_due(run):
                del self._due[one]
            part.execution, part.epoch = one.number, one.epoch
            forgotten: list[str] = []
            if not records.is_due(run):
                forgotten, one.forgotten = one.forgotten, forgotten
            room -= part.ByteSize()
            request.executions.append(part)
            sent.append((one, forgotten))
        return request, sent

    async def _send(self, request: dispatch_pb2.ReportRequest, sent: list[tuple[worker.Worker, list[str]]]) -> None:
        if telemetry.is_tracing():
            for (one, _), part in zip(sent, request.executions, strict=True):
                spans.record(one.key, part)
        try:
            response = await self._call(request, sent)
        except errors.VolantError as wrong:
            if len(sent) > 1:
                # One part spoils the report for all: each goes alone, so that only its own execution suffers.
                for alone, part in zip(sent, request.executions, strict=True):
                    single = dispatch_pb2.ReportRequest(session=self._session, executions=[part])
                    await self._send(single, [alone])
                return
            one = sent[0][0]
            _log.exception("a report was refused", error=wrong.message, execution=one.assignment.id.name)
            refusal = dispatch_pb2.Refusal(execution=one.number, epoch=one.epoch, reason=wrong.message, unfit=True)
            response = dispatch_pb2.ReportResponse(refused=[refusal])
        refusals = {refusal.execution: refusal for refusal in response.refused}
        for one, forgotten in sent:
            refused = refusals.get(one.number)
            if refused is None:
                self._acknowledged(one, forgotten)
            else:
                self._refused(one, refused)

    async def _call(
        self, request: dispatch_pb2.ReportRequest, sent: list[tuple[worker.Worker, list[str]]]
    ) -> dispatch_pb2.ReportResponse:
        async def attempt() -> dispatch_pb2.ReportResponse:
            with telemetry.work_span("report", [one.key for one, _ in sent]):
                return await client.call(self._stub.Report(request, timeout=self._settings.call_seconds))

        for _ in range(_FAULTS):
            try:
                with metrics.REPORT_SECONDS.time():
                    response = await self._patience.until_done("report", attempt)
            except errors.InternalError as fault:
                # A fault of admin's, which may be over in a moment (two transactions in each other's way).
                _log.warning("admin failed to record a report", error=fault.message)
                await self._patience.rest(self._settings.retry_seconds[0])
            else:
                metrics.count(request)
                return response
        return await attempt()

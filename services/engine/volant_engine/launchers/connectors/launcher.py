"""The launcher of what connectors run: creates a job for each attempt or finds the one that is there, and watches it.

What names a job at its connector is kept in the blob store under the attempt's name, so that the job is adopted after a
restart, by this engine or another.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Collection

import structlog

from volant_core import aio, blobstore, errors
from volant_core import clock as core_clock
from volant_core.model import layout
from volant_engine.launchers import port
from volant_engine.launchers.connectors import directory, peer, requests, verdicts
from volant_engine.launchers.connectors import settings as connector_settings
from volantidl.admin import agent_pb2
from volantidl.core import literals_pb2

_log = structlog.get_logger(__name__)
_FOLDER = ("metadata", "connectors")
_SUFFIX = ".pb"
_AWAY = (errors.UnavailableError, errors.DeadlineExceededError)


@dataclasses.dataclass(slots=True, eq=False)
class _Job:
    """An attempt that was launched here."""

    attempt: port.Attempt
    watch: "asyncio.Task[None] | None" = None
    last: port.AttemptUpdate | None = None


class ConnectorLauncher:
    """Runs attempts whose task types connectors serve; `serves` says which."""

    def __init__(
        self,
        settings: connector_settings.ConnectorSettings,
        clock: core_clock.Clock,
        *,
        blobs: blobstore.BlobStore,
    ) -> None:
        """Speak to the connectors of `settings`; keep what names their jobs in `blobs`."""
        self._settings = settings
        self._clock = clock
        self._blobs = blobs
        self._peers = [peer.Peer(endpoint, settings) for endpoint in settings.endpoints]
        self._directory = directory.Directory(self._peers, settings, clock)
        self._tasks = aio.Tasks("connectors")
        self._jobs: dict[str, _Job] = {}
        self._left: set[str] = set()
        self._heard: Callable[[port.AttemptUpdate], None] = lambda _update: None

    @property
    def running(self) -> int:
        """How many jobs are watched."""
        return len(self._tasks)

    async def serves(self, attempt: port.Attempt) -> bool:
        """Whether a connector runs this. UnavailableError where one that may do so does not answer."""
        return await self._directory.find(attempt.task) is not None

    async def start(self, heard: Callable[[port.AttemptUpdate], None]) -> None:
        """Find the jobs of an engine before this one."""
        self._heard = heard
        async for blob in self._blobs.list(self._blobs.join(*_FOLDER, "")):
            self._left.add(blob.uri.rpartition("/")[2].removesuffix(_SUFFIX))

    async def launch(self, attempt: port.Attempt) -> None:
        """Create a job, or adopt the one that was created under this name."""
        known = self._jobs.get(attempt.name)
        if known is not None:
            if known.last is not None:
                self._heard(known.last)
            return
        service = await self._directory.find(attempt.task)
        if service is None:
            raise errors.FailedPreconditionError(f"no connector serves the task type {attempt.task.type!r}")
        self._left.discard(attempt.name)
        job = self._jobs[attempt.name] = _Job(attempt)
        try:
            work = self._run_sync(job, service) if service.is_sync else self._watch(job, await self._job(job, service))
        except BaseException:
            del self._jobs[attempt.name]
            raise
        job.watch = self._tasks.start(attempt.name, work)

    async def _job(self, job: _Job, service: directory.Service) -> agent_pb2.GetTaskRequest:
        attempt = job.attempt
        request = await self._recall(attempt.name)
        if request is None:
            meta = await service.peer.create(
                agent_pb2.CreateTaskRequest(
                    inputs=await self._inputs(attempt),
                    template=requests.template(attempt),
                    output_prefix=attempt.output_prefix,
                    task_execution_metadata=requests.metadata(attempt),
                )
            )
            request = agent_pb2.GetTaskRequest(
                task_type=attempt.task.type,
                resource_meta=meta,
                task_category=service.category,
                output_prefix=attempt.output_prefix,
            )
            await self._blobs.put(self._uri(attempt.name), request.SerializeToString())
        return request

    async def _inputs(self, attempt: port.Attempt) -> literals_pb2.LiteralMap:
        if not attempt.task.interface.inputs.variables:
            return literals_pb2.LiteralMap()
        return literals_pb2.LiteralMap.FromString(await self._blobs.get(attempt.input_uri))

    def _uri(self, name: str) -> str:
        return self._blobs.join(*_FOLDER, name + _SUFFIX)

    async def _recall(self, name: str) -> agent_pb2.GetTaskRequest | None:
        try:
            return agent_pb2.GetTaskRequest.FromString(await self._blobs.get(self._uri(name)))
        except errors.NotFoundError:
            return None

    async def _watch(self, job: _Job, request: agent_pb2.GetTaskRequest) -> None:
        """Look at the job until it ends: connectors offer nothing that could be awaited."""
        pause, longest = self._settings.poll_seconds
        heard_at = self._clock.monotonic()
        while True:
            try:
                resource = await self._service(request).peer.look(request)
                heard_at = self._clock.monotonic()
                if await self._judge(job, resource):
                    return
            except errors.VolantError as error:
                if self._clock.monotonic() - heard_at > self._settings.lost_seconds:
                    self._tell(job, verdicts.broken("ConnectorLost", f"the job cannot be looked at: {error.message}"))
                    return
                _log.warning("a job cannot be looked at; trying again", attempt=job.attempt.name, error=error.message)
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, longest)

    def _service(self, request: agent_pb2.GetTaskRequest) -> directory.Service:
        service = self._directory.of_category(request.task_category)
        if service is None:
            raise errors.UnavailableError(f"no connector serves {request.task_category.name!r} any more")
        return service

    async def _run_sync(self, job: _Job, service: directory.Service) -> None:
        attempt = job.attempt
        header = agent_pb2.CreateRequestHeader(
            template=requests.template(attempt),
            output_prefix=attempt.output_prefix,
            task_execution_metadata=requests.metadata(attempt),
        )
        self._tell(job, verdicts.Verdict(port.AttemptPhase.RUNNING))
        began = self._clock.monotonic()
        pause, longest = self._settings.poll_seconds
        while True:
            try:
                resource = await service.peer.execute(header, await self._inputs(attempt))
                ended = await self._judge(job, resource)
            except errors.VolantError as error:
                patient = isinstance(error, _AWAY) and self._clock.monotonic() - began < self._settings.lost_seconds
                if not patient:
                    self._tell(job, verdicts.broken("ConnectorFailed", error.message))
                    return
            else:
                if not ended:
                    said = verdicts.broken("ConnectorFailed", "the connector answered, but says that the task goes on")
                    self._tell(job, said)
                return
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, longest)

    async def _judge(self, job: _Job, resource: agent_pb2.Resource) -> bool:
        """Tell what is new; whether the job has ended."""
        verdict = verdicts.of_resource(resource)
        if verdict.phase is port.AttemptPhase.SUCCEEDED:
            if resource.HasField("outputs"):
                uri = f"{job.attempt.output_prefix}/{layout.OUTPUTS}"
                await self._blobs.put(uri, resource.outputs.SerializeToString())
            if job.last is None or job.last.phase is not port.AttemptPhase.RUNNING:
                # It ran between two looks.
                self._tell(job, verdicts.Verdict(port.AttemptPhase.RUNNING))
        self._tell(job, verdict, resource)
        return verdict.phase in verdicts.TERMINAL

    def _tell(self, job: _Job, verdict: verdicts.Verdict, resource: agent_pb2.Resource | None = None) -> None:
        update = port.AttemptUpdate(
            job.attempt.name,
            verdict.phase,
            self._clock.now(),
            reason=resource.message if resource is not None else "",
            error=verdict.error,
            retryable=verdict.retryable,
            logs=tuple(resource.log_links) if resource is not None else (),
        )
        last = job.last
        if last is not None and (last.phase, last.reason, last.logs) == (update.phase, update.reason, update.logs):
            return
        job.last = update
        self._heard(update)

    async def stop(self, name: str, reason: str) -> None:  # noqa: ARG002 - connectors are not told why
        """Have the job deleted."""
        await self._unwatch(name)
        request = await self._recall(name)
        if request is not None:
            if self._directory.of_category(request.task_category) is None:
                await self._directory.refresh()
            await self._service(request).peer.delete(
                agent_pb2.DeleteTaskRequest(
                    task_type=request.task_type,
                    resource_meta=request.resource_meta,
                    task_category=request.task_category,
                )
            )
        await self.forget(name)

    async def _unwatch(self, name: str) -> None:
        job = self._jobs.pop(name, None)
        if job is not None and job.watch is not None:
            await aio.cancel_all([job.watch])

    def release(self, name: str) -> None:
        """Watch it no more."""
        job = self._jobs.pop(name, None)
        if job is not None and job.watch is not None:
            job.watch.cancel()

    async def forget(self, name: str) -> None:
        """Let go of what names the job."""
        self._left.discard(name)
        await self._unwatch(name)
        await self._blobs.delete(self._uri(name))

    def leftovers(self) -> Collection[str]:
        """Names under which jobs were created before, and which nobody has launched here."""
        return list(self._left)

    async def close(self, *, end_attempts: bool) -> None:  # noqa: ARG002 - as the docstring says
        """Hang up. Jobs run elsewhere and go on; they are adopted at the next start."""
        await self._tasks.cancel()
        for one in self._peers:
            await one.close()

"""The Kubernetes launcher: has a pod made for each attempt or adopts the one that is there, and tells of it.

Or an object of another kind, of which an operator makes pods; what the two differ in, their kind knows. All news comes
from informers, one for each kind. An object is judged when it changes, and again when time alone may change that.
Nothing of an attempt is kept here that a restart would miss: the objects are the truth, and one that is gone is judged
by what it left in the object store.
"""

import asyncio
import contextlib
import dataclasses
import datetime
import random
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog

from volant_core import aio, errors
from volant_core import clock as core_clock
from volant_core.blobstore import port as blob_port
from volant_core.model import layout
from volant_engine.launchers import copilot, port, slots
from volant_engine.launchers.kubernetes import (
    cluster,
    data_containers,
    growth,
    informer,
    kinds,
    logs,
    making,
    pod_spec,
    pod_status,
    removal,
    templates,
)
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volant_engine.launchers.kubernetes.warm import warm
from volantidl.core import execution_pb2

_log = structlog.get_logger(__name__)
_RESULTS = (layout.OUTPUTS, layout.ERROR, layout.FUTURES)
_LAST_LINES = 20
_LAST_WORDS = 2.0
"""Seconds that reading the log of a pod may take, before it is deleted."""
Allowed = Callable[[port.Attempt], Awaitable[tuple[Mapping[str, str], Mapping[str, str]]]]
"""Default amounts and limits of resources, by Kubernetes' names."""


@dataclasses.dataclass(slots=True, eq=False)
class _Run:
    """An attempt that was launched here and has not ended."""

    attempt: port.Attempt
    kind: kinds.Kind
    namespace: str
    source: logs.Source
    since: datetime.datetime
    """When it was launched here: nothing of it happened before."""
    making: "asyncio.Task[None] | None" = None
    is_asked_for: bool = False
    """Whether the API server may have its object by now."""
    has_slot: bool = False
    told: tuple[port.AttemptPhase, str] | None = None
    links: tuple[execution_pb2.TaskLog, ...] = ()
    """Pages about it, besides its log."""
    began: datetime.datetime | None = None
    timer: asyncio.TimerHandle | None = None
    ended: bool = False

    @property
    def name(self) -> str:
        """The attempt's."""
        return self.attempt.name

    @property
    def path(self) -> str:
        """Where the API server has its object."""
        return self.kind.path(self.namespace, self.kind.name_of(self.name))


class KubernetesLauncher:
    """Runs attempts as pods, and as what operators make pods of."""

    def __init__(
        self,
        settings: kubernetes_settings.KubernetesSettings,
        clock: core_clock.Clock,
        *,
        blobs: blob_port.BlobStore,
        chance: random.Random,
        allowed: Allowed | None = None,
    ) -> None:
        """Keep what it needs; `start` makes it ready. `allowed` says what an attempt's project gives and allows it."""
        self._settings = settings
        self._clock = clock
        self._blobs = blobs
        self._allowed = allowed
        self._api = cluster.Cluster(settings)
        self._informers = informer.Informers(self._api, settings, chance, self._changed)
        self._maker = making.Maker(self._api, settings, clock, chance)
        self._logs = logs.Logs(self._api, settings, blobs)
        self._templates = templates.Templates(self._api, settings, clock)
        self._removal = removal.Removal(self._api, settings, clock)
        self._warm: warm.Warm | None = None
        if settings.warm_pods:
            made = (self._maker, self._removal, self._logs)
            self._warm = warm.Warm(self._api, settings, clock, *made, blobs=blobs, chance=chance)
        self._slots = slots.Slots(settings.pods) if settings.pods else None
        self._tasks = aio.Tasks("pods")
        self._runs: dict[str, _Run] = {}
        self._heard: Callable[[port.AttemptUpdate], None] = _deaf

    @property
    def running(self) -> int:
        """How many of the attempts launched here run now."""
        return sum(run.began is not None for run in self._runs.values())

    async def start(self, heard: Callable[[port.AttemptUpdate], None]) -> None:
        """See what is there. UnavailableError or FailedPreconditionError when the cluster can't be asked."""
        self._heard = heard
        await self._api.open()
        await self._informers.start()
        if self._warm is not None:
            await self._warm.start()
        self._logs.start()
        self._tasks.start("orphans", self._removal.remove_orphans(self._orphans))

    async def launch(self, attempt: port.Attempt) -> None:
        """Run the attempt, or adopt it. Returns when it is accepted; its pod may be made afterwards."""
        known = self._runs.get(attempt.name)
        if known is not None:
            if known.began is not None:
                self._tell(known, port.AttemptPhase.RUNNING, known.began, started=known.began)
            return
        kind = kinds.of_attempt(attempt, self._settings.operators)
        await self._informers.watch(kind)
        manifest = None
        if attempt.name not in self._informers.objects and not attempt.was_running:
            manifest = await self._manifest(kind, attempt)
        namespace = pod_spec.namespace_of(attempt, self._settings)
        source = logs.Source(namespace, kind.log_place(attempt, None), self._logs.place(attempt))
        run = self._runs[attempt.name] = _Run(attempt, kind, namespace, source, self._clock.now())
        told = self._informers.objects.get(attempt.name)
        if told is not None:
            run.is_asked_for = True
            self._hold_slot(run)
            self._judge(run, told)
        elif manifest is None:
            run.making = self._tasks.start(f"look for {attempt.name}", self._conclude_lost(run))
        else:
            run.making = self._tasks.start(f"make {attempt.name}", self._make(run, manifest))

    async def stop(self, name: str, reason: str) -> None:
        """End an attempt: its object is deleted, which gives pods their grace. No news of it comes afterwards."""
        run = self._runs.get(name)
        told = self._informers.objects.get(name)
        if run is not None:
            _log.info("ending an attempt", attempt=name, reason=reason)
            await self._let_go(run)
            if self._warm is not None and self._warm.stop(name):
                return
            told = self._informers.objects.get(name)
            if run.began is not None and told is not None:
                with contextlib.suppress(TimeoutError):  # its node may be lost
                    async with asyncio.timeout(_LAST_WORDS):
                        await self._logs.keep(run.source)
        elif self._warm is not None and self._warm.stop(name):
            return
        if told is not None:
            await self._removal.remove(told, grace=self._settings.stop_seconds)
        elif run is not None and run.is_asked_for:
            grace = self._settings.stop_seconds
            if grace is None and copilot.wanted(run.attempt.task) is not None:
                grace = data_containers.OWN_GRACE
            await self._removal.remove_at(run.path, grace=grace)

    def release(self, name: str) -> None:
        """Let go of an attempt: what runs, runs on, unheard; what waits here to be started never is."""
        run = self._runs.get(name)
        if run is not None:
            self._tasks.start(f"release {name}", self._let_go(run))
            self._forget_run(run)

    async def forget(self, name: str) -> None:
        """The attempt is recorded as ended: its object is deleted, after as long as the settings keep such."""
        told = self._informers.objects.get(name)
        if told is not None:
            verdict = kinds.of(told).judge(told, self._clock.now(), self._settings)
            self._removal.remove_later(told, verdict)
        elif self._warm is not None:
            self._warm.forget(name)

    def leftovers(self) -> Collection[str]:
        """Names of attempts that have an object, or a worker, and that nobody has launched here, nor forgotten."""
        left = self._informers.objects.keys() | (self._warm.leftovers() if self._warm is not None else set())
        return left - self._runs.keys() - set(self._removal.due)

    async def close(self, *, end_attempts: bool) -> None:
        """Shut down. With `end_attempts`, delete the objects of what runs; else leave them, to be adopted."""
        self._heard = _deaf
        if end_attempts:
            names = list(self._runs)
            async with asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(self._end(name), name=f"end {name}")
        for run in list(self._runs.values()):
            self._forget_run(run)
        await self._tasks.cancel()
        if self._warm is not None:
            await self._warm.close(end=end_attempts)
        await self._informers.close()
        await self._logs.close()
        await self._removal.close()
        await self._api.close()

    # Making

    async def _manifest(self, kind: kinds.Kind, attempt: port.Attempt) -> cluster.Object:
        if self._allowed is not None:
            defaults, limits = await self._allowed(attempt)
            attempt = dataclasses.replace(attempt, resource_defaults=defaults, resource_limits=limits)
        template = await self._templates.of(attempt)
        memory = await growth.needed(self._blobs, attempt, self._settings)
        return kind.build(attempt, self._settings, template, memory)

    async def _make(self, run: _Run, manifest: cluster.Object) -> None:
        def waits(reason: str) -> None:
            self._say(run, port.AttemptPhase.QUEUED, self._clock.now(), reason)

        if self._slots is not None and not run.attempt.is_eager:
            if not self._slots.try_acquire():
                waits("waits for a free slot")
                await self._slots.acquire()
            run.has_slot = True
        if self._warm is not None and run.kind is kinds.PODS and await self._warm.fits(run.attempt, manifest):
            await self._conclude_warm(run, await self._warm.carry(run.attempt, manifest, self._news(run)))
            return
        run.is_asked_for = True
        try:
            made = await self._maker.make(run.kind, manifest, waits)
        except making.NotMadeError as refused:
            at = self._clock.now()
            verdict = pod_status.Verdict(port.AttemptPhase.FAILED, at, error=refused.error, retryable=refused.retryable)
            self._end_run(run, verdict, has_log=False)
            return
        run.making = None
        self._informers.see(run.kind, made)

    def _news(self, run: _Run) -> warm.News:
        def waits(reason: str) -> None:
            self._say(run, port.AttemptPhase.QUEUED, self._clock.now(), reason)

        return warm.News(waits, lambda at: self._begin(run, at, has_pod=False))

    def _hold_slot(self, run: _Run) -> None:
        if self._slots is not None and not run.attempt.is_eager and not run.has_slot:
            self._slots.force()
            run.has_slot = True

    # Judging

    def _changed(self, name: str, told: informer.Object, is_there: bool) -> None:
        if not is_there:
            self._removal.gone(name)
        run = self._runs.get(name)
        if run is None:
            return
        if is_there:
            self._judge(run, told)
        else:
            verdict = run.kind.gone(told, self._clock.now(), self._settings)
            self._tasks.start(f"conclude {name}", self._conclude_gone(run, verdict))

    def _judge(self, run: _Run, told: informer.Object) -> None:
        if run.ended:
            return
        if run.timer is not None:
            run.timer.cancel()
            run.timer = None
        now = self._clock.now()
        verdict = run.kind.judge(told, now, self._settings)
        run.source.place = run.kind.log_place(run.attempt, told)
        self._link(run, run.kind.links(told))
        if verdict.is_end:
            self._conclude(run, verdict)
            return
        if verdict.again is not None:
            pause = max(0.05, (verdict.again - now).total_seconds())
            run.timer = asyncio.get_running_loop().call_later(pause, self._judge_again, run)
        if verdict.phase is port.AttemptPhase.RUNNING:
            self._begin(run, verdict.started_at or verdict.at)
        elif run.began is None:
            self._say(run, verdict.phase, verdict.at, verdict.reason)

    def _judge_again(self, run: _Run) -> None:
        run.timer = None
        told = self._informers.objects.get(run.name)
        if told is not None and self._runs.get(run.name) is run:
            self._judge(run, told)

    def _link(self, run: _Run, links: tuple[execution_pb2.TaskLog, ...]) -> None:
        """Its operator names pages, which may be known only when it runs, and not any more when it has ended."""
        if links and links != run.links:
            run.links = links
            if run.began is not None:
                self._tell(run, port.AttemptPhase.RUNNING, run.began, started=run.began)

    def _begin(self, run: _Run, at: datetime.datetime, *, has_pod: bool = True) -> None:
        if run.began is None:
            run.began = max(at, run.since)
            self._tell(run, port.AttemptPhase.RUNNING, run.began, started=run.began)
            if has_pod:
                self._logs.follow(run.source)

    def _conclude(self, run: _Run, verdict: pod_status.Verdict) -> None:
        """It has ended. What it takes to say so well is done first; most often that is nothing."""
        ran_out = verdict.error is not None and verdict.error.code == "OOMKilled" and self._settings.oom_factor
        if verdict.is_mute or ran_out:
            run.ended = True
            self._tasks.start(f"conclude {run.name}", self._conclude_failure(run, verdict))
        else:
            self._end_run(run, verdict, has_log=True)

    async def _conclude_failure(self, run: _Run, verdict: pod_status.Verdict) -> None:
        assert verdict.error is not None, "a failure says why"
        if verdict.is_mute:
            said = await self._logs.tail(run.source, _LAST_LINES)
            if said:
                verdict.error.message += f" The last that it said:\n{said}"
        if verdict.error.code == "OOMKilled" and self._settings.oom_factor:
            try:
                await self._note_memory(run)
            except errors.VolantError as error:
                _log.warning("the next attempt will have no more memory", attempt=run.name, error=error.message)
        self._end_run(run, verdict, has_log=True)

    async def _note_memory(self, run: _Run) -> None:
        manifest = await self._manifest(run.kind, run.attempt)
        main = next(one for one in manifest["spec"]["containers"] if one["name"] == run.source.place.container)
        memory = main["resources"].get("limits", {}).get("memory", "")
        if memory:
            await growth.note(self._blobs, run.attempt, memory)

    async def _conclude_gone(self, run: _Run, verdict: pod_status.Verdict) -> None:
        """Its object is not there any more."""
        if run.ended or self._runs.get(run.name) is not run:
            return
        run.ended = True
        if verdict.phase is not port.AttemptPhase.SUCCEEDED and await self._has_results(run.attempt):
            verdict = pod_status.Verdict(port.AttemptPhase.SUCCEEDED, verdict.at, started_at=verdict.started_at)
        self._end_run(run, verdict, has_log=True)

    async def _conclude_lost(self, run: _Run) -> None:
        """An engine before this one had seen it run."""
        if self._warm is not None:
            try:
                ending = await self._warm.adopt(run.attempt, self._news(run))
            except errors.VolantError as error:
                _log.warning("can't tell whether a worker ran an attempt", attempt=run.name, error=error.message)
                ending = None
            if ending is not None:
                await self._conclude_warm(run, ending)
                return
        verdict = pod_status.vanished(f"{run.namespace}/{run.name}", self._clock.now())
        await self._conclude_gone(run, verdict)

    async def _conclude_warm(self, run: _Run, ending: warm.Ending) -> None:
        """The attempt has ended on a worker, or with it."""
        if ending.is_lost:
            await self._conclude_gone(run, ending.verdict)
        elif ending.verdict.error is not None and ending.verdict.error.code == "OOMKilled":
            await self._conclude_failure(run, ending.verdict)
        else:
            self._end_run(run, ending.verdict, has_log=False)

    async def _has_results(self, attempt: port.Attempt) -> bool:
        prefix = attempt.output_prefix.rstrip("/")
        pause, longest = self._settings.retry_seconds
        while True:
            try:
                for name in _RESULTS:
                    if await self._blobs.head(f"{prefix}/{name}") is not None:
                        return True
            except errors.UnavailableError as away:
                _log.warning("can't tell what an attempt left", attempt=attempt.name, error=away.message)
                await asyncio.sleep(pause)
                pause = min(2 * pause, longest)
            else:
                return False

    # Ending

    def _end_run(self, run: _Run, verdict: pod_status.Verdict, *, has_log: bool) -> None:
        if self._runs.get(run.name) is not run:
            return
        if run.began is None and verdict.started_at is not None:
            run.began = max(verdict.started_at, run.since)
            self._tell(run, port.AttemptPhase.RUNNING, run.began, started=run.began)
        began = run.began
        self._forget_run(run)
        if has_log and began is not None:
            self._removal.after(run.name, self._tasks.start(f"log of {run.name}", self._logs.keep(run.source)))
        self._tell(
            run,
            verdict.phase,
            max(verdict.at, began or run.since),
            error=verdict.error,
            retryable=verdict.retryable,
            has_log=began is not None,
        )

    def _forget_run(self, run: _Run) -> None:
        """It is none of ours any more: no timers, no slot."""
        run.ended = True
        if run.timer is not None:
            run.timer.cancel()
            run.timer = None
        if run.has_slot and self._slots is not None:
            run.has_slot = False
            self._slots.release()
        if self._runs.get(run.name) is run:
            del self._runs[run.name]

    async def _let_go(self, run: _Run) -> None:
        """Make nothing of it any more. A call that is under way is waited for, so that its object is known."""
        self._forget_run(run)
        if run.making is not None:
            await aio.cancel_all([run.making])
        await self._logs.leave(run.source)

    async def _end(self, name: str) -> None:
        try:
            await self.stop(name, "the engine is shut down")
        except errors.VolantError as error:
            _log.warning("an attempt could not be ended", attempt=name, error=error.message)

    def _orphans(self) -> list[informer.Object]:
        left = self.leftovers()
        return [told for name, told in self._informers.objects.items() if name in left]

    # News

    def _say(self, run: _Run, phase: port.AttemptPhase, at: datetime.datetime, reason: str) -> None:
        """Tell of a phase before it runs, where that is new."""
        if run.told != (phase, reason) and not run.ended:
            run.told = (phase, reason)
            self._heard(port.AttemptUpdate(run.name, phase, max(at, run.since), reason=reason))

    def _tell(
        self,
        run: _Run,
        phase: port.AttemptPhase,
        at: datetime.datetime,
        *,
        started: datetime.datetime | None = None,
        error: execution_pb2.ExecutionError | None = None,
        retryable: bool = False,
        has_log: bool = True,
    ) -> None:
        self._heard(
            port.AttemptUpdate(
                name=run.name,
                phase=phase,
                at=at,
                started_at=started,
                error=error,
                retryable=retryable,
                logs=(*self._logs.links(run.attempt), *run.links) if has_log else run.links,
            )
        )


def _deaf(_: port.AttemptUpdate) -> None:
    """Before the start and after the end, nobody listens."""

"""Ended pods, and jobs of operators, are deleted: when settings say so, after their log is kept, a few at a time.

Pods carry no finalizer. Flyte sets one so that a pod can't vanish before its polling has seen the end; the watch brings
the last state of a deleted pod with the news of its deletion, and what vanishes while no engine looks is judged by the
outputs that it left. So nothing can leak that keeps a namespace from being deleted.
"""

import asyncio
import datetime
import heapq
from collections.abc import Callable, Collection, Iterable

import structlog

from volant_core import aio, clock, errors
from volant_engine.launchers.kubernetes import cluster, data_containers, informer, kinds, pod_status
from volant_engine.launchers.kubernetes import settings as kubernetes_settings

_log = structlog.get_logger(__name__)
_ROUND = 600.0
"""Seconds between looks for orphans."""
_TRIES = 5


class Removal:
    """Deletes objects."""

    def __init__(
        self, api: cluster.Cluster, settings: kubernetes_settings.KubernetesSettings, time: clock.Clock
    ) -> None:
        """Delete by `api`."""
        self._api = api
        self._settings = settings
        self._clock = time
        self._tasks = aio.Tasks("removal")
        self._queue: list[tuple[float, str, informer.Object]] = []
        self._work = asyncio.Event()
        self._logs: dict[str, asyncio.Task[None]] = {}
        self._due: set[str] = set()

    @property
    def due(self) -> Collection[str]:
        """Names of attempts whose objects will be deleted, or are kept on purpose."""
        return self._due

    async def close(self) -> None:
        """Delete no more."""
        await self._tasks.cancel()

    def after(self, name: str, log: "asyncio.Task[None]") -> None:
        """Delete the object of an attempt only after its log is kept."""
        self._logs[name] = log
        log.add_done_callback(lambda _: self._logs.pop(name, None))

    def gone(self, name: str) -> None:
        """The object is not there any more."""
        self._due.discard(name)

    async def remove(self, told: informer.Object, *, grace: int | None = None) -> None:
        """Delete an object now."""
        metadata = told["metadata"]
        own = (metadata.get("annotations") or {}).get(data_containers.STOP_SECONDS)
        if grace is None and own is not None:
            grace = int(own)
        self._due.discard(informer.attempt_of(told))
        await self.remove_at(_path(told), grace=grace, uid=metadata["uid"])

    def remove_later(self, told: informer.Object, verdict: pod_status.Verdict) -> None:
        """Delete an object when its time has come; one of which something runs on, at once."""
        name = informer.attempt_of(told)
        if name in self._due or told["metadata"].get("deletionTimestamp"):
            return
        kept = self._settings.keep_succeeded_seconds if verdict.error is None else self._settings.keep_failed_seconds
        if not kinds.of(told).is_over(told):
            kept = 0.0  # a companion runs on, or the pod hangs
        self._due.add(name)
        if kept < 0:
            return
        heapq.heappush(self._queue, (self._clock.monotonic() + kept, name, told))
        self._work.set()
        if len(self._tasks) == 0:
            self._tasks.start("delete", self._run())

    async def remove_orphans(self, orphans: Callable[[], Iterable[informer.Object]]) -> None:
        """From time to time, delete what ended long ago and no engine has taken up."""
        age = datetime.timedelta(seconds=self._settings.orphan_seconds)
        while self._settings.orphan_seconds >= 0:
            await asyncio.sleep(_ROUND)
            now = self._clock.now()
            for told in list(orphans()):
                verdict = kinds.of(told).judge(told, now, self._settings)
                if verdict.is_end and now - verdict.at > age:
                    _log.info("deleting what no engine has taken up", path=_path(told))
                    await self._try(told)

    async def _run(self) -> None:
        while True:
            self._work.clear()
            while self._queue and self._queue[0][0] <= self._clock.monotonic():
                _, name, told = heapq.heappop(self._queue)
                log = self._logs.get(name)
                if log is not None:
                    await asyncio.wait([log])
                await self._try(told)
                self._due.discard(name)
            pause = self._queue[0][0] - self._clock.monotonic() if self._queue else None
            try:
                async with asyncio.timeout(pause):
                    await self._work.wait()
            except TimeoutError:
                continue

    async def _try(self, told: informer.Object) -> None:
        try:
            await self.remove(told)
        except errors.VolantError as wrong:
            _log.warning("an object could not be deleted", path=_path(told), error=wrong.message)

    async def remove_at(self, path: str, *, grace: int | None = None, uid: str = "") -> None:
        """Delete now what may not be there."""
        pause = self._settings.retry_seconds[0]
        for left in reversed(range(_TRIES)):
            try:
                await self._api.delete(path, grace=grace, uid=uid)
            except errors.UnavailableError:
                if not left:
                    raise
            except cluster.RefusedError as refused:
                if not refused.is_away:
                    raise errors.FailedPreconditionError(f"{path} can't be deleted: {refused.message}") from refused
                if not left:
                    raise errors.UnavailableError(refused.message) from refused
            else:
                return
            await asyncio.sleep(pause)
            pause *= 2


def _path(told: informer.Object) -> str:
    return kinds.of(told).path(told["metadata"]["namespace"], told["metadata"]["name"])

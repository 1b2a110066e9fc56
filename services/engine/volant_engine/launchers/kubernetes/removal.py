"""Ended pods are deleted: when settings say so, after their log is kept, a few at a time.

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
from volant_engine.launchers.kubernetes import cluster, informer, pod_status
from volant_engine.launchers.kubernetes import settings as kubernetes_settings

_log = structlog.get_logger(__name__)
_ROUND = 600.0
"""Seconds between looks for orphans."""
_TRIES = 5


class Removal:
    """Deletes pods."""

    def __init__(
        self, api: cluster.Cluster, settings: kubernetes_settings.KubernetesSettings, time: clock.Clock
    ) -> None:
        """Delete by `api`."""
        self._api = api
        self._settings = settings
        self._clock = time
        self._tasks = aio.Tasks("removal")
        self._queue: list[tuple[float, str, informer.Pod]] = []
        self._work = asyncio.Event()
        self._logs: dict[str, asyncio.Task[None]] = {}
        self._due: set[str] = set()

    @property
    def due(self) -> Collection[str]:
        """Names of attempts whose pods will be deleted, or are kept on purpose."""
        return self._due

    async def close(self) -> None:
        """Delete no more."""
        await self._tasks.cancel()

    def after(self, name: str, log: "asyncio.Task[None]") -> None:
        """Delete the pod of an attempt only after its log is kept."""
        self._logs[name] = log
        log.add_done_callback(lambda _: self._logs.pop(name, None))

    def gone(self, name: str) -> None:
        """The pod is not there any more."""
        self._due.discard(name)

    async def remove(self, pod: informer.Pod, *, grace: int | None = None) -> None:
        """Delete a pod now."""
        metadata = pod["metadata"]
        self._due.discard(pod_name(pod))
        await self._delete(metadata["namespace"], metadata["name"], grace, metadata["uid"])

    async def remove_named(self, namespace: str, name: str, *, grace: int | None = None) -> None:
        """Delete a pod now that may not be there."""
        await self._delete(namespace, name, grace, "")

    def remove_later(self, pod: informer.Pod, verdict: pod_status.Verdict) -> None:
        """Delete an ended pod, or one whose main container has ended, when its time has come."""
        name = pod_name(pod)
        if name in self._due or pod["metadata"].get("deletionTimestamp"):
            return
        phase = (pod.get("status") or {}).get("phase")
        kept = self._settings.keep_succeeded_seconds if verdict.error is None else self._settings.keep_failed_seconds
        if phase not in {"Succeeded", "Failed"} and not _is_over(pod):
            kept = 0.0  # a companion runs on, or the pod hangs
        self._due.add(name)
        if kept < 0:
            return
        heapq.heappush(self._queue, (self._clock.monotonic() + kept, name, pod))
        self._work.set()
        if len(self._tasks) == 0:
            self._tasks.start("delete", self._run())

    async def remove_orphans(self, orphans: Callable[[], Iterable[informer.Pod]]) -> None:
        """From time to time, delete pods that ended long ago and that no engine has taken up."""
        age = datetime.timedelta(seconds=self._settings.orphan_seconds)
        while self._settings.orphan_seconds >= 0:
            await asyncio.sleep(_ROUND)
            now = self._clock.now()
            for pod in list(orphans()):
                verdict = pod_status.judge(pod, now, self._settings)
                if verdict.is_end and now - verdict.at > age:
                    _log.info("deleting a pod that no engine has taken up", pod=pod_name(pod))
                    await self._try(pod)

    async def _run(self) -> None:
        while True:
            self._work.clear()
            while self._queue and self._queue[0][0] <= self._clock.monotonic():
                _, name, pod = heapq.heappop(self._queue)
                log = self._logs.get(name)
                if log is not None:
                    await asyncio.wait([log])
                await self._try(pod)
                self._due.discard(name)
            pause = self._queue[0][0] - self._clock.monotonic() if self._queue else None
            try:
                async with asyncio.timeout(pause):
                    await self._work.wait()
            except TimeoutError:
                continue

    async def _try(self, pod: informer.Pod) -> None:
        try:
            await self.remove(pod)
        except errors.VolantError as wrong:
            _log.warning("a pod could not be deleted", pod=pod_name(pod), error=wrong.message)

    async def _delete(self, namespace: str, name: str, grace: int | None, uid: str) -> None:
        pause = self._settings.retry_seconds[0]
        for left in reversed(range(_TRIES)):
            try:
                await self._api.delete_pod(namespace, name, grace=grace, uid=uid)
            except errors.UnavailableError:
                if not left:
                    raise
            except cluster.RefusedError as refused:
                if not refused.is_away:
                    raise errors.FailedPreconditionError(
                        f"the pod {namespace}/{name} can't be deleted: {refused.message}"
                    ) from refused
                if not left:
                    raise errors.UnavailableError(refused.message) from refused
            else:
                return
            await asyncio.sleep(pause)
            pause *= 2


def pod_name(pod: informer.Pod) -> str:
    """A pod's name, which is its attempt's."""
    name: str = pod["metadata"]["name"]
    return name


def _is_over(pod: informer.Pod) -> bool:
    """Whether all its containers have ended, though the pod's own phase does not say so yet."""
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    return bool(containers) and all("terminated" in (one.get("state") or {}) for one in containers)

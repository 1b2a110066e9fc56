"""A pool: workers whose pods are alike, and the attempts that wait for one.

It grows while attempts wait, up to its bound; what is over that waits for its turn. A worker that has nothing to do for
a while is let go.
"""

import asyncio
import collections
import dataclasses
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from volant_core import aio, clock, errors
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import making, pod_status
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volant_engine.launchers.kubernetes.warm import endings, workers


class NoWorkerError(Exception):
    """No worker can be had; `verdict` is what the attempt's own pod would get."""

    def __init__(self, verdict: pod_status.Verdict) -> None:
        """As it is told."""
        super().__init__(verdict.error.message if verdict.error else "")
        self.verdict = verdict


@dataclasses.dataclass(slots=True, eq=False)
class _Waiting:
    """An attempt that waits for a worker."""

    worker: "asyncio.Future[workers.Worker]"
    say: Callable[[str], None]


class Pool:
    """One pool."""

    def __init__(
        self,
        manifest: Mapping[str, Any],
        settings: kubernetes_settings.KubernetesSettings,
        time: clock.Clock,
        make: Callable[["Pool", Callable[[str], None]], Awaitable[workers.Worker]],
        remove: Callable[[workers.Worker], Coroutine[Any, Any, None]],
    ) -> None:
        """Workers are made by `make`, which gives them when they can be asked, and done away with by `remove`."""
        self.manifest = manifest
        self.workers: set[workers.Worker] = set()
        self._settings = settings
        self._clock = time
        self._make = make
        self._remove = remove
        self._tasks = aio.Tasks("a pool of workers")
        self._idle: list[workers.Worker] = []
        self._waiting: collections.deque[_Waiting] = collections.deque()
        self._starting = 0
        self._has_begun = False

    @property
    def has_waiting(self) -> bool:
        """Whether attempts wait for a worker."""
        return bool(self._waiting)

    async def take(self, say: Callable[[str], None]) -> workers.Worker:
        """A worker that has nothing to do, for the caller alone until it is given back; `say` hears why it takes long.

        Raises:
            NoWorkerError: there will be none.
        """
        while self._idle:
            worker = self._idle.pop()
            if worker.rest is not None:
                worker.rest.cancel()
                worker.rest = None
            if worker.is_open:
                return worker
            self.lose(worker)
        waiting = _Waiting(asyncio.get_running_loop().create_future(), say)
        self._waiting.append(waiting)
        self._grow()
        say("waits for a warm worker")
        try:
            return await waiting.worker
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif not waiting.worker.cancelled() and waiting.worker.exception() is None:
                self.give(waiting.worker.result())
            raise

    def give(self, worker: workers.Worker) -> None:
        """The worker has nothing to do any more, or for the first time."""
        worker.attempt = ""
        if worker.rest is not None:
            worker.rest.cancel()
            worker.rest = None
        if not worker.is_open:
            self.lose(worker)
            return
        self._has_begun = True
        self.workers.add(worker)
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.worker.done():
                waiting.worker.set_result(worker)
                return
        self._idle.append(worker)
        loop = asyncio.get_running_loop()
        worker.rest = loop.call_later(self._settings.warm_idle_seconds, self._retire, worker)

    def lose(self, worker: workers.Worker) -> None:
        """The worker is of no more use."""
        self.workers.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        self._tasks.start(f"remove {worker.name}", self._remove(worker))
        self._grow()

    async def close(self) -> None:
        """Start no more workers."""
        await self._tasks.cancel()

    def _retire(self, worker: workers.Worker) -> None:
        worker.rest = None
        if worker in self._idle:
            self.lose(worker)

    def _grow(self) -> None:
        wanted = min(len(self._waiting), self._settings.warm_pods - len(self.workers))
        while self._starting < wanted:
            self._starting += 1
            self._tasks.start("start a worker", self._start())

    async def _start(self) -> None:
        try:
            worker = await self._make(self, self._say)
        except NoWorkerError as none:
            self._starting -= 1
            self._fail(none.verdict)
            return
        except errors.VolantError as wrong:
            self._starting -= 1
            self._fail(endings.never_ran("a worker", wrong, self._clock.now()))
            return
        except BaseException:
            self._starting -= 1
            raise
        self._starting -= 1
        self.give(worker)

    def _say(self, reason: str) -> None:
        for waiting in self._waiting:
            waiting.say(reason)

    def _fail(self, verdict: pod_status.Verdict) -> None:
        """A worker could not be started: so it is for who waits first; for all, as long as there never was one."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.worker.done():
                waiting.worker.set_exception(NoWorkerError(verdict))
                if self._has_begun:
                    break
        self._grow()


def refusal(refused: making.NotMadeError, at: Any) -> NoWorkerError:
    """What a pod that is not made means."""
    return NoWorkerError(
        pod_status.Verdict(port.AttemptPhase.FAILED, at, error=refused.error, retryable=refused.retryable)
    )

"""All workers of an engine: those that it made, and those that it took over from one that is gone."""

import asyncio
import contextlib
import random
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from volant_core import aio, clock, errors
from volant_engine.launchers.kubernetes import cluster, informer, kinds, making, removal
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volant_engine.launchers.kubernetes.warm import pools, worker_pod, workers


class Fleet:
    """Workers, by their names and in their pools."""

    def __init__(
        self,
        api: cluster.Cluster,
        settings: kubernetes_settings.KubernetesSettings,
        time: clock.Clock,
        maker: making.Maker,
        remover: removal.Removal,
        chance: random.Random,
        found: Callable[[workers.Worker, Mapping[str, bool]], None],
    ) -> None:
        """Nothing is asked before `start`. `found` hears what runs (or has ended) on a worker that is taken over."""
        self._api = api
        self._settings = settings
        self._clock = time
        self._maker = maker
        self._removal = remover
        self._found = found
        selector = f"{worker_pod.INSTALLATION}={settings.installation}"
        self._informer = informer.Informer(kinds.PODS, api, settings, chance, self._changed, selector)
        self._tasks = aio.Tasks("warm workers")
        self._pools: dict[str, pools.Pool] = {}
        self._parked: dict[str, set[workers.Worker]] = {}
        self._workers: dict[str, workers.Worker] = {}

    async def start(self) -> None:
        """See what is there, and take over what nobody has."""
        try:
            await self._informer.start()
        except cluster.RefusedError as refused:
            raise errors.FailedPreconditionError(
                f"the Kubernetes API server refuses to list the pods of warm workers: {refused.message}"
            ) from refused
        self._tasks.start("watch", self._informer.run())
        for name, pod in self._informer.objects.items():
            self._tasks.start(f"take over {name}", self._take_over(name, pod))

    async def close(self, *, end: bool) -> None:
        """Let go of all; with `end`, delete their pods."""
        await self._tasks.cancel()
        for pool in self._pools.values():
            await pool.close()
        mine = [one for one in self._workers.values() if one.is_ours or one.pod is None]
        for worker in list(self._workers.values()):
            await worker.close()
        if end:
            for worker in mine:
                with contextlib.suppress(errors.VolantError):
                    await self._delete(worker)

    def pool(self, manifest: Mapping[str, Any]) -> pools.Pool:
        """The pool of workers with such pods."""
        key = worker_pod.key(manifest)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = pools.Pool(manifest, self._settings, self._clock, self._make, self._remove)
            for worker in self._parked.pop(key, ()):
                pool.give(worker)
        return pool

    def is_busy(self, worker: workers.Worker) -> bool:
        """Whether other attempts wait for a worker like this."""
        pool = self._pools.get(worker_pod.pool_of(worker.name))
        return pool is not None and pool.has_waiting

    def retired(self, worker: workers.Worker) -> None:
        """The worker has done its work: back to its pool."""
        worker.attempt = ""
        pool = self._pools.get(worker_pod.pool_of(worker.name))
        if not worker.is_ours:
            if pool is not None:
                pool.workers.discard(worker)
        elif pool is not None:
            pool.give(worker)
        elif worker.is_open:
            self._park(worker)

    def done_with(self, worker: workers.Worker) -> None:
        """Nobody asks about an attempt on it any more."""
        if not worker.is_ours and not worker.attempt and self._workers.pop(worker.name, None) is not None:
            self._tasks.start(f"leave {worker.name}", worker.close())

    def lose(self, worker: workers.Worker) -> None:
        """The worker is of no more use, nor is its pod."""
        pool = self._pools.get(worker_pod.pool_of(worker.name))
        if pool is not None and worker in pool.workers:
            pool.lose(worker)
        else:
            self._tasks.start(f"remove {worker.name}", self._remove(worker))

    async def known(self, name: str, namespace: str) -> workers.Worker | None:
        """A worker by its name; None when its pod is gone."""
        while name not in self._workers:
            try:
                pod = await self._api.get(kinds.PODS.path(namespace, name))
            except cluster.RefusedError as refused:
                if refused.status == 404:
                    return None
            except errors.UnavailableError:
                pass
            else:
                if name not in self._workers:  # nor meanwhile
                    token = worker_pod.token_of(pod)
                    worker = self._workers[name] = workers.Worker(name, namespace, token, self._settings, self._clock)
                    worker.seen(pod, is_there=True)
                break
            await asyncio.sleep(self._settings.retry_seconds[1])
        return self._workers[name]

    async def _make(self, pool: pools.Pool, say: Callable[[str], None]) -> workers.Worker:
        name = worker_pod.name_of(worker_pod.key(pool.manifest), secrets.token_hex(3))
        token = secrets.token_hex(16)
        namespace = pool.manifest["metadata"]["namespace"]
        worker = self._workers[name] = workers.Worker(name, namespace, token, self._settings, self._clock)
        try:
            made = await self._maker.make(kinds.PODS, worker_pod.named(pool.manifest, name, token, self._settings), say)
            self._informer.see(made)
            await worker.reach(say)
        except making.NotMadeError as refused:
            self._workers.pop(name, None)
            raise pools.refusal(refused, self._clock.now()) from refused
        except workers.EndedError as ended:
            self._tasks.start(f"remove {name}", self._remove(worker))
            raise pools.NoWorkerError(ended.verdict) from ended
        return worker

    def _park(self, worker: workers.Worker) -> None:
        """Keep a worker for a pool that is not there yet, for a while."""
        key = worker_pod.pool_of(worker.name)
        self._parked.setdefault(key, set()).add(worker)

        def leave() -> None:
            worker.rest = None
            if worker in self._parked.get(key, ()):
                self._parked[key].discard(worker)
                self._tasks.start(f"remove {worker.name}", self._remove(worker))

        worker.rest = asyncio.get_running_loop().call_later(self._settings.warm_idle_seconds, leave)

    async def _remove(self, worker: workers.Worker) -> None:
        await worker.close()
        await self._delete(worker)
        self._workers.pop(worker.name, None)

    async def _delete(self, worker: workers.Worker) -> None:
        if not worker.is_gone:
            path = kinds.PODS.path(worker.namespace, worker.name)
            await self._removal.remove_at(path, grace=self._settings.stop_seconds)

    async def _take_over(self, name: str, pod: informer.Object) -> None:
        """Have a worker whose engine is gone."""
        worker = await self.known(name, pod["metadata"]["namespace"])
        if worker is None:
            return
        try:
            link = await worker.reach(_nothing)
        except workers.EndedError:
            await self._remove(worker)
            return
        if worker.is_ours:
            self._found(worker, link.welcome["attempts"])
            if not worker.attempt:
                self.retired(worker)
        else:
            self.done_with(worker)

    def _changed(self, name: str, pod: informer.Object, is_there: bool) -> None:
        worker = self._workers.get(name)
        if worker is not None:
            worker.seen(pod, is_there=is_there)
            if worker.rest is not None and not worker.is_open:  # it has nothing to do, and has ended
                worker.rest.cancel()
                worker.rest = None
                self._parked.get(worker_pod.pool_of(name), set()).discard(worker)
                self.lose(worker)
            return
        has_ended = (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
        if is_there and has_ended and "deletionTimestamp" not in pod["metadata"]:
            self._tasks.start(f"remove {name}", self._clean(pod))

    async def _clean(self, pod: informer.Object) -> None:
        """A worker has ended by itself whose engine is gone."""
        metadata = pod["metadata"]
        with contextlib.suppress(errors.VolantError):
            await self._removal.remove_at(kinds.PODS.path(metadata["namespace"], metadata["name"]))


def _nothing(_: str) -> None:
    """Nobody listens."""

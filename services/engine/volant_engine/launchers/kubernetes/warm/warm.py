"""Attempts in worker pods: finds each a worker, has it forked there, brings what it wrote to the object store.

Which worker an attempt runs on is written beside its outputs before it is asked to, in an object that can be made only
once. So of several engines one decides, and those after it go on with the worker that is named there: nothing runs
twice, and what became of an attempt is known as long as its worker lives.
"""

import asyncio
import dataclasses
import datetime
import itertools
import random
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

import structlog

from volant_core import aio, clock, errors
from volant_core.blobstore import files as object_files
from volant_core.blobstore import layout
from volant_core.blobstore import port as blob_port
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import cluster, logs, making, pod_spec, pod_status, removal
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volant_engine.launchers.kubernetes.warm import connection, endings, fleet, pools, worker_pod, workers
from volant_engine.launchers.process import commands
from volantidl.core import execution_pb2

_log = structlog.get_logger(__name__)
_CLAIM = "worker"
_PUTS = 16
_USER = execution_pb2.ExecutionError.USER


@dataclasses.dataclass(frozen=True, slots=True)
class News:
    """Who hears of an attempt."""

    waits: Callable[[str], None]
    """It is not started yet, because."""
    began: Callable[[datetime.datetime], None]
    """It runs."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended."""

    verdict: pod_status.Verdict
    is_lost: bool = False
    """Nothing is left of where it ran: its outputs may still be there."""


class Warm:
    """All workers of an engine, and the attempts on them."""

    def __init__(
        self,
        api: cluster.Cluster,
        settings: kubernetes_settings.KubernetesSettings,
        time: clock.Clock,
        maker: making.Maker,
        remover: removal.Removal,
        keeper: logs.Logs,
        *,
        blobs: blob_port.BlobStore,
        chance: random.Random,
    ) -> None:
        """Nothing is asked before `start`."""
        self._settings = settings
        self._clock = time
        self._blobs = blobs
        self._logs = keeper
        self._fleet = fleet.Fleet(api, settings, time, maker, remover, chance, self._found)
        self._tasks = aio.Tasks("warm attempts")
        self._places: dict[str, workers.Worker] = {}
        self._left: dict[str, workers.Worker] = {}
        self._archives: dict[str, asyncio.Task[int]] = {}
        self._puts = asyncio.Semaphore(_PUTS)

    async def start(self) -> None:
        """See what is there, and take over what nobody has."""
        await self._fleet.start()

    async def close(self, *, end: bool) -> None:
        """Let go of all workers; with `end`, delete their pods."""
        await self._tasks.cancel()
        await self._fleet.close(end=end)

    async def fits(self, attempt: port.Attempt, manifest: Mapping[str, Any]) -> bool:
        """Whether a worker can run what this pod would."""
        if not worker_pod.fits(attempt, manifest, self._settings):
            return False
        archive = commands.plan(attempt.arguments).archive
        return archive is None or await self._size(archive) <= self._settings.warm_archive_limit

    def leftovers(self) -> Collection[str]:
        """Attempts that workers told of when they were taken over, and that nobody has launched here."""
        return self._left.keys()

    def stop(self, name: str) -> bool:
        """End an attempt: its worker goes, and all that it started with it. Whether there was one."""
        worker = self._places.pop(name, None) or self._left.pop(name, None)
        if worker is None:
            return False
        if worker.attempt == name:
            self._fleet.lose(worker)
        return True

    def forget(self, name: str) -> None:
        """The end of an attempt is recorded."""
        worker = self._places.pop(name, None) or self._left.pop(name, None)
        if worker is not None and worker.connection is not None:
            worker.connection.send({"op": "forget", "name": name})
            self._fleet.done_with(worker)

    # Attempts

    async def carry(self, attempt: port.Attempt, manifest: Mapping[str, Any], news: News) -> Ending:
        """See an attempt through to its end, on a worker of its pool or where it runs already."""
        inputs = self._tasks.start(f"inputs of {attempt.name}", self._inputs(attempt))
        try:
            pool = self._fleet.pool(worker_pod.build(attempt, manifest, self._settings))
            for turn in itertools.count():
                worker = await pool.take(news.waits)
                try:
                    claimed = await self._claim(attempt, worker, turn)
                except BaseException:
                    pool.give(worker)
                    raise
                if claimed == worker.name:
                    ending = await self._here(attempt, worker, self._run(attempt, worker, inputs, news))
                else:
                    pool.give(worker)
                    ending = await self._go_on(attempt, claimed, news)
                if ending is not None:
                    return ending
            raise AssertionError("there is always another turn")
        except pools.NoWorkerError as none:
            return Ending(none.verdict)
        except errors.VolantError as wrong:
            return Ending(endings.never_ran(attempt.name, wrong, self._clock.now()))
        finally:
            await aio.cancel_all([inputs])

    async def adopt(self, attempt: port.Attempt, news: News) -> Ending | None:
        """See an attempt through that an engine before this one had seen run; None when no worker has had it."""
        for turn in itertools.count():
            try:
                name = (await self._blobs.get(_claim_uri(attempt, turn))).decode()
            except errors.NotFoundError:
                return None
            ending = await self._go_on(attempt, name, news)
            if ending is not None:
                return ending
        raise AssertionError("there is always another turn")

    async def _claim(self, attempt: port.Attempt, worker: workers.Worker, turn: int) -> str:
        """The name of the worker that the attempt is for: this one, unless one was written down before.

        The next `turn` is for an attempt that is barred from the worker before: it never ran there and never will.
        """
        uri = _claim_uri(attempt, turn)
        if await self._blobs.create(uri, worker.name.encode()):
            return worker.name
        return (await self._blobs.get(uri)).decode()

    async def _go_on(self, attempt: port.Attempt, name: str, news: News) -> Ending | None:
        """Follow an attempt on the worker that it is for; None when it is barred from there."""
        worker = await self._fleet.known(name, pod_spec.namespace_of(attempt, self._settings))
        if worker is None:
            return Ending(pod_status.vanished(name, self._clock.now()), is_lost=True)
        return await self._here(attempt, worker, self._follow(attempt, worker, news))

    async def _here(
        self, attempt: port.Attempt, worker: workers.Worker, work: Coroutine[Any, Any, Ending | None]
    ) -> Ending | None:
        """Note where an attempt is. When nobody wants to hear of it any more, its worker is still waited for."""
        name = attempt.name
        self._left.pop(name, None)
        self._places[name] = worker
        try:
            return await work
        except asyncio.CancelledError:
            if worker.attempt == name:
                self._left[name] = worker
                self._tasks.start(f"wait for {name}", self._wait_out(worker, name))
            raise

    async def _wait_out(self, worker: workers.Worker, name: str) -> None:
        """Until an attempt that nobody has launched here, or not any more, has ended: then its worker is free."""
        try:
            while self._left.get(name) is worker:
                link = await worker.reach(_nothing)
                try:
                    if isinstance(await link.follow(name), connection.Running):
                        await asyncio.shield(link.result(name))
                except errors.UnavailableError:
                    continue
                if self._left.get(name) is worker and worker.attempt == name:
                    self._fleet.retired(worker)
                return
        except workers.EndedError:
            self._left.pop(name, None)
            self._fleet.lose(worker)

    async def _follow(self, attempt: port.Attempt, worker: workers.Worker, news: News) -> Ending | None:
        while True:
            try:
                link = await worker.reach(news.waits)
                state = await link.follow(attempt.name, bar=True)
                if state is None:
                    if worker.attempt == attempt.name:
                        self._fleet.retired(worker)
                    return None
                news.began(endings.moment(state.began) if state.began else self._clock.now())
                if isinstance(state, connection.Running):
                    worker.attempt = attempt.name
                    result = link.result(attempt.name)
                    await self._watch(attempt, link, result)
                    state = result.result()
                return await self._end(attempt, worker, state)
            except errors.UnavailableError as lost:
                _log.info("a worker is not heard any more", worker=worker.name, error=lost.message)
                await asyncio.sleep(self._settings.retry_seconds[0])
            except workers.EndedError as ended:
                self._fleet.lose(worker)
                return Ending(ended.verdict, is_lost=ended.is_gone)

    async def _run(
        self, attempt: port.Attempt, worker: workers.Worker, inputs: "asyncio.Task[bytes | None]", news: News
    ) -> Ending | None:
        assert worker.connection is not None, "taken from its pool"
        link = worker.connection
        worker.attempt = attempt.name
        hearer = _Hearer(lambda at: news.began(endings.moment(at)))
        result = link.result(attempt.name)
        try:
            await self._fork(attempt, worker, await inputs, hearer)
            await self._watch(attempt, link, result, hearer.not_forked)
            if result.done():
                return await self._end(attempt, worker, result.result())
            why = hearer.not_forked.result()
        except errors.VolantError as wrong:
            why = wrong.message
            if isinstance(wrong, errors.InvalidArgumentError):
                self._fleet.retired(worker)
                raise
        if hearer.is_there_already or not link.is_open:
            return await self._follow(attempt, worker, news)
        self._fleet.lose(worker)  # another may do better
        return Ending(endings.never_ran(attempt.name, errors.UnavailableError(why), self._clock.now()))

    async def _fork(
        self, attempt: port.Attempt, worker: workers.Worker, inputs: bytes | None, hearer: "_Hearer"
    ) -> None:
        """Ask the worker for the attempt."""
        name, plan = attempt.name, commands.plan(attempt.arguments)
        assert plan.kit is not None, "it fits"
        assert worker.connection is not None, "taken from its pool"
        own = worker_pod.own_prefix(attempt)
        folder, objects = f"{worker_pod.FOLDER}/attempts/{name}", f"{worker_pod.FOLDER}/objects/{name}"
        given = {
            **attempt.environment,
            "VOLANT_ATTEMPT": name,
            "TMPDIR": f"{folder}/tmp",  # noqa: S108 (its own)
            "VOLANT_STORE_ROOT": objects,
            "VOLANT_STORE_BUCKET": own.removeprefix("s3://"),
        }
        code = None
        if plan.archive is not None:
            code = await self._code(worker, plan.archive)
        zygotes = await worker.warm(plan.kit)
        environment = commands.split(given, {}, folder)
        python = workers.PYTHON
        node = await zygotes.version(python, plan.kit, environment, code, plan.modules)
        entry = (await zygotes.about(python)).scripts.get(plan.script)
        request: dict[str, Any] = {
            "folder": folder,
            "log": f"{worker_pod.FOLDER}/logs/{name}",
            "arguments": plan.words,
            "cwd": worker.connection.welcome["cwd"],
            "environment": environment.attempt,
            "modules": plan.modules,
            "entry": entry,
            "frame": {"log_limit": self._settings.log_limit, "files": []},
        }
        if code is not None:
            request["code"] = str(code)
        if inputs is not None and attempt.input_uri.startswith(f"{own}/"):
            place = f"{own.removeprefix('s3://')}/{layout.path_of(attempt.input_uri[len(own) + 1 :])}"
            request["frame"]["files"] = [(place, len(inputs))]
            request["body"] = inputs
        if node is None or entry is None:
            node = await zygotes.bare(python)
            request |= {"entry": None, "environment": given}
        node.run(name, request, hearer)
        if not self._fleet.is_busy(worker):
            zygotes.keep_spare(node)

    async def _code(self, worker: workers.Worker, uri: str) -> Any:
        name = uri.rpartition("/")[2]
        # A URI's content is taken to stay what it is: clients name uploads by their digest.
        key = worker_pod.digest(uri)
        return await worker.has_code(key, name, lambda: self._blobs.get(uri))

    async def _watch(self, attempt: port.Attempt, link: connection.Connection, *ends: "asyncio.Future[Any]") -> None:
        """Until one of its ends has come; meanwhile, its log is kept from time to time."""
        pause = self._settings.log_after_seconds
        while True:
            done, _ = await asyncio.wait(ends, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return
            pause = self._settings.log_flush_seconds
            await self._keep_log(attempt, await link.log(attempt.name))

    async def _end(self, attempt: port.Attempt, worker: workers.Worker, result: connection.Result) -> Ending:
        """What an attempt left goes where it belongs; its worker is free."""
        if worker.attempt == attempt.name:
            self._fleet.retired(worker)
        if not result.is_whole:
            message = f"[{attempt.name}] wrote more outputs than a warm worker may send; write large data as files"
            error = execution_pb2.ExecutionError(code="OutputsTooLarge", message=message, kind=_USER)
            verdict = pod_status.Verdict(port.AttemptPhase.FAILED, endings.moment(result.at), error=error)
            return Ending(verdict)
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    for uri, data, attributes in endings.objects(attempt, result.files):
                        group.create_task(self._put(uri, data, attributes), name=f"put {uri}")
            except* errors.UnavailableError as away:
                _log.warning("outputs can't be stored yet", attempt=attempt.name, error=str(away.exceptions[0]))
                await asyncio.sleep(self._settings.retry_seconds[1])
            else:
                break
        self._tasks.start(f"log of {attempt.name}", self._keep_log(attempt, result.log))
        return Ending(endings.verdict(attempt, result, self._clock.now(), self._settings))

    async def _put(self, uri: str, data: bytes, attributes: object_files.Attributes) -> None:
        async with self._puts:
            await self._blobs.put(uri, data, content_type=attributes.content_type, metadata=attributes.metadata)

    async def _keep_log(self, attempt: port.Attempt, log: bytes) -> None:
        try:
            await self._blobs.put(self._logs.place(attempt), log, content_type="text/plain; charset=utf-8")
        except errors.VolantError as error:
            _log.warning("the log of an attempt can't be stored", attempt=attempt.name, error=error.message)

    async def _inputs(self, attempt: port.Attempt) -> bytes | None:
        try:
            return await self._blobs.get(attempt.input_uri)
        except errors.VolantError:  # the task will say so itself
            return None

    async def _size(self, uri: str) -> int:
        known = self._archives.get(uri)
        if known is None:
            known = self._archives[uri] = self._tasks.start(f"size of {uri}", self._look(uri))
        return await asyncio.shield(known)

    async def _look(self, uri: str) -> int:
        try:
            found = await self._blobs.head(uri)
        except errors.VolantError:
            found = None
        if found is None:
            del self._archives[uri]
        return found.size if found is not None else 0

    # Workers

    def _found(self, worker: workers.Worker, attempts: Mapping[str, bool]) -> None:
        """A worker whose engine was gone is ours now: note what runs there, or has ended."""
        for name, has_ended in attempts.items():
            if name not in self._places:
                self._left[name] = worker
                if not has_ended:
                    worker.attempt = name
                    self._tasks.start(f"wait for {name}", self._wait_out(worker, name))


def _claim_uri(attempt: port.Attempt, turn: int) -> str:
    return f"{attempt.output_prefix.rstrip('/')}/{_CLAIM}{turn or ''}"


class _Hearer:
    """Hears a zygote of an attempt (`zygote_node.Watcher`). Its end comes from the worker, with what it wrote."""

    def __init__(self, began: Callable[[float], None]) -> None:
        self._began = began
        self._has_begun = False
        self.is_there_already = False
        self.not_forked: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def started(self, pid: int, at: float) -> None:
        """It was forked."""
        del pid
        self._has_begun = True
        self._began(at)

    def ended(self, status: int, at: float) -> None:
        """It ended."""

    def existed(self) -> None:
        """It was not forked, because it was before, or was barred from it."""
        self.is_there_already = True
        self.refused("it was asked for before")

    def refused(self, why: str) -> None:
        """It could not be forked."""
        if not self.not_forked.done():
            self.not_forked.set_result(why)

    def abandoned(self) -> None:
        """The zygote is gone; the attempt may run on."""
        if not self._has_begun:
            self.refused("the interpreter that was to fork it has ended")


def _nothing(_: str) -> None:
    """Nobody listens."""

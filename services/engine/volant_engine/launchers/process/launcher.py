"""The process launcher: accepts attempts, runs or adopts each in a task of its own, and tells what becomes of them."""

import asyncio
import contextlib
import dataclasses
import datetime
import logging
import os
import pathlib
import signal
import time
from collections.abc import Callable, Collection, Mapping

from volant_core import aio, errors
from volant_core import clock as core_clock
from volant_core.blobstore import port as blob_port
from volant_engine.launchers import port, refusals, slots
from volant_engine.launchers.process import (
    archives,
    commands,
    environments,
    folders,
    logs,
    machine,
    memory,
    recipes,
    run,
    secrets,
    verdicts,
    zygote_node,
    zygotes,
)
from volant_engine.launchers.process import settings as process_settings
from volantidl.core import execution_pb2

_log = logging.getLogger(__name__)
_RESULTS = ("outputs.pb", "error.pb", "futures.pb")


class ProcessLauncher:
    """Runs attempts as processes of this machine."""

    def __init__(
        self,
        settings: process_settings.ProcessSettings,
        clock: core_clock.Clock,
        *,
        blobs: blob_port.BlobStore,
        secret_store: secrets.SecretStore | None = None,
    ) -> None:
        """Keep what it needs; `start` makes it ready. Secrets are in `<data>/secrets.json` unless told otherwise."""
        settings = process_settings.absolute(settings)
        self._settings = settings
        self._clock = clock
        self._blobs = blobs
        self._secrets = secret_store or secrets.SecretStore(settings.data / "secrets.json")
        self._base = process_settings.base_environment(settings)
        self._zygotes = zygotes.Zygotes(settings, self._base, machine.Machine(settings.zygotes))
        self._environments = environments.Environments(settings, self._base)
        self._archives = archives.Archives(settings.code, blobs)
        self._logs = logs.Logs(settings, blobs)
        self._memory = memory.Memory(settings.data, settings.memory_interval, self._kill_for_memory)
        self._slots = slots.Slots(settings.slots)
        self._tasks = aio.Tasks("attempts")
        self._cleaning = aio.Tasks("attempt folders")
        self._runs: dict[str, run.Run] = {}
        self._left: set[str] = set()
        self._forgotten: set[str] = set()
        self._warned: set[str] = set()
        self._heard: Callable[[port.AttemptUpdate], None] = _deaf
        self._cores = os.cpu_count() or 1
        self._machine_memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    @property
    def running(self) -> int:
        """How many attempts have a process now."""
        return sum(here.pid is not None for here in self._runs.values())

    async def start(self, heard: Callable[[port.AttemptUpdate], None]) -> None:
        """Start the interpreter and see what was left before. UnavailableError if the interpreter won't run."""
        self._heard = heard
        await asyncio.to_thread(self._settings.attempts.mkdir, 0o700, parents=True, exist_ok=True)
        self._left = await asyncio.to_thread(folders.names, self._settings.attempts)
        await self._environments.start()
        await self._zygotes.start()
        self._logs.start(self._runs)

    async def launch(self, attempt: port.Attempt) -> None:
        """Run the attempt, or adopt it. Returns when it is accepted; it may wait for a slot afterwards."""
        known = self._runs.get(attempt.name)
        if known is not None:
            if known.began is not None:
                self._tell_running(known, known.began)
            return
        self._check(attempt)
        folder = self._settings.attempts / attempt.name
        here = run.Run(attempt, folder, self._logs.place(attempt, folder))
        self._runs[attempt.name] = here
        here.task = self._tasks.start(attempt.name, self._live(here))

    async def stop(self, name: str, reason: str) -> None:
        """End an attempt and everything that it started; no news of it comes afterwards. Unknown names are fine."""
        here = self._runs.get(name)
        if here is not None:
            _log.info("ending attempt %s: %s", name, reason)
            here.silent = True
            await self._end(here)
        elif name in self._left:
            folder = self._settings.attempts / name
            claim = await asyncio.to_thread(folders.read_claim, folder)
            if claim is not None:
                await self._kill(claim, name)

    def release(self, name: str) -> None:
        """Nothing to let go of: one engine alone uses this machine's folder, and will launch the attempt again."""

    async def forget(self, name: str) -> None:
        """The attempt is recorded as ended: its folder is removed, unless the settings say otherwise."""
        self._left.discard(name)
        if self._settings.keep_ended:
            return
        self._forgotten.add(name)
        if len(self._cleaning) == 0:
            self._cleaning.start("remove", self._clean())

    def leftovers(self) -> Collection[str]:
        """Names of attempts found at the start (running, or ended and not forgotten) that nobody has launched since."""
        return self._left.difference(self._runs)

    async def close(self, *, end_attempts: bool) -> None:
        """Shut down. With `end_attempts`, end what runs; else leave it running, to be adopted at the next start."""
        self._heard = _deaf
        if end_attempts:
            running = list(self._runs.values())
            if running:
                _log.info("ending %d running attempts", len(running))
            for here in running:
                here.silent = here.stopped = True
            async with asyncio.TaskGroup() as group:
                for here in running:
                    group.create_task(self._end(here), name=f"end {here.name}")
        await self._tasks.cancel()
        await self._logs.close()
        await self._memory.close()
        await self._zygotes.close()
        await self._environments.close()
        await self._cleaning.cancel()
        await self._sweep()

    def _check(self, attempt: port.Attempt) -> None:
        if not attempt.task.WhichOneof("target") and not attempt.arguments:
            raise refusals.not_runnable(attempt.task)
        if not attempt.arguments:
            raise errors.InvalidArgumentError(f"the task of {attempt.name} has no command")
        if not attempt.name or "/" in attempt.name or attempt.name in (".", ".."):
            raise errors.InvalidArgumentError(f"{attempt.name!r} can't name an attempt")
        if any("\0" in word for word in attempt.arguments):
            raise errors.InvalidArgumentError(f"the command of {attempt.name} holds a NUL character")
        for name, value in attempt.environment.items():
            if not name or "=" in name or "\0" in name or "\0" in value:
                raise errors.InvalidArgumentError(
                    f"{attempt.name} can't have the variable {name!r}: a name is not empty and holds no '=', "
                    "and neither name nor value a NUL character"
                )
        task = attempt.task.id.name
        if task not in self._warned and (beyond := memory.excess(attempt.task, self._cores, self._machine_memory)):
            self._warned.add(task)
            _log.warning("%s requests %s. It is run all the same.", task, beyond)

    # One attempt's life

    async def _live(self, here: run.Run) -> None:
        try:
            ending = await self._carry(here)
            verdict = await self._judge(here, ending)
        except errors.VolantError as error:
            ending, verdict = verdicts.Ending(at=time.time(), code=None), _never_ran(here.name, error)
        finally:
            if here.has_slot:
                self._slots.release()
        self._runs.pop(here.name, None)
        self._left.add(here.name)
        if here.silent:
            return
        stored = await self._logs.keep(here)
        phase = port.AttemptPhase.FAILED if verdict.error else port.AttemptPhase.SUCCEEDED
        self._tell(here, phase, ending.at, error=verdict.error, retryable=verdict.retryable, has_logs=stored)

    async def _carry(self, here: run.Run) -> verdicts.Ending:
        """See the attempt through to its end: one that ran before, else a new one."""
        again = here.name in self._left
        here.is_limited = memory.limit_of(here.attempt.task) is not None
        if again:
            ending = await self._adopt(here)
            if ending is not None:
                return ending
        python = await self._interpreter(here)
        code = await self._code(here)
        granted = await self._granted(here)
        if not here.attempt.is_eager:
            if not self._slots.try_acquire():
                self._tell(here, port.AttemptPhase.QUEUED, self._now())
                await self._slots.acquire()
            here.has_slot = True
        while True:
            ending = await self._fork(here, python, code, granted, again=again)
            if ending is not None:
                return ending
            again = True
            ending = await self._adopt(here)
            if ending is not None:
                return ending

    async def _interpreter(self, here: run.Run) -> pathlib.Path:
        """The interpreter that the attempt runs with: its image's environment's, where it has one."""
        here.recipe = recipe = recipes.of(here.attempt.task)
        if recipe is not None and recipe.only_in_images and recipe.image not in self._warned:
            self._warned.add(recipe.image)
            _log.warning("%s", recipe.left_out)
        if recipe is None or not recipe.needs_environment:
            return self._settings.python

        def waits() -> None:
            why = f"the environment of the image {recipe.image} is being made; its log tells how that goes"
            self._tell(here, port.AttemptPhase.QUEUED, self._now(), reason=why)

        return await self._environments.python(recipe, here.log, waits, self._zygotes.pythons)

    async def _code(self, here: run.Run) -> pathlib.Path | None:
        if here.plan.archive is None:
            return None
        return await self._archives.unpack(here.plan.archive)

    async def _granted(self, here: run.Run) -> secrets.Granted:
        requested = list(here.attempt.task.security_context.secrets)
        if here.attempt.security_context is not None:
            requested += here.attempt.security_context.secrets
        if not requested:
            return secrets.Granted({}, {})
        return await asyncio.to_thread(self._secrets.grant, requested, f"{here.folder}/secrets")

    async def _fork(
        self, here: run.Run, python: pathlib.Path, code: pathlib.Path | None, granted: secrets.Granted, *, again: bool
    ) -> verdicts.Ending | None:
        """Have the attempt forked and wait for its end; None when it must be looked for."""
        image = here.recipe.env if here.recipe else {}
        given = {**image, **here.attempt.environment, **granted.environment, "VOLANT_ATTEMPT": here.name}
        if len(str(here.folder)) < process_settings.SHORT_PATH:
            given["TMPDIR"] = f"{here.folder}/tmp"  # noqa: S108 (its own)
        environment = commands.split(given, self._base, str(here.folder))
        request: dict[str, object] = {
            "folder": str(here.folder),
            "log": here.log,
            "arguments": here.plan.words,
            "again": again,
        }
        if granted.files:
            request["files"] = granted.files
        if code is not None:
            request["code"] = str(code)
        limit = memory.limit_of(here.attempt.task)
        if limit is not None:
            request["cgroup"] = await self._memory.confine(here.name, limit)
        interpreter = await self._zygotes.about(python)
        here.facts = interpreter.facts
        entry = interpreter.scripts.get(here.plan.script) if here.plan.kit else None
        node = None
        if here.plan.kit and entry:
            node = await self._zygotes.version(python, here.plan.kit, environment, code, here.plan.modules)
            request.update(entry=entry, modules=here.plan.modules, environment=environment.attempt)
        if node is None:
            node = await self._zygotes.bare(python)
            request.update(entry=None, environment=_cold_environment(given, self._base, code))
        here.expect()
        here.is_asked_for = True
        node.run(here.name, request, here)
        started = await here.start
        if started is not None:
            if limit is not None and request["cgroup"] is None and here.pid is not None:
                self._memory.watch(here.name, here.pid, limit)
            here.began = started
            self._tell_running(here, started)
            self._prepare_next(here, node)
        outcome = await here.outcome
        self._prepare_next(here, node)
        if isinstance(outcome, run.Refusal):
            raise errors.UnavailableError(f"the attempt could not be started: {outcome.why}")
        return outcome if isinstance(outcome, verdicts.Ending) else None

    def _prepare_next(self, here: run.Run, node: zygote_node.Node) -> None:
        """While the machine has room, let an attempt like this one warm up before it is asked for."""
        if self._settings.spare and self._slots.has_room and here.plan.kit is not None:
            self._zygotes.keep_spare(node)

    async def _adopt(self, here: run.Run) -> verdicts.Ending | None:
        """Wait for the end of an attempt that was started before; None when it never was."""
        while True:
            claim = await asyncio.to_thread(folders.read_claim, here.folder)
            descriptor = None if claim is None else await asyncio.to_thread(folders.open_process, claim)
            left = await asyncio.to_thread(folders.read_exit, here.folder)
            if left is not None:
                if descriptor is not None:
                    os.close(descriptor)
                code = left.code
                return verdicts.Ending(left.at, code, out_of_memory=left.note == "oom", stopped=left.note == "stopped")
            if claim is None:
                return None
            if descriptor is None:
                return verdicts.Ending(self._now(), None, has_outputs=await self._has_outputs(here))
            here.pid = claim.pid
            if not here.has_slot and not here.attempt.is_eager:
                self._slots.force()
                here.has_slot = True
            if here.began is None:
                here.began = claim.at
                self._tell_running(here, claim.at)
            await _gone(descriptor)

    async def _has_outputs(self, here: run.Run) -> bool:
        prefix = here.attempt.output_prefix.rstrip("/")
        for name in _RESULTS:
            if await self._blobs.head(f"{prefix}/{name}") is not None:
                return True
        return False

    async def _judge(self, here: run.Run, ending: verdicts.Ending) -> verdicts.Verdict:
        if here.is_limited and await self._memory.release(here.name):
            ending = dataclasses.replace(ending, out_of_memory=True)
        if ending.code == 0 and not ending.out_of_memory:
            return verdicts.Verdict(None)
        if ending.code is not None:
            note = "oom" if ending.out_of_memory else "stopped" if ending.stopped or here.stopped else ""
            left = folders.Exit(ending.code, ending.at, note)
            await asyncio.to_thread(folders.write_exit, here.folder, left)
        said = await asyncio.to_thread(folders.tail, pathlib.Path(here.log))
        return verdicts.judge(here.name, ending, said)

    # Ending

    async def _end(self, here: run.Run) -> None:
        """End a run wherever it is; when this returns, nothing of it is left."""
        assert here.task is not None
        if here.is_asked_for or here.began is not None:
            await self._end_process(here)
        await aio.cancel_all([here.task])
        self._runs.pop(here.name, None)
        if here.is_limited:
            await self._memory.release(here.name)

    async def _end_process(self, here: run.Run) -> None:
        before = await asyncio.to_thread(folders.read_exit, here.folder)
        if not here.start.done() and here.began is None:
            # It is forked any moment, or not at all once its zygote is gone.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.grace):
                    await asyncio.shield(here.start)
        claim = await asyncio.to_thread(here.claim)
        if claim is None:
            return
        await self._kill(claim, here.name)
        if here.stopped and before is None:
            left = folders.Exit(137, self._now(), "stopped")
            await asyncio.to_thread(folders.write_exit, here.folder, left)

    async def _kill(self, claim: folders.Claim, name: str) -> None:
        """SIGTERM to the process group, SIGKILL to all that is left of the attempt after the grace."""
        descriptor = await asyncio.to_thread(folders.open_process, claim)
        if descriptor is not None:
            await asyncio.to_thread(folders.send_group, claim, signal.SIGTERM)
            try:
                async with asyncio.timeout(self._settings.grace):
                    await _gone(descriptor)
            except TimeoutError:
                _log.info("attempt %s did not end within %g s and is killed", name, self._settings.grace)
        for _ in range(100):
            left = await asyncio.to_thread(folders.members, claim, name)
            if not left:
                return
            await asyncio.to_thread(folders.send, left, signal.SIGKILL)
            await asyncio.sleep(0.01)
        _log.error("processes of attempt %s can't be killed: %s", name, sorted(left))

    def _kill_for_memory(self, name: str) -> None:
        here = self._runs.get(name)
        if here is not None and here.pid is not None:
            self._cleaning.start(f"kill {name}", self._kill_at_once(here))

    async def _kill_at_once(self, here: run.Run) -> None:
        claim = await asyncio.to_thread(here.claim)
        if claim is not None:
            left = await asyncio.to_thread(folders.members, claim, here.name)
            await asyncio.to_thread(folders.send, left, signal.SIGKILL)

    # News and folders

    def _tell_running(self, here: run.Run, began: float) -> None:
        self._tell(here, port.AttemptPhase.RUNNING, began, started=began, has_logs=self._logs.is_live(here))

    def _tell(
        self,
        here: run.Run,
        phase: port.AttemptPhase,
        at: float,
        *,
        reason: str = "",
        started: float | None = None,
        error: execution_pb2.ExecutionError | None = None,
        retryable: bool = False,
        has_logs: bool = False,
    ) -> None:
        if here.silent:
            return
        self._heard(
            port.AttemptUpdate(
                name=here.name,
                phase=phase,
                at=_moment(at),
                reason=reason,
                started_at=None if started is None else _moment(started),
                error=error,
                retryable=retryable,
                logs=self._logs.links(here) if has_logs else (),
                facts=here.facts or self._zygotes.facts,
            )
        )

    def _now(self) -> float:
        return self._clock.now().timestamp()

    async def _clean(self) -> None:
        """Remove folders a second after the last task of a batch, all at once."""
        while self._forgotten:
            await asyncio.sleep(1)
            await self._sweep()

    async def _sweep(self) -> None:
        gone, self._forgotten = self._forgotten, set()
        gone -= self._runs.keys()
        if gone:
            await asyncio.to_thread(folders.remove, [self._settings.attempts / name for name in gone])


async def _gone(descriptor: int) -> None:
    """Wait until the process of a pidfd has ended; closes it."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(descriptor, tell)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _deaf(_: port.AttemptUpdate) -> None:
    """Before the start and after the end, nobody listens."""


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _never_ran(name: str, error: errors.VolantError) -> verdicts.Verdict:
    """An attempt that could not be started: the user's fault when what it asks for can't be had."""
    user = isinstance(error, (errors.InvalidArgumentError, errors.NotFoundError, errors.FailedPreconditionError))
    kind = execution_pb2.ExecutionError.ErrorKind.USER if user else execution_pb2.ExecutionError.ErrorKind.SYSTEM
    failed = execution_pb2.ExecutionError(code="CannotStart", message=f"[{name}] {error.message}", kind=kind)
    return verdicts.Verdict(failed, retryable=not user)


def _cold_environment(given: Mapping[str, str], base: Mapping[str, str], code: pathlib.Path | None) -> dict[str, str]:
    """What a command gets besides `base`."""
    environment = dict(given)
    if code is not None:
        path = environment.get("PYTHONPATH", base.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = f"{path}{os.pathsep}{code}" if path else str(code)
    return environment

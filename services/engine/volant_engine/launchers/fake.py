"""A launcher in memory: attempts are coroutines by script. For tests, and for running an engine without processes."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Collection

from volant_core import aio, clock
from volant_engine.launchers import port
from volantidl.core import execution_pb2


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """How a scripted attempt ends."""

    error: execution_pb2.ExecutionError | None = None
    """None: by itself, with code 0."""
    retryable: bool = True


Script = Callable[[port.Attempt], Awaitable[Ending]]
"""What an attempt does: it may write outputs to the store, wait, and says how it ends."""


@dataclasses.dataclass(slots=True, eq=False)
class _Running:
    """An attempt: under way, or ended and not forgotten."""

    attempt: port.Attempt
    task: "asyncio.Task[None] | None" = None
    last: port.AttemptUpdate | None = None


class FakeLauncher:
    """Runs scripts. Attempts outlive `close(end_attempts=False)`, so that the next `start` finds them."""

    def __init__(self, script: Script, *, time: clock.Clock, slots: int = 0) -> None:
        """Run `script` for each attempt, `slots` at once (0 for no bound)."""
        self._script = script
        self._clock = time
        self._slots = asyncio.Semaphore(slots) if slots else None
        self._tasks = aio.Tasks("fake launcher")
        self._attempts: dict[str, _Running] = {}
        self._heard: Callable[[port.AttemptUpdate], None] | None = None
        self._left: set[str] = set()
        self.runs: dict[str, int] = {}
        """How often each attempt was really run, by name."""
        self.running = 0
        self.peak = 0

    async def start(self, heard: Callable[[port.AttemptUpdate], None]) -> None:
        """Get ready."""
        self._heard = heard
        self._left = set(self._attempts)

    async def launch(self, attempt: port.Attempt) -> None:
        """Run the attempt, or adopt it."""
        known = self._attempts.get(attempt.name)
        self._left.discard(attempt.name)
        if known is None:
            known = self._attempts[attempt.name] = _Running(attempt)
            known.task = self._tasks.start(attempt.name, self._run(known))
        elif (
            known.last is not None and known.last.phase in {port.AttemptPhase.SUCCEEDED, port.AttemptPhase.FAILED}
        ) or known.last is not None:
            self._tell(known.last)

    async def _run(self, running: _Running) -> None:
        attempt = running.attempt
        if self._slots is None or attempt.is_eager:
            await self._work(running)
            return
        self._say(running, port.AttemptPhase.QUEUED)
        async with self._slots:
            await self._work(running)

    async def _work(self, running: _Running) -> None:
        name = running.attempt.name
        self.runs[name] = self.runs.get(name, 0) + 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        started = self._clock.now()
        try:
            self._say(running, port.AttemptPhase.RUNNING)
            ending = await self._script(running.attempt)
        finally:
            self.running -= 1
        phase = port.AttemptPhase.FAILED if ending.error is not None else port.AttemptPhase.SUCCEEDED
        update = port.AttemptUpdate(
            name,
            phase,
            self._clock.now(),
            started_at=started,
            error=ending.error,
            retryable=ending.error is not None and ending.retryable,
        )
        running.last = update
        self._tell(update)

    def _say(self, running: _Running, phase: port.AttemptPhase) -> None:
        running.last = port.AttemptUpdate(running.attempt.name, phase, self._clock.now())
        self._tell(running.last)

    def _tell(self, update: port.AttemptUpdate) -> None:
        if self._heard is not None:
            self._heard(update)

    async def stop(self, name: str, reason: str) -> None:
        """End an attempt. Who launches it again, because nobody said that it was stopped, finds it ended."""
        self._left.discard(name)
        running = self._attempts.get(name)
        if running is None or running.task is None or running.task.done():
            return
        await aio.cancel_all([running.task])
        error = execution_pb2.ExecutionError(
            code="Interrupted", message=reason, kind=execution_pb2.ExecutionError.SYSTEM
        )
        running.last = port.AttemptUpdate(
            name, port.AttemptPhase.FAILED, self._clock.now(), error=error, retryable=True
        )

    def release(self, name: str) -> None:
        """Nothing to let go of: one engine alone has it."""

    async def forget(self, name: str) -> None:
        """Let go of an ended attempt."""
        running = self._attempts.get(name)
        if running is not None and (running.task is None or running.task.done()):
            del self._attempts[name]

    def leftovers(self) -> Collection[str]:
        """Names of attempts that were there at the start and that nobody has launched since."""
        return list(self._left)

    async def close(self, *, end_attempts: bool) -> None:
        """Shut down."""
        self._heard = None
        if end_attempts:
            await self._tasks.cancel()
            self._attempts.clear()

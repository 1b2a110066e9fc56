"""One attempt under way: what is known of it, and what its zygote says of it."""

import asyncio
import dataclasses
import enum
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

from volant_engine.launchers import copilot, port
from volant_engine.launchers.process import commands, folders, recipes, verdicts


class Detour(enum.Enum):
    """What can happen to a request to fork, besides an attempt that ends."""

    EXISTED = enum.auto()
    """It was forked before."""
    ABANDONED = enum.auto()
    """The zygote is gone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """It could not be forked."""

    why: str


class Run:
    """An attempt that was launched and whose end is not told yet. Hears its zygote (`zygotes.Watcher`)."""

    def __init__(self, attempt: port.Attempt, folder: pathlib.Path, log: str) -> None:
        """Keep the attempt; `log` is where its output goes."""
        self.attempt = attempt
        self.name = attempt.name
        self.folder = folder
        self.log = log
        self.plan = commands.plan(_words(attempt, folder))
        self.recipe: recipes.Recipe | None = None
        """What its image holds, where that is known."""
        self.facts: Mapping[str, str] = {}
        """What it runs with, once that is known."""
        self.task: asyncio.Task[None] | None = None
        self.silent = False
        """Nobody shall hear of it any more."""
        self.stopped = False
        """The platform is shutting down and has ended it."""
        self.has_slot = False
        self.is_limited = False
        self.is_asked_for = False
        """A zygote was asked to fork it."""
        self.pid: int | None = None
        self.began: float | None = None
        """Seconds since 1970 when it was started, once that is told."""
        self.start: asyncio.Future[float | None]
        """When it was forked; None when that did not happen."""
        self.outcome: asyncio.Future[verdicts.Ending | Detour | Refusal]
        self.expect()

    def expect(self) -> None:
        """Get ready to hear of a (new) request to fork."""
        loop = asyncio.get_running_loop()
        self.start = loop.create_future()
        self.outcome = loop.create_future()

    def started(self, pid: int, at: float) -> None:
        """It was forked."""
        self.pid = pid
        if not self.start.done():
            self.start.set_result(at)

    def ended(self, status: int, at: float) -> None:
        """It ended with this wait status."""
        if os.WIFEXITED(status):
            code = os.WEXITSTATUS(status)
        else:
            code = 256 - os.WTERMSIG(status) if self.plan.is_waited_for else 128 + os.WTERMSIG(status)
        self._settle(verdicts.Ending(at=at, code=code))

    def existed(self) -> None:
        """It was not forked, because it was before."""
        self._settle(Detour.EXISTED)

    def refused(self, why: str) -> None:
        """It could not be forked."""
        self._settle(Refusal(why))

    def abandoned(self) -> None:
        """The zygote is gone; the attempt may run on."""
        self._settle(Detour.ABANDONED)

    def _settle(self, outcome: verdicts.Ending | Detour | Refusal) -> None:
        if not self.start.done():
            self.start.set_result(None)
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def claim(self) -> folders.Claim | None:
        """Its process, as far as it is known. Blocks."""
        claim = folders.read_claim(self.folder)
        if claim is None and self.pid is not None:
            claim = folders.claim_of(self.pid)
        return claim


def _words(attempt: port.Attempt, folder: pathlib.Path) -> Sequence[str]:
    """What is run: the attempt's command, with the copilot of our own interpreter around it where data are files."""
    files = copilot.wanted(attempt.task)
    if files is None:
        return attempt.arguments
    # Isolated: what the task says of PYTHONPATH and the like is for its program.
    return [sys.executable, "-I", "-m", copilot.MODULE, *copilot.around(attempt, files, f"{folder}/data")]

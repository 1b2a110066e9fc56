"""Trying again what fails because something is away."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from volant_core import errors

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)

AWAY = (errors.UnavailableError, errors.DeadlineExceededError, errors.UnauthenticatedError)
"""Failures that say nothing about what was asked. The last: the engine's token is not the server's, as while a new one
is given to one after another."""


class Patience:
    """Pauses that grow, with chance in them."""

    def __init__(self, first: float, longest: float, chance: random.Random) -> None:
        """Pause `first` seconds at first and `longest` at most."""
        self._first = first
        self._longest = longest
        self._chance = chance

    async def until_done(self, what: str, call: Callable[[], Awaitable[_T]], tries: int = 0) -> _T:
        """The result of `call`, however long it takes for what it needs to come back.

        Args:
            what: what it does, for logs.
            call: what to try.
            tries: how often; 0 for ever.

        Raises:
            VolantError: `call` was refused; trying again would not help (or was tried often enough).
        """
        pause = self._first
        for count in itertools.count(1):
            try:
                return await call()
            except AWAY as away:
                if count == tries:
                    raise
                _log.warning("trying again", what=what, error=away.message, pause=pause)
            await self.rest(pause)
            pause = min(2 * pause, self._longest)
        raise AssertionError("counting has no end")

    async def rest(self, pause: float) -> None:
        """Pause for about so many seconds."""
        await asyncio.sleep(pause * self._chance.uniform(0.5, 1.0))

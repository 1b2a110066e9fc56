"""Whether this process can do its work, and why not: what /healthcheck, /alive and grpc.health tell.

Ready is an honest answer: not before everything is open, not while the database is away or an engine has no admin, not
once the process leaves. Alive says only that the process answers; what restarts processes must ask that, since a
restart does not bring a database back.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp.web
import structlog

from volant_core import aio, errors, postgres

_log = structlog.get_logger(__name__)
_TROUBLED_S = 1.0
"""What is wrong is looked at more often."""

Look = Callable[[], Awaitable[str]]
"""Looks at something that is needed; what is wrong with it, or the empty text."""


@dataclasses.dataclass
class Health:
    """What is told."""

    ready: bool = False
    """Whether everything is open, and nothing closes."""
    troubles: dict[str, str] = dataclasses.field(default_factory=dict)
    """What is wrong, by the name of what is needed."""

    @property
    def serving(self) -> bool:
        """Whether requests should be sent here."""
        return self.ready and not self.troubles

    async def answer(self, _request: aiohttp.web.Request) -> aiohttp.web.Response:
        """200 while ready, else 503 and why."""
        if self.serving:
            return aiohttp.web.Response(text="ok\n")
        why = "; ".join(f"{name}: {trouble}" for name, trouble in self.troubles.items())
        return aiohttp.web.Response(status=503, text=f"not ready{': ' + why if self.ready else ''}\n")

    async def alive(self, _request: aiohttp.web.Request) -> aiohttp.web.Response:
        """200."""
        return aiohttp.web.Response(text="ok\n")


@contextlib.asynccontextmanager
async def watched(
    health: Health, looks: dict[str, Look], pause_s: float, tell: Callable[[bool], Awaitable[None]]
) -> AsyncIterator[None]:
    """Look at what is needed every `pause_s` seconds, and `tell` when the answer changes."""
    tasks = aio.Tasks("health")
    tasks.start("watch", _watch(health, looks, pause_s, tell))
    try:
        yield
    finally:
        await tasks.cancel()


async def _watch(
    health: Health, looks: dict[str, Look], pause_s: float, tell: Callable[[bool], Awaitable[None]]
) -> None:
    told = True
    while True:
        for name, look in looks.items():
            trouble = await look()
            if trouble == health.troubles.get(name, ""):
                continue
            if trouble:
                _log.warning("not ready", needed=name, trouble=trouble)
                health.troubles[name] = trouble
            else:
                _log.info("ready again", needed=name)
                del health.troubles[name]
        if health.ready and health.serving != told:
            told = health.serving
            await tell(told)
        await asyncio.sleep(min(pause_s, _TROUBLED_S) if health.troubles else pause_s)


def of_database(database: postgres.Database, most: int, patience_s: float) -> Look:
    """Whether PostgreSQL answers. A pool whose `most` connections are all busy is not taken for trouble: it is work."""

    async def look() -> str:
        try:
            async with asyncio.timeout(patience_s):
                await database.fetch_value("SELECT 1")
        except TimeoutError:
            return "" if database.busy >= most else f"no answer within {patience_s:g} s"
        except errors.VolantError as error:
            return error.message
        return ""

    return look

"""Parts that are opened one after another and closed in reverse, each with a deadline: shutdown is this sequence.

A part that fails or takes too long while it closes is logged, and the next is closed all the same.
"""

import asyncio
import contextlib
import dataclasses
import time
from typing import Any, TypeVar

import structlog

T = TypeVar("T")

_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    name: str
    context: contextlib.AbstractAsyncContextManager[Any]
    patience_s: float


class Sequence:
    """What is open, in order. Open and close it in one task: contexts may hold task groups."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._parts: list[_Part] = []
        self.closed: list[str] = []
        """The names of what was closed, in the order of it."""

    async def open(
        self, name: str, context: contextlib.AbstractAsyncContextManager[T], *, patience_s: float = 10.0
    ) -> T:
        """Open a part. It gets `patience_s` seconds to close, then is cancelled."""
        begin = time.monotonic()
        result = await context.__aenter__()
        self._parts.append(_Part(name, context, patience_s))
        _log.debug("opened", part=name, seconds=round(time.monotonic() - begin, 3))
        return result

    async def close(self) -> None:
        """Close all that is open, the last first."""
        while self._parts:
            part = self._parts.pop()
            try:
                async with asyncio.timeout(part.patience_s):
                    await part.context.__aexit__(None, None, None)
            except TimeoutError:
                _log.warning("closing took too long", part=part.name, seconds=part.patience_s)
            except Exception as error:  # noqa: BLE001 - the rest must be closed whatever this one does
                _log.error("closing failed", part=part.name, exc_info=error)
            self.closed.append(part.name)
            _log.debug("closed", part=part.name)

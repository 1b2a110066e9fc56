"""The cache as the reactor sees it: questions of many nodes, asked together."""

import asyncio
import collections
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from volant_core import aio, errors
from volant_engine.decide import commands
from volantidl.core import catalog_pb2, identifier_pb2, literals_pb2


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What the cache has for a key."""

    outputs: literals_pb2.LiteralMap | None
    metadata: catalog_pb2.CatalogMetadata


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """Outputs to be kept, and who made them."""

    key: commands.CacheKey
    outputs: literals_pb2.LiteralMap | None
    uri: str
    """Where the outputs are as well; the only place where they are not given."""
    execution: identifier_pb2.WorkflowExecutionIdentifier
    node_id: str
    attempt: int
    task_version: str
    overwrite: bool


class Catalog(Protocol):
    """A cache service."""

    async def look_up(self, keys: Sequence[commands.CacheKey]) -> list[Found]:
        """What there is for each key."""
        ...

    async def put(self, entries: Sequence[Entry]) -> list[catalog_pb2.CatalogMetadata]:
        """Keep outputs; where some are there already, they stay, unless the entry overwrites."""
        ...

    async def reserve(self, key: commands.CacheKey, owner: str, seconds: float) -> bool:
        """Take or extend the right to compute; false while another has it."""
        ...

    async def release(self, key: commands.CacheKey, owner: str) -> None:
        """Give the right back."""
        ...


_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Batches(Generic[_In, _Out]):
    """Collects single questions while a batch is being asked, then asks them together: one RPC for many nodes."""

    def __init__(
        self, tasks: aio.Tasks, name: str, ask: Callable[[Sequence[_In]], Awaitable[list[_Out]]], most: int
    ) -> None:
        """`ask` answers up to `most` questions, in their order."""
        self._tasks = tasks
        self._name = name
        self._ask = ask
        self._most = most
        self._waiting: collections.deque[tuple[_In, asyncio.Future[_Out]]] = collections.deque()
        self._asking = False

    async def one(self, question: _In) -> _Out:
        """The answer to one question."""
        answer: asyncio.Future[_Out] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if not self._asking:
            self._asking = True
            self._tasks.start(self._name, self._serve())
        return await answer

    async def _serve(self) -> None:
        # Whoever asks in the same round of the loop comes along.
        await asyncio.sleep(0)
        try:
            while self._waiting:
                size = min(self._most, len(self._waiting))
                await self._round([self._waiting.popleft() for _ in range(size)])
        finally:
            self._asking = False

    async def _round(self, batch: list[tuple[_In, asyncio.Future[_Out]]]) -> None:
        try:
            answers = await self._ask([question for question, _ in batch])
        except errors.VolantError as refused:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(refused)
            return
        for (_, answer), said in zip(batch, answers, strict=True):
            if not answer.done():
                answer.set_result(said)

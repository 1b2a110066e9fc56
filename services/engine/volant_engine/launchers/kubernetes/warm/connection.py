"""The engine's end of a worker pod's connection: frames, a channel for each zygote, the ends of attempts."""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from volant_core import aio, errors
from volant_engine.launchers.kubernetes.warm import worker as program
from volant_engine.launchers.process import link


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended, and what it left."""

    code: int
    at: float
    """Seconds since 1970."""
    began: float
    """Likewise."""
    out_of_memory: bool
    is_whole: bool
    """Whether the files are all that it wrote: else that is too much."""
    files: Mapping[str, bytes]
    """By their paths in the attempt's folder of objects."""
    log: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """An attempt runs there."""

    began: float
    """Seconds since 1970; 0 when it is just being forked."""


class Connection:
    """A connection to one worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use `open`."""
        self._reader = reader
        self._writer = writer
        self._tasks = aio.Tasks("a worker's connection")
        self._numbers = itertools.count(1)
        self._channels: dict[int, Channel] = {}
        self._results: dict[str, asyncio.Future[Result]] = {}
        self._states: dict[str, asyncio.Future[Running | Result | None]] = {}
        self._logs: dict[str, asyncio.Future[bytes]] = {}
        self._codes: dict[str, asyncio.Future[str]] = {}
        self.is_open = True
        self.welcome: Mapping[str, Any] = {}
        """What the worker said at first."""

    @classmethod
    async def open(cls, host: str, port: int, token: str, *, own: bool, patience: float) -> "Connection":
        """Dial in. UnavailableError when nobody answers within `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
                made = cls(reader, writer)
                try:
                    await made._greet(token, own=own)
                except BaseException:
                    writer.close()
                    raise
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            raise errors.UnavailableError(f"the worker at {host}:{port} does not answer: {error!r}") from error
        made._tasks.start("listen", made._listen())
        return made

    async def _greet(self, token: str, *, own: bool) -> None:
        end = self._writer.get_extra_info("socket")
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.send({"token": token, "own": own})
        self.welcome, _ = await program.read_frame(self._reader, program.LARGEST_HEAD, 0)

    def send(self, head: Mapping[str, Any], body: bytes = b"") -> None:
        """Send a frame; dropped when the connection is lost, which is told in another way."""
        data = json.dumps(head).encode()
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write(program.LENGTHS.pack(len(data), len(body)) + data)
            if body:
                self._writer.write(body)

    def channel(self, head: Mapping[str, Any], heard: link.Heard, lost: link.Lost) -> link.Link:
        """Ask by this frame for a zygote: the way to it."""
        number = next(self._numbers)
        made = self._channels[number] = Channel(self, number, heard, lost)
        self.send({**head, "new": number})
        return made

    def result(self, name: str) -> "asyncio.Future[Result]":
        """The end of an attempt that is asked for, or followed. UnavailableError when the connection is lost."""
        return self._expect(self._results, name)

    async def follow(self, name: str, *, bar: bool = False) -> Running | Result | None:
        """Where an attempt is; None when it was never run here. With `bar`, it never will be in that case."""
        self.result(name)
        state = self._expect(self._states, name)
        self.send({"op": "bar" if bar else "follow", "name": name})
        return await asyncio.shield(state)

    async def log(self, name: str) -> bytes:
        """What an attempt has written so far."""
        found = self._expect(self._logs, name)
        self.send({"op": "log", "name": name})
        return await asyncio.shield(found)

    async def code(self, key: str, name: str, archive: bytes) -> str:
        """Have code unpacked; why it can't be, or nothing."""
        done = self._expect(self._codes, key)
        self.send({"op": "code", "key": key, "name": name}, archive)
        return await asyncio.shield(done)

    def close(self) -> None:
        """Hang up: the worker's zygotes end, what runs there runs on."""
        self._lose()
        self._tasks.start("hang up", self._tasks.cancel())

    def forget_channel(self, number: int) -> None:
        """A channel is closed."""
        self._channels.pop(number, None)

    def _expect(self, table: "dict[str, asyncio.Future[Any]]", name: str) -> "asyncio.Future[Any]":
        found = table.get(name)
        if found is None:
            found = table[name] = asyncio.get_running_loop().create_future()
            found.add_done_callback(_seen)
            if not self.is_open:
                found.set_exception(_gone())
        return found

    async def _listen(self) -> None:
        try:
            while True:
                head, body = await program.read_frame(self._reader, program.LARGEST_HEAD, program.LARGEST_BODY)
                self._heard(head, body)
        except (OSError, EOFError, ValueError):
            self._lose()

    def _heard(self, head: Mapping[str, Any], body: bytes) -> None:
        if "channel" in head:
            channel = self._channels.get(head["channel"])
            if channel is not None and "lost" in head:
                channel.lost()
            elif channel is not None:
                channel.heard(head["message"])
        elif "result" in head:
            self._ended(head, body)
        elif "unknown" in head:
            _resolve(self._states.pop(head["unknown"], None), None)
        elif "running" in head:
            _resolve(self._states.pop(head["running"], None), Running(head["began"]))
        elif "log" in head:
            _resolve(self._logs.pop(head["log"], None), body)
        elif "code" in head:
            _resolve(self._codes.pop(head["code"], None), head["why"])

    def _ended(self, head: Mapping[str, Any], body: bytes) -> None:
        files, start = {}, 0
        sizes: Sequence[tuple[str, int]] = head["files"]
        for name, size in sizes:
            files[name] = body[start : start + size]
            start += size
        result = Result(
            head["code"], head["at"], head["began"], head["out_of_memory"], head["is_whole"], files, body[start:]
        )
        _resolve(self._states.pop(head["result"], None), result)
        _resolve(self._results.pop(head["result"], None), result)

    def _lose(self) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self._writer.close()
        for channel in list(self._channels.values()):
            channel.lost()
        tables: tuple[dict[str, asyncio.Future[Any]], ...] = (self._results, self._states, self._logs, self._codes)
        for table in tables:
            for future in table.values():
                if not future.done():
                    future.set_exception(_gone())


class Channel:
    """The way to one zygote of a worker (a `link.Link`)."""

    def __init__(self, connection: Connection, number: int, heard: link.Heard, lost: link.Lost) -> None:
        """`heard` gets each message, `lost` hears once that the zygote is gone."""
        self._connection = connection
        self._number = number
        self._lost: link.Lost | None = lost
        self.heard = heard

    @property
    def is_open(self) -> bool:
        """Whether the zygote may still answer."""
        return self._lost is not None

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; a lost link drops it."""
        body, more = message.pop("body", b""), message.pop("frame", {})
        self._connection.send({"channel": self._number, "message": message, **more}, body)

    def fork(self, message: dict[str, Any], heard: link.Heard, lost: link.Lost) -> link.Link:
        """Ask by this message for a zygote of the next level: the way to it."""
        return self._connection.channel({"channel": self._number, "message": message}, heard, lost)

    def close(self) -> None:
        """Let the zygote go: it ends when it notices. `lost` is not called."""
        if self._lost is not None:
            self._lost = None
            self._connection.send({"channel": self._number})
            self._connection.forget_channel(self._number)

    def lost(self) -> None:
        """The zygote is gone."""
        lost, self._lost = self._lost, None
        self._connection.forget_channel(self._number)
        if lost is not None:
            lost()


def _gone() -> errors.UnavailableError:
    return errors.UnavailableError("the connection to the worker is lost")


def _resolve(future: "asyncio.Future[Any] | None", value: object) -> None:
    if future is not None and not future.done():
        future.set_result(value)


def _seen(future: "asyncio.Future[Any]") -> None:
    """Whoever waits is told too."""
    if not future.cancelled():
        future.exception()

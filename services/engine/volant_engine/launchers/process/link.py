"""The launcher's end of a zygote's socket: whole JSON messages, without a task or a thread for each."""

import asyncio
import collections
import contextlib
import json
import os
import socket
import tempfile
from collections.abc import Callable
from typing import Any, Protocol

Heard = Callable[[dict[str, Any]], None]
Lost = Callable[[], None]

_LARGEST = 1 << 20
_INLINE = 100_000
"""Bytes that fit into the socket's buffer for sure; a larger message travels in a file."""


class Link(Protocol):
    """A way to one zygote."""

    @property
    def is_open(self) -> bool:
        """Whether the zygote may still answer."""
        ...

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; a lost link drops it."""
        ...

    def fork(self, message: dict[str, Any], heard: Heard, lost: Lost) -> "Link":
        """Ask by this message for a zygote of the next level: the way to it."""
        ...

    def close(self) -> None:
        """Let the zygote go: it ends when it notices. `lost` is not called."""
        ...


class SocketLink:
    """A connection to one zygote of this machine."""

    def __init__(self, end: socket.socket, heard: Heard, lost: Lost) -> None:
        """Take over the socket; `heard` gets each message, `lost` hears once that the zygote is gone."""
        end.setblocking(False)
        self._socket = end
        self._heard = heard
        self._lost: Lost | None = lost
        self._waiting: collections.deque[tuple[bytes, int | None]] = collections.deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end.fileno(), self._readable)

    @property
    def is_open(self) -> bool:
        """Whether the zygote may still answer."""
        return self._lost is not None

    def send(self, message: dict[str, Any], descriptor: int | None = None) -> None:
        """Send a message, with a file descriptor if given (which this closes). A lost link drops it."""
        data = json.dumps(message).encode()
        if len(data) > _INLINE:
            data = _in_file(message["op"], data)
        self._waiting.append((data, descriptor))
        if len(self._waiting) == 1:
            self._flush()

    def fork(self, message: dict[str, Any], heard: Heard, lost: Lost) -> Link:
        """Ask by this message for a zygote of the next level: the way to it."""
        ours, theirs = socket_pair()
        made = SocketLink(ours, heard, lost)
        self.send(message, theirs)
        return made

    def close(self) -> None:
        """Let the zygote go: it ends when it notices. `lost` is not called."""
        self._lost = None
        self._end()

    def _end(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()
        for _, descriptor in self._waiting:
            _close(descriptor)
        self._waiting.clear()

    def _fail(self) -> None:
        lost, self._lost = self._lost, None
        self._end()
        if lost is not None:
            lost()

    def _flush(self) -> None:
        while self._waiting:
            data, descriptor = self._waiting[0]
            if self._lost is None:
                self._end()
                return
            try:
                if descriptor is None:
                    self._socket.send(data)
                else:
                    socket.send_fds(self._socket, [data], [descriptor])
            except BlockingIOError:
                self._loop.add_writer(self._socket.fileno(), self._flush)
                return
            except OSError:  # it is gone; reading says so too
                self._loop.call_soon(self._fail)
                return
            self._waiting.popleft()
            _close(descriptor)
        self._loop.remove_writer(self._socket.fileno())

    def _readable(self) -> None:
        for _ in range(100):
            try:
                data = self._socket.recv(_LARGEST)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._fail()
                return
            self._heard(json.loads(data))
            if self._lost is None:
                return


def socket_pair() -> tuple[socket.socket, int]:
    """Our end, and the descriptor of the other one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ours, theirs.detach()


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _in_file(operation: str, data: bytes) -> bytes:
    # Rare (kilobytes of arguments or environment) and short: not worth a thread and the disorder that comes with it.
    descriptor, path = tempfile.mkstemp(prefix="volant-message-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return json.dumps({"op": operation, "spec_file": path}).encode()

"""A driver's calls to its platform: children are added in batches, their results come over one stream.

The platform keeps what was added, so whatever breaks in between is just tried again: a driver outlives its platform.
"""

from __future__ import annotations

import collections
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from volant import errors
from volantidl.driver import driver_pb2

_log = logging.getLogger("volant")
_SERVICE = "/volantidl.driver.DriverService/"
_LIMIT = 64 * 1024 * 1024
_BATCH = 100
"""Children in one call."""
_BATCH_BYTES = 4 * 1024 * 1024
"""Bytes of children in one call, where one alone is not larger."""
_CALL_SECONDS = 30.0
_WATCH_SECONDS = 300.0
"""After which the stream is opened anew: a connection may be dead without either side knowing."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
"""Seconds between two tries."""
_PATIENCE = 3600.0
"""Seconds for which a platform that does not answer is waited for."""
_AWAY = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "UNKNOWN", "RESOURCE_EXHAUSTED", "ABORTED"}

Told = Callable[[str, "driver_pb2.ChildResult | Exception"], None]
"""Hears the key of a child, and its result or why there is none."""
Prepare = Callable[[Sequence[str]], None]
"""Makes known to the platform what these children run; raises where it cannot."""


class Driving:
    """One driver attempt's line to its platform. Two threads of its own serve it, from the first child on."""

    def __init__(self, endpoint: str, token: str, told: Told, prepare: Prepare) -> None:
        self._endpoint = endpoint
        self._token = token
        self._told = told
        self._prepare = prepare
        self._channel: Any = None
        self._due: collections.deque[driver_pb2.Child] = collections.deque()
        self._open: set[str] = set()
        self._early: dict[str, driver_pb2.ChildResult] = {}
        """Of children of an earlier attempt that this one has not asked for (yet)."""
        self._asked: set[str] = set()
        self._changed = threading.Condition()
        self._closed = False
        self._stream: Any = None

    def add(self, child: driver_pb2.Child) -> None:
        """Have a child added; its result is told some time, at once where it is known."""
        with self._changed:
            early = self._early.pop(child.key, None)
            self._asked.add(child.key)
            if early is None:
                self._start(child)
        if early is not None:
            self._told(child.key, early)

    def _start(self, child: driver_pb2.Child) -> None:
        self._open.add(child.key)
        self._due.append(child)
        if self._channel is None:
            self._channel = self._connect()
            for work in (self._adding, self._watching):
                threading.Thread(target=work, name=f"volant-driver-{work.__name__}", daemon=True).start()
        self._changed.notify_all()

    def close(self) -> None:
        """Leave. What was added goes on being the platform's business."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._stream is not None:
            self._stream.cancel()
        if self._channel is not None:
            self._channel.close()

    def _connect(self) -> Any:
        import grpc  # noqa: PLC0415 - slow to import, and needed only here

        options = [
            ("grpc.max_receive_message_length", _LIMIT),
            ("grpc.max_send_message_length", _LIMIT),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2000),
        ]
        return grpc.insecure_channel(self._endpoint, options)

    # Adding

    def _adding(self) -> None:
        while batch := self._next_batch():
            self._add(batch)

    def _next_batch(self) -> list[driver_pb2.Child]:
        """What is due, up to the bounds; waits for something. Empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._due or self._closed)
            batch: list[driver_pb2.Child] = []
            room = _BATCH_BYTES
            while self._due and len(batch) < _BATCH and not self._closed:
                room -= self._due[0].ByteSize()
                if batch and room < 0:
                    break
                batch.append(self._due.popleft())
            return batch

    def _add(self, batch: Sequence[driver_pb2.Child], *, prepared: bool = False) -> None:
        request = driver_pb2.AddChildrenRequest(token=self._token, children=batch)
        remote = self._channel.unary_unary(
            f"{_SERVICE}AddChildren",
            request_serializer=driver_pb2.AddChildrenRequest.SerializeToString,
            response_deserializer=driver_pb2.AddChildrenResponse.FromString,
        )
        refused: Any = self._until_answered(lambda: remote(request, timeout=_CALL_SECONDS))
        if refused is None:
            return
        if refused.code == "NOT_FOUND" and not prepared:
            try:
                self._prepare([child.key for child in batch])
            except Exception as wrong:  # noqa: BLE001 - handed to whoever waits for the children
                refused = wrong
            else:
                self._add(batch, prepared=True)
                return
        if len(batch) > 1:
            for child in batch:  # one of them spoils the call for all
                self._add([child], prepared=True)
            return
        self._tell(batch[0].key, refused)

    # Listening

    def _watching(self) -> None:
        request = driver_pb2.WatchChildrenRequest(token=self._token)
        remote = self._channel.unary_stream(
            f"{_SERVICE}WatchChildren",
            request_serializer=driver_pb2.WatchChildrenRequest.SerializeToString,
            response_deserializer=driver_pb2.WatchChildrenResponse.FromString,
        )

        def watch() -> None:
            self._stream = remote(request, timeout=_WATCH_SECONDS, wait_for_ready=True)
            for answer in self._stream:
                for result in answer.results:
                    self._tell(result.key, result)

        while not self._closed:
            refused = self._until_answered(watch)
            if refused is not None:
                for key in list(self._open):
                    self._tell(key, refused)
                return

    def _tell(self, key: str, what: driver_pb2.ChildResult | Exception) -> None:
        """Pass it on, once, or keep it until it is asked for."""
        with self._changed:
            if key not in self._open:
                if key not in self._asked and isinstance(what, driver_pb2.ChildResult):
                    self._early[key] = what
                return
            self._open.discard(key)
        self._told(key, what)

    def _until_answered(self, call: Callable[[], object]) -> errors.RemoteError | None:
        """Make a call until the platform has answered; why it refused, if it did."""
        import grpc  # noqa: PLC0415 - slow to import, and needed only here

        pause = _FIRST_PAUSE
        last = time.monotonic() + _PATIENCE
        while not self._closed:
            began = time.monotonic()
            try:
                call()
            except grpc.RpcError as cause:
                code = cause.code().name
                if code not in _AWAY:
                    return errors.RemoteError(cause.details() or code, code)
                now = time.monotonic()
                if now - began > _LONGEST_PAUSE:  # it had been there
                    pause, last = _FIRST_PAUSE, now + _PATIENCE
                if now > last:
                    return errors.RemoteError(f"the platform at {self._endpoint} is away: {cause.details()}", code)
                time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads tries
                pause = min(2 * pause, _LONGEST_PAUSE)
            except ValueError as closed:  # the channel was closed under the call
                _log.debug("the driver's channel is closed: %s", closed)
                return None
            else:
                return None
        return None

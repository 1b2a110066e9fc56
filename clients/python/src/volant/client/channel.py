"""One connection to a platform: calls by method name, with deadlines, retries and errors as exceptions."""

from __future__ import annotations

import pathlib
import random
import threading
import time
from typing import Any, TypeVar

from google.protobuf import message

from volant import errors
from volant.client import config

M = TypeVar("M", bound=message.Message)

ADMIN = "volantidl.service.AdminService"
DATA_PROXY = "volantidl.service.DataProxyService"
SIGNALS = "volantidl.service.SignalService"
_LIMIT = 64 * 1024 * 1024
_ATTEMPTS = 6
_FIRST_PAUSE = 0.1
"""Seconds; doubled after each attempt."""
_DEADLINE = 60.0
"""Seconds for one call, retries included, where the caller gives none."""


class Connection:
    """A channel, opened at the first call."""

    def __init__(self, settings: config.PlatformConfig) -> None:
        self._settings = settings
        self._channel: Any = None
        self._lock = threading.Lock()

    def call(
        self, service: str, method: str, request: message.Message, answer: type[M], timeout: float | None = None
    ) -> M:
        """Call a method.

        Args:
            service: The service's full name.
            method: The method's name.
            request: The request.
            answer: The response's class.
            timeout: Seconds for all attempts together.
        """
        import grpc  # noqa: PLC0415 - slow to import, and needed only here

        name = service.replace("volantidl.", "flyteidl.", 1) if self._settings.flyte_names else service
        remote = self._open().unary_unary(
            f"/{name}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        ends = time.monotonic() + (timeout or _DEADLINE)
        pause = _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            left = ends - time.monotonic()
            try:
                result: M = remote(request, timeout=max(left, 0.001), metadata=(("accept", "application/grpc"),))
            except grpc.RpcError as cause:
                code = cause.code()
                retryable = code is grpc.StatusCode.UNAVAILABLE and attempt < _ATTEMPTS and left > pause
                if not retryable:
                    raise self._error(method, code.name, cause.details() or "") from cause
                time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries
                pause *= 2
                continue
            return result
        raise AssertionError

    def _error(self, method: str, code: str, details: str) -> errors.VolantError:
        if code == "NOT_FOUND":
            return errors.NotFoundError(details or f"{method}: not found")
        if code == "DEADLINE_EXCEEDED":
            return errors.TimedOutError(f"{self._settings.endpoint} did not answer {method} in time")
        if code == "UNAVAILABLE":
            return errors.RemoteError(
                f"cannot reach the platform at {self._settings.endpoint} (from {self._settings.source}): {details}. "
                f"Start one with `volant up`, or name another with VOLANT_ENDPOINT or a configuration file",
                code,
            )
        return errors.RemoteError(details or f"{method}: {code}", code)

    def _open(self) -> Any:
        with self._lock:
            if self._channel is None:
                import grpc  # noqa: PLC0415 - slow to import, and needed only here

                options = [
                    ("grpc.max_receive_message_length", _LIMIT),
                    ("grpc.max_send_message_length", _LIMIT),
                    ("grpc.max_metadata_size", 32 * 1024),
                ]
                if self._settings.insecure:
                    self._channel = grpc.insecure_channel(self._settings.endpoint, options)
                else:
                    roots = (
                        pathlib.Path(self._settings.ca_cert_file).read_bytes() if self._settings.ca_cert_file else None
                    )
                    credentials = grpc.ssl_channel_credentials(roots)
                    self._channel = grpc.secure_channel(self._settings.endpoint, credentials, options)
            return self._channel

    def close(self) -> None:
        """Close the channel; a later call opens a new one."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
                self._channel = None

"""One connection to a platform: calls by method name, with deadlines, retries and errors as exceptions."""

from __future__ import annotations

import pathlib
import random
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any, TypeVar

from google.protobuf import message

from volant import errors
from volant.client import config

M = TypeVar("M", bound=message.Message)

ADMIN = "volantidl.service.AdminService"
DATA_PROXY = "volantidl.service.DataProxyService"
SIGNALS = "volantidl.service.SignalService"
_LIMIT = 64 * 1024 * 1024
_FIRST_PAUSE = 0.1
"""Seconds; doubled after each attempt."""
_LONGEST_PAUSE = 2.0
_FIRST_ATTEMPTS = 4
"""How often a platform that never answered is asked; one that did is asked until the call's time is over."""
_DEADLINE = 60.0
"""Seconds for one call, retries included, where the caller gives none."""


class Connection:
    """A channel, opened at the first call."""

    def __init__(self, settings: config.PlatformConfig) -> None:
        self._settings = settings
        self._channel: Any = None
        self._lock = threading.Lock()
        self._answered = False
        self._flyte_names = settings.flyte_names

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
        return self.call_for_metadata(service, method, request, answer, timeout)[0]

    def call_for_metadata(
        self, service: str, method: str, request: message.Message, answer: type[M], timeout: float | None = None
    ) -> tuple[M, dict[str, str]]:
        """The same, with what the platform says beside its answer."""
        import grpc  # noqa: PLC0415 - slow to import, and needed only here

        def remote() -> Any:
            name = service.replace("volantidl.", "flyteidl.", 1) if self._flyte_names else service
            return self._open().unary_unary(
                f"/{name}/{method}",
                request_serializer=type(request).SerializeToString,
                response_deserializer=answer.FromString,
            )

        ends = time.monotonic() + (timeout or _DEADLINE)
        for pause in self._pauses():
            left = ends - time.monotonic()
            try:
                result, done = remote().with_call(
                    request, timeout=max(left, 0.001), metadata=(("accept", "application/grpc"),)
                )
            except grpc.RpcError as cause:
                code = cause.code()
                if code is grpc.StatusCode.UNIMPLEMENTED and not self._answered and not self._flyte_names:
                    self._flyte_names = True  # perhaps it is a Flyte, which knows its own names only
                    continue
                if code is not grpc.StatusCode.UNAVAILABLE and code is not grpc.StatusCode.UNIMPLEMENTED:
                    self._answered = self._answered or code is not grpc.StatusCode.DEADLINE_EXCEEDED
                if code is not grpc.StatusCode.UNAVAILABLE or pause is None or left < pause:
                    raise self._error(method, code.name, cause.details() or "") from cause
                time.sleep(pause)
                continue
            self._answered = True
            return result, {key: value for key, value in done.initial_metadata() if isinstance(value, str)}
        raise AssertionError

    def _pauses(self) -> Iterator[float | None]:
        """Seconds after each attempt; None after the last."""
        pause, attempts = _FIRST_PAUSE, 1
        while self._answered or attempts < _FIRST_ATTEMPTS:
            yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries
            pause, attempts = min(2 * pause, _LONGEST_PAUSE), attempts + 1
        yield None

    def _error(self, method: str, code: str, details: str) -> errors.VolantError:
        where = f"{self._settings.endpoint} (from {self._settings.source})"
        if code == "NOT_FOUND":
            return errors.NotFoundError(details or f"{method}: not found")
        if code == "DEADLINE_EXCEEDED":
            return errors.TimedOutError(f"{self._settings.endpoint} did not answer {method} in time")
        if code == "UNAVAILABLE":
            return errors.RemoteError(f"cannot reach the platform at {where}: {self._why(details)}", code)
        if code in {"UNAUTHENTICATED", "PERMISSION_DENIED"}:
            return errors.RemoteError(f"{where} refuses {method}: {details or code}", code)
        if code in {"UNIMPLEMENTED", "UNKNOWN"} and not self._answered:
            return errors.RemoteError(
                f"what answers at {where} is no platform, or not its gRPC port ({details or code})", code
            )
        return errors.RemoteError(details or f"{method}: {code}", code)

    def _why(self, details: str) -> str:
        lowered = details.lower()
        if "http1.x server" in lowered:
            return "what answers there is HTTP; name the gRPC address, which `volant status` tells"
        if "wrong_version_number" in lowered and not self._settings.insecure:
            return "it does not speak TLS; say --insecure, or insecure = true in the configuration"
        if "ssl" in lowered or "handshake" in lowered or "tls" in lowered or "certificate" in lowered:
            if self._settings.insecure:
                return f"it seems to want TLS; say --secure, or insecure = false in the configuration ({details})"
            if "certificate" in lowered:
                return (
                    f"its certificate is not trusted; name the authority's file (caCertFilePath, ca_cert_file), or "
                    f"trust any (insecureSkipVerify) ({details})"
                )
            return f"TLS cannot be set up with it ({details})"
        if "resolution" in lowered or "resolve" in lowered:
            return f"there is no such host ({details})"
        if self._settings.insecure and ("socket closed" in lowered or "reset" in lowered or "http2" in lowered):
            return f"it hangs up: is it the gRPC port, and does it want TLS (--secure)? ({details})"
        return f"{details}. Start one with `volant up`, or name another with --endpoint or VOLANT_ENDPOINT"

    def _open(self) -> Any:
        with self._lock:
            if self._channel is None:
                import grpc  # noqa: PLC0415 - slow to import, and needed only here

                options: list[tuple[str, Any]] = [
                    ("grpc.max_receive_message_length", _LIMIT),
                    ("grpc.max_send_message_length", _LIMIT),
                    ("grpc.max_metadata_size", 32 * 1024),
                    ("grpc.max_reconnect_backoff_ms", 1000),
                    ("grpc.initial_reconnect_backoff_ms", 100),
                ]
                if self._settings.is_local:
                    options.append(("grpc.enable_http_proxy", 0))
                if self._settings.insecure:
                    self._channel = grpc.insecure_channel(self._settings.endpoint, options)
                else:
                    credentials = grpc.ssl_channel_credentials(self._roots())
                    self._channel = grpc.secure_channel(self._settings.endpoint, credentials, options)
            return self._channel

    def _roots(self) -> bytes | None:
        """The certificates to trust; the system's where None."""
        if self._settings.ca_cert_file:
            try:
                return pathlib.Path(self._settings.ca_cert_file).expanduser().read_bytes()
            except OSError as cause:
                raise errors.DefinitionError(
                    f"cannot read the certificates in {self._settings.ca_cert_file}, which {self._settings.source} "
                    f"names: {cause.strerror}"
                ) from cause
        if self._settings.skip_verify:
            host, _, port = self._settings.endpoint.rpartition(":")
            address = (host or port, int(port) if host else 443)
            try:
                return ssl.get_server_certificate(address, timeout=10).encode()
            except (OSError, ValueError) as cause:
                raise errors.RemoteError(
                    f"cannot get the certificate of {self._settings.endpoint}: {cause}", "UNAVAILABLE"
                ) from cause
        return None

    def close(self) -> None:
        """Close the channel; a later call opens a new one."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
                self._channel = None

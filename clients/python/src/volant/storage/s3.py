"""S3 over HTTP with nothing but the standard library: the few calls that a task needs, signed (Signature Version 4)."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import http.client
import os
import pathlib
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import BinaryIO
from xml.etree import ElementTree

from volant import errors

_UNSIGNED = "UNSIGNED-PAYLOAD"
_ATTEMPTS = 6
_FIRST_PAUSE = 0.2
"""Seconds; doubled after each attempt."""


@dataclasses.dataclass(frozen=True)
class S3Settings:
    """How to reach a store."""

    endpoint: str
    """URL; with the bucket in the path."""
    access_key: str
    secret_key: str
    session_token: str = ""
    region: str = "us-east-1"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> S3Settings:
        """Flyte's variables first, then those that every AWS tool reads."""
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        endpoint = (
            environ.get("FLYTE_AWS_ENDPOINT")
            or environ.get("AWS_ENDPOINT_URL_S3")
            or environ.get("AWS_ENDPOINT_URL")
            or f"https://s3.{region}.amazonaws.com"
        )
        return cls(
            endpoint=endpoint.rstrip("/"),
            access_key=environ.get("FLYTE_AWS_ACCESS_KEY_ID") or environ.get("AWS_ACCESS_KEY_ID", ""),
            secret_key=environ.get("FLYTE_AWS_SECRET_ACCESS_KEY") or environ.get("AWS_SECRET_ACCESS_KEY", ""),
            session_token=environ.get("AWS_SESSION_TOKEN", ""),
            region=region,
        )


def sign(
    settings: S3Settings,
    method: str,
    path: str,
    query: str,
    payload_hash: str,
    now: datetime.datetime,
) -> dict[str, str]:
    """The headers of a signed request; path and query are already percent-encoded, the query sorted."""
    host = urllib.parse.urlsplit(settings.endpoint).netloc
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    day = stamp[:8]
    headers = {"host": host, "x-amz-content-sha256": payload_hash, "x-amz-date": stamp}
    if settings.session_token:
        headers["x-amz-security-token"] = settings.session_token
    names = ";".join(sorted(headers))
    canonical_headers = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"{method}\n{path}\n{query}\n{canonical_headers}\n{names}\n{payload_hash}"
    scope = f"{day}/{settings.region}/s3/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{settings.secret_key}".encode()
    for part in (day, settings.region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={settings.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


class S3Store:
    """Objects of any bucket of one endpoint. Each call opens its own connection, so a fork breaks nothing."""

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings

    @classmethod
    def from_environment(cls) -> S3Store:
        """The store that the environment names."""
        return cls(S3Settings.from_environment())

    def read(self, uri: str) -> bytes:
        """An object's bytes."""
        return self._request("GET", uri)

    def write(self, uri: str, data: bytes) -> None:
        """Create or replace an object."""
        self._request("PUT", uri, body=data)

    def exists(self, uri: str) -> bool:
        """Whether there is such an object."""
        try:
            self._request("HEAD", uri)
        except errors.NotFoundError:
            return False
        return True

    def download(self, uri: str, to: pathlib.Path) -> None:
        """Copy an object to a local file, in pieces."""
        with to.open("wb") as stream:
            self._request("GET", uri, into=stream)

    def upload(self, file: pathlib.Path, uri: str) -> None:
        """Copy a local file to an object, in pieces."""
        self._request("PUT", uri, file=file)

    def walk(self, uri: str) -> Iterator[str]:
        """The keys below a prefix."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        prefix = f"{prefix.rstrip('/')}/" if prefix else ""
        token = ""
        while True:
            query = {"list-type": "2", "prefix": prefix}
            if token:
                query["continuation-token"] = token
            # A URI of a trusted store's own answer: no entity expansion to fear beyond expat's built-in limits.
            root = ElementTree.fromstring(self._request("GET", f"s3://{bucket}", query=query))  # noqa: S314
            space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
            for key in root.iterfind(f"{space}Contents/{space}Key"):
                yield (key.text or "")[len(prefix) :]
            token = root.findtext(f"{space}NextContinuationToken") or ""
            if not token:
                return

    def _request(
        self,
        method: str,
        uri: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        file: pathlib.Path | None = None,
        into: BinaryIO | None = None,
    ) -> bytes:
        pause = _FIRST_PAUSE
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._once(method, uri, query or {}, body, file, into)
            except (_BusyError, OSError, http.client.HTTPException) as cause:
                if attempt == _ATTEMPTS:
                    raise errors.StorageError(
                        f"{method} {uri} at {self._settings.endpoint} failed {attempt} times: {cause}"
                    ) from cause
            time.sleep(pause)
            pause *= 2
        raise AssertionError

    def _once(
        self,
        method: str,
        uri: str,
        query: Mapping[str, str],
        body: bytes,
        file: pathlib.Path | None,
        into: BinaryIO | None,
    ) -> bytes:
        endpoint = urllib.parse.urlsplit(self._settings.endpoint)
        path = endpoint.path + "/" + urllib.parse.quote(uri.removeprefix("s3://"), safe="/-_.~")
        encoded = "&".join(
            f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(query[k], safe='-_.~')}" for k in sorted(query)
        )
        digest = _UNSIGNED if file is not None else hashlib.sha256(body).hexdigest()
        headers = sign(self._settings, method, path, encoded, digest, datetime.datetime.now(datetime.UTC))
        kind = http.client.HTTPSConnection if endpoint.scheme == "https" else http.client.HTTPConnection
        connection = kind(endpoint.netloc, timeout=60)
        try:
            target = f"{path}?{encoded}" if encoded else path
            if file is not None:
                headers["content-length"] = str(file.stat().st_size)
                with file.open("rb") as stream:
                    connection.request(method, target, body=stream, headers=headers)
                    response = connection.getresponse()
            else:
                connection.request(method, target, body=body if method == "PUT" else None, headers=headers)
                response = connection.getresponse()
            return self._answer(method, uri, response, into)
        finally:
            connection.close()

    def _answer(self, method: str, uri: str, response: http.client.HTTPResponse, into: BinaryIO | None) -> bytes:
        if response.status in {200, 204} and into is not None:
            into.seek(0)
            into.truncate()
            while piece := response.read(1 << 20):
                into.write(piece)
            if response.length:  # of a connection that breaks, reading by pieces tells nothing else
                raise _BusyError(f"the answer ended {response.length} bytes early")
            return b""
        content = response.read()
        if response.status in {200, 204}:
            return content
        if response.status == 404:
            raise errors.NotFoundError(f"there is no object {uri} at {self._settings.endpoint}")
        if response.status in {429, 500, 502, 503, 504}:
            raise _BusyError(f"status {response.status}")
        detail = content[:300].decode(errors="replace")
        raise errors.StorageError(f"{method} {uri} at {self._settings.endpoint}: status {response.status} {detail}")


class _BusyError(Exception):
    """The store asks to try again."""

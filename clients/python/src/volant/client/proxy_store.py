"""The platform's object store for clients without credentials: signed addresses from the data proxy."""

from __future__ import annotations

import base64
import hashlib
import http.client
import pathlib
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import BinaryIO

from volant import errors
from volant.client import channel, config
from volant.storage import other, s3
from volantidl.service import dataproxy_pb2

_HTTP = other.HttpStore()


class ProxyStore:
    """Reads anything in the platform's store, and writes below a prefix of its own."""

    def __init__(self, connection: channel.Connection, settings: config.PlatformConfig) -> None:
        self._connection = connection
        self._settings = settings
        self._root = uuid.uuid4().hex
        self._prefix = ""
        self._addresses: dict[str, str] = {}

    @property
    def prefix(self) -> str:
        """URI below which `write` and `upload` may put objects."""
        if not self._prefix:
            location = self._location("probe", hashlib.md5(b"", usedforsecurity=False).digest())
            self._prefix = location.native_url.removesuffix("/probe")
        return self._prefix

    def _location(self, filename: str, md5: bytes) -> dataproxy_pb2.CreateUploadLocationResponse:
        request = dataproxy_pb2.CreateUploadLocationRequest(
            project=self._settings.project,
            domain=self._settings.domain,
            filename=filename,
            filename_root=self._root,
            content_md5=md5,
            add_content_md5_metadata=True,
        )
        answer = dataproxy_pb2.CreateUploadLocationResponse
        return self._connection.call(channel.DATA_PROXY, "CreateUploadLocation", request, answer)

    def upload_code(self, content: bytes, filename: str) -> str:
        """Upload an archive of code; gives its URI, the same for the same content."""
        md5 = hashlib.md5(content, usedforsecurity=False).digest()
        request = dataproxy_pb2.CreateUploadLocationRequest(
            project=self._settings.project,
            domain=self._settings.domain,
            filename=filename,
            content_md5=md5,
            add_content_md5_metadata=True,
        )
        answer = dataproxy_pb2.CreateUploadLocationResponse
        location = self._connection.call(channel.DATA_PROXY, "CreateUploadLocation", request, answer)
        _put(location, content, len(content), md5)
        return location.native_url

    def write(self, uri: str, data: bytes) -> None:
        """Create an object below the prefix."""
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
        _put(self._place(uri, md5), data, len(data), md5)

    def upload(self, file: pathlib.Path, uri: str) -> None:
        """Upload a file below the prefix, in pieces."""
        with file.open("rb") as stream:
            md5 = hashlib.file_digest(stream, "md5").digest()
            stream.seek(0)
            _put(self._place(uri, md5), stream, file.stat().st_size, md5)

    def _place(self, uri: str, md5: bytes) -> dataproxy_pb2.CreateUploadLocationResponse:
        if not uri.startswith(f"{self.prefix}/"):
            raise errors.StorageError(f"cannot write {uri} from here: only objects below {self.prefix} can be uploaded")
        return self._location(uri.removeprefix(f"{self.prefix}/"), md5)

    def _signed(self, uri: str) -> str:
        request = dataproxy_pb2.CreateDownloadLocationRequest(native_url=uri)
        answer = dataproxy_pb2.CreateDownloadLocationResponse
        return self._connection.call(channel.DATA_PROXY, "CreateDownloadLocation", request, answer).signed_url

    def read(self, uri: str) -> bytes:
        """An object's bytes."""
        return _HTTP.read(self._signed(uri))

    def read_from(self, uri: str, start: int) -> bytes:
        """An object's bytes from a place on; nothing where it ends there. For what is looked at again and again."""
        if uri not in self._addresses:
            self._addresses[uri] = self._signed(uri)
        request = urllib.request.Request(self._addresses[uri], headers={"Range": f"bytes={start}-"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - the platform's own address
                content: bytes = response.read()
                return content if response.status == 206 else content[start:]
        except urllib.error.HTTPError as cause:
            if cause.code == 416:
                return b""
            self._addresses.pop(uri, None)  # it may have expired
            kind = errors.NotFoundError if cause.code == 404 else errors.StorageError
            raise kind(f"reading {uri}: status {cause.code}") from cause
        except (OSError, http.client.HTTPException) as cause:
            raise errors.StorageError(f"reading {uri}: {cause}") from cause

    def exists(self, uri: str) -> bool:
        """Whether there is such an object."""
        return _HTTP.exists(self._signed(uri))

    def download(self, uri: str, to: pathlib.Path) -> None:
        """Copy an object to a local file."""
        _HTTP.download(self._signed(uri), to)

    def walk(self, uri: str) -> Iterator[str]:
        """The keys below a prefix; the data proxy can't list, so this needs credentials in the environment."""
        settings = s3.S3Settings.from_environment()
        if not settings.access_key:
            raise errors.StorageError(
                f"cannot list {uri}: clients without credentials can't list folders. Set FLYTE_AWS_ENDPOINT, "
                f"FLYTE_AWS_ACCESS_KEY_ID and FLYTE_AWS_SECRET_ACCESS_KEY"
            )
        return s3.S3Store(settings).walk(uri)


def _put(
    location: dataproxy_pb2.CreateUploadLocationResponse, content: bytes | BinaryIO, size: int, md5: bytes
) -> None:
    # The length that the answer names is that of the hash, in Flyte's and so in ours.
    headers = {"Content-MD5": base64.b64encode(md5).decode(), **location.headers, "Content-Length": str(size)}
    request = urllib.request.Request(location.signed_url, data=content, method="PUT", headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=300):  # noqa: S310 - the platform's own address
            return
    except urllib.error.HTTPError as cause:
        detail = cause.read(300).decode(errors="replace")
        raise errors.StorageError(f"uploading to {location.native_url}: status {cause.code} {detail}") from cause
    except (OSError, http.client.HTTPException) as cause:
        raise errors.StorageError(f"uploading to {location.native_url}: {cause}") from cause

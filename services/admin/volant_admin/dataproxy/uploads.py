"""Where clients may upload to, and when they may overwrite."""

import base64
import datetime
import secrets
from collections.abc import Callable

from google.protobuf import duration_pb2, timestamp_pb2

from volant_admin.dataproxy.settings import DataProxySettings
from volant_admin.executions import names
from volant_admin.projects import operations as projects_
from volant_core import blobstore, clock, errors
from volantidl.service import dataproxy_pb2

_MD5_METADATA = "flyteContentMD5"
_OWN = frozenset({"metadata", "data"})  # folders in which the platform and tasks' raw data are
_NAME_LENGTH = 20
_LONGEST_PART = 200  # bytes: what every store takes in one part of a key
_LONGEST_KEY = 900  # bytes


class Uploads:
    """Hands out upload URLs."""

    def __init__(
        self,
        blobs: blobstore.BlobStore,
        projects: projects_.Projects,
        settings: DataProxySettings,
        clock: clock.Clock,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        """Keep the dependencies; `random_bits` is what generated file names are made of."""
        self._blobs = blobs
        self._projects = projects
        self._settings = settings
        self._clock = clock
        self._random_bits = random_bits

    async def create(
        self, request: dataproxy_pb2.CreateUploadLocationRequest
    ) -> dataproxy_pb2.CreateUploadLocationResponse:
        """A URL for one upload.

        Raises:
            InvalidArgumentError: The request lacks something, or asks for too long a time.
            AlreadyExistsError: Something else is there already.
        """
        if not request.project or not request.domain:
            raise errors.InvalidArgumentError("project and domain are required parameters")
        if not request.filename_root and not request.content_md5:
            raise errors.InvalidArgumentError("content_md5 or filename_root is a required parameter")
        await self._check_place(request)
        lifetime = lifetime_of(
            request.expires_in if request.HasField("expires_in") else None, self._settings.longest_upload
        )
        root = request.filename_root or base64.b32encode(request.content_md5).decode()
        filename = request.filename or names.letters(self._random_bits, _NAME_LENGTH)
        uri = self._uri(request, root, filename)
        if request.filename and request.filename_root:
            await self._check_overwrite(uri, request.content_md5)
        md5 = base64.b64encode(request.content_md5).decode()
        metadata = {_MD5_METADATA: md5} if request.add_content_md5_metadata and md5 else None
        url, signed = self._blobs.sign_put(uri, lifetime, content_md5=request.content_md5 or None, metadata=metadata)
        # As in Flyte, the length is that of the hash. HTTP clients put that of the file there instead.
        headers = {"Content-Length": str(len(md5)), "Content-MD5": md5, **signed}
        return dataproxy_pb2.CreateUploadLocationResponse(
            signed_url=url, native_url=uri, expires_at=later(self._clock, lifetime), headers=headers
        )

    async def _check_place(self, request: dataproxy_pb2.CreateUploadLocationRequest) -> None:
        """Keep out of the platform's own folders whoever has no project of such a name."""
        # Slashes at the ends of a part do not count, so that one of slashes alone is none.
        key = f"{request.org}/{request.project}/{request.domain}/{request.filename_root}/{request.filename}"
        first = key.lstrip("/").split("/")[0]
        if first not in _OWN:
            return
        if request.project != first or request.org:
            raise errors.InvalidArgumentError(
                f"invalid value for org, project or domain: {first} is the platform's own"
            )
        try:
            await self._projects.require_active(request.project, request.domain)
        except errors.InvalidArgumentError as error:
            raise errors.InvalidArgumentError(
                f"invalid value for project or domain: {error.message}", *error.details
            ) from error

    def _uri(self, request: dataproxy_pb2.CreateUploadLocationRequest, root: str, filename: str) -> str:
        parts = [part for part in (request.org, request.project, request.domain, root, filename) if part]
        key = "/".join(parts)
        if {".", ".."} & set(key.split("/")):
            raise errors.InvalidArgumentError(
                "invalid value for filename or filename_root: it must not leave its folder by . or .."
            )
        if len(key.encode()) > _LONGEST_KEY or any(len(part.encode()) > _LONGEST_PART for part in key.split("/")):
            raise errors.InvalidArgumentError(
                f"filename_root and filename are too long: at most {_LONGEST_PART} bytes between slashes,"
                f" {_LONGEST_KEY} in all"
            )
        return self._blobs.join(*parts)

    async def _check_overwrite(self, uri: str, md5: bytes) -> None:
        info = await self._blobs.head(uri)
        if info is None:
            return
        stored = next((value for key, value in info.metadata.items() if key.lower() == _MD5_METADATA.lower()), "")
        encoded = base64.b64encode(md5).decode()
        same = {encoded} if stored else {md5.hex(), base64.b32encode(md5).decode(), encoded}
        if not md5 or (stored or info.etag.strip('"')) not in same:
            raise errors.AlreadyExistsError(
                f"file already exists at location [{uri}], specify a matching hash if you wish to rewrite"
            )


def lifetime_of(given: duration_pb2.Duration | None, longest: datetime.timedelta) -> datetime.timedelta:
    """How long a URL is to be good: the longest time, where the request says nothing."""
    if given is None:
        return longest
    if given.seconds > longest.total_seconds():
        raise errors.InvalidArgumentError(
            f"expiresIn [{given.seconds}s] cannot exceed max allowed expiration [{longest}]"
        )
    lifetime = datetime.timedelta(seconds=given.seconds, microseconds=given.nanos // 1000)
    if lifetime > longest:
        raise errors.InvalidArgumentError(f"expiresIn [{lifetime}] cannot exceed max allowed expiration [{longest}]")
    if lifetime <= datetime.timedelta():
        raise errors.InvalidArgumentError(f"expiresIn [{lifetime}] is invalid: it must be more than 0")
    return max(lifetime, datetime.timedelta(seconds=1))  # signatures count in seconds


def later(clock: clock.Clock, length: datetime.timedelta) -> timestamp_pb2.Timestamp:
    """The time in a while."""
    moment = timestamp_pb2.Timestamp()
    moment.FromDatetime(clock.now() + length)
    return moment

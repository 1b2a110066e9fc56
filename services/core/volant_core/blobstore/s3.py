"""The adapter over any S3-compatible service, by the `minio` client in threads."""

import asyncio
import concurrent.futures
import datetime
import io
import itertools
import os
import urllib.parse
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

import certifi
import minio
import minio.commonconfig
import minio.error
import urllib3

from volant_core import errors
from volant_core.blobstore import files, port, presigned, signing, uris

_T = TypeVar("_T")
_LIST_CHUNK = 500
_ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404"})
_EXISTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_BAD_KEY = frozenset(
    {"KeyTooLongError", "XMinioInvalidObjectName", "InvalidBucketName", "InvalidURI", "InvalidArgument"}
)
_FULL = frozenset({"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage"})
_META = "x-amz-meta-"


class S3Store(presigned.Signs):
    """A blob store in an S3-compatible service."""

    def __init__(
        self,
        endpoint: signing.Endpoint,
        bucket: str,
        *,
        presigner: signing.Presigner | None = None,
        workers: int = 16,
        connect_timeout: float = 5.0,
        read_timeout: float = 60.0,
    ) -> None:
        """Speak to `endpoint`; URLs are signed by `presigner`, whose endpoint is the public one.

        `bucket` is the platform's own. `workers`: requests at once. `connect_timeout`, `read_timeout`: seconds.
        """
        super().__init__(presigner)
        self._bucket = bucket
        self._endpoint = endpoint
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="blobstore-s3")
        parts = urllib.parse.urlsplit(endpoint.url)
        http = urllib3.PoolManager(
            maxsize=workers,
            timeout=urllib3.Timeout(connect=connect_timeout, read=read_timeout),
            cert_reqs="CERT_REQUIRED",
            ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
            retries=urllib3.Retry(total=5, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        )
        self._client = minio.Minio(
            parts.netloc,
            access_key=endpoint.access_key,
            secret_key=endpoint.secret_key,
            region=endpoint.region,
            secure=parts.scheme == "https",
            http_client=http,
        )

    async def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def ensure_bucket(self) -> None:
        """Create the platform's own bucket when it is not there."""

        def work() -> None:
            try:
                self._client.make_bucket(self._bucket, location=self._endpoint.region)
            except minio.error.S3Error as error:
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise

        await self._run(uris.join(self._bucket), work)

    async def get(self, uri: str, *, limit: int | None = None) -> bytes:
        """The content. NotFoundError when absent; ResourceExhaustedError when larger than `limit` bytes."""
        bucket, key = uris.split(uri)

        def work() -> bytes:
            response = self._client.get_object(bucket, key)
            try:
                size = int(response.headers.get("Content-Length", "0"))
                if limit is not None and size > limit:
                    response.close()  # not read to its end, so the connection can't be used again
                    raise errors.ResourceExhaustedError(f"{uri} is too large to read here: it has {size} bytes")
                data: bytes = response.read()
                return data
            finally:
                response.release_conn()

        return await self._run(uri, work)

    async def put(
        self,
        uri: str,
        data: bytes,
        *,
        content_type: str = files.DEFAULT_CONTENT_TYPE,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Store `data`, replacing what was there."""
        bucket, key = uris.split(uri)
        headers: dict[str, Any] = {f"{_META}{name.lower()}": value for name, value in (metadata or {}).items()}

        def work() -> None:
            self._client.put_object(bucket, key, io.BytesIO(data), len(data), content_type, headers or None)

        await self._run(uri, work)

    async def create(self, uri: str, data: bytes) -> bool:
        """Store `data` where nothing is yet; whether it was stored. Of many at once, one is."""
        bucket, key = uris.split(uri)

        def work() -> bool:
            try:
                # The client's public calls have no conditions.
                self._client._put_object(bucket, key, data, {"If-None-Match": "*"})  # noqa: SLF001
            except minio.error.S3Error as error:
                if error.code in _EXISTS:
                    return False
                raise
            return True

        return await self._run(uri, work)

    async def head(self, uri: str) -> port.BlobInfo | None:
        """What is known of the object; None when absent."""
        bucket, key = uris.split(uri)
        try:
            found = await self._run(uri, lambda: self._client.stat_object(bucket, key))
        except errors.NotFoundError:
            return None
        return _info(bucket, found)

    async def delete(self, uri: str) -> None:
        """Remove the object; removing what is absent is fine."""
        bucket, key = uris.split(uri)
        await self._run(uri, lambda: self._client.remove_object(bucket, key))

    async def copy(self, source: str, target: str) -> None:
        """Copy within the store. NotFoundError when the source is absent."""
        here, there = uris.split(source), uris.split(target)
        await self._run(source, lambda: self._client.copy_object(*there, minio.commonconfig.CopySource(*here)))

    async def list(self, prefix: str) -> AsyncIterator[port.BlobInfo]:
        """Objects whose URI starts with `prefix`, by key in UTF-8 byte order."""
        bucket, start = uris.split_prefix(prefix)
        rows = iter(self._client.list_objects(bucket, prefix=start, recursive=True))

        def some() -> list[Any]:
            return list(itertools.islice(rows, _LIST_CHUNK))

        while True:
            try:
                chunk = await self._run(prefix, some)
            except errors.NotFoundError:  # the bucket: then nothing is in it
                return
            for found in chunk:
                yield _info(bucket, found)
            if len(chunk) < _LIST_CHUNK:
                return

    def join(self, *parts: str) -> str:
        """A URI under the platform's own bucket."""
        return uris.join(self._bucket, *parts)

    async def _run(self, uri: str, work: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except minio.error.S3Error as error:
            raise _refusal(uri, error) from error
        except (minio.error.MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise errors.UnavailableError(
                f"the object store at {self._endpoint.url} failed at {uri}: {error}"
            ) from error
        except ValueError as error:  # the client's own checks of names and metadata
            raise errors.InvalidArgumentError(f"{uri}: {error}") from error


def _refusal(uri: str, error: minio.error.S3Error) -> errors.VolantError:
    code = error.code or ""
    if code in _ABSENT:
        return errors.NotFoundError(f"there is no object {uri}")
    if code in _BAD_KEY:
        return errors.InvalidArgumentError(f"the object store refuses {uri}: {error.message}")
    if code in _FULL:
        return errors.ResourceExhaustedError(f"can't store {uri}: the object store is full; free some space")
    return errors.UnavailableError(f"the object store refuses {uri}: {code}: {error.message}")


def _info(bucket: str, found: Any) -> port.BlobInfo:
    metadata = {
        name.lower().removeprefix(_META): value
        for name, value in (found.metadata or {}).items()
        if name.lower().startswith(_META)
    }
    return port.BlobInfo(
        uri=f"{uris.SCHEME}{bucket}/{found.object_name}",
        size=found.size or 0,
        etag=(found.etag or "").strip('"'),
        modified=found.last_modified or datetime.datetime.fromtimestamp(0, datetime.UTC),
        content_type=found.content_type or files.DEFAULT_CONTENT_TYPE,
        metadata=metadata,
    )

"""The adapter over a folder on this machine, which the embedded S3 service serves to others."""

import asyncio
import concurrent.futures
import datetime
import errno
import itertools
import os
import pathlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeVar

from volant_core import errors
from volant_core.blobstore import files, lane, port, presigned, signing, uris

_T = TypeVar("_T")
_LIST_CHUNK = 200
_SMALL = 128 << 10
"""Bytes that are copied in less time than it takes to wake another thread."""


class FolderStore(presigned.Signs):
    """A blob store in a folder."""

    def __init__(
        self,
        root: pathlib.Path,
        bucket: str,
        *,
        presigner: signing.Presigner | None = None,
        fsync: bool = False,
        workers: int = 4,
    ) -> None:
        """Keep objects below `root`; `bucket` is the platform's own.

        `fsync`: whether a put has reached the disk when it returns (else it survives every crash but the machine's).
        `workers`: threads.
        """
        super().__init__(presigner)
        self.files = files.ObjectFiles(root, fsync=fsync)
        self._bucket = bucket
        self._fsync = fsync
        self._lane = lane.Lane("blobstore-small")
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="blobstore")

    async def close(self) -> None:
        """End the threads."""
        self._lane.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def get(self, uri: str, *, limit: int | None = None) -> bytes:
        """The content. NotFoundError when absent; ResourceExhaustedError when larger than `limit` bytes."""
        bucket, key = uris.split(uri)
        small = _SMALL if limit is None else min(limit, _SMALL)
        try:
            return await self._run(uri, lambda: self.files.read(bucket, key, small), quick=True)
        except errors.ResourceExhaustedError:
            if small == limit:
                raise
        return await self._run(uri, lambda: self.files.read(bucket, key, limit))

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
        attributes = files.DEFAULT
        if metadata or content_type != files.DEFAULT_CONTENT_TYPE:
            kept = {name.lower(): value for name, value in (metadata or {}).items()}
            attributes = files.Attributes(content_type=content_type, metadata=kept)
        # A flush takes as long as the disk likes: those go side by side.
        quick = len(data) <= _SMALL and not self._fsync
        await self._run(uri, lambda: self.files.write(bucket, key, data, attributes), quick=quick)

    async def create(self, uri: str, data: bytes) -> bool:
        """Store `data` where nothing is yet; whether it was stored. Of many at once, one is."""
        bucket, key = uris.split(uri)

        def work() -> bool:
            try:
                self.files.write(bucket, key, data, exclusive=True)
            except FileExistsError:
                return False
            return True

        return await self._run(uri, work, quick=len(data) <= _SMALL and not self._fsync)

    async def head(self, uri: str) -> port.BlobInfo | None:
        """What is known of the object; None when absent."""
        bucket, key = uris.split(uri)
        return await self._run(uri, lambda: self._info(bucket, key), quick=True)

    async def delete(self, uri: str) -> None:
        """Remove the object; removing what is absent is fine."""
        bucket, key = uris.split(uri)
        await self._run(uri, lambda: self.files.delete(bucket, key), quick=not self._fsync)

    async def copy(self, source: str, target: str) -> None:
        """Copy within the store. NotFoundError when the source is absent."""
        here, there = uris.split(source), uris.split(target)
        await self._run(source, lambda: self.files.copy(here, there))

    async def list(self, prefix: str) -> AsyncIterator[port.BlobInfo]:
        """Objects whose URI starts with `prefix`, by key in UTF-8 byte order."""
        bucket, start = uris.split_prefix(prefix)
        rows = self.files.walk(bucket, start)

        def some() -> list[port.BlobInfo | None]:
            return [self._info(bucket, key) for key, _ in itertools.islice(rows, _LIST_CHUNK)]

        while chunk := await self._run(prefix, some):
            for info in chunk:
                if info is not None:
                    yield info

    def join(self, *parts: str) -> str:
        """A URI under the platform's own bucket."""
        return uris.join(self._bucket, *parts)

    def _info(self, bucket: str, key: str) -> port.BlobInfo | None:
        found = self.files.find(bucket, key)
        if found is None:
            return None
        try:
            etag = files.etag_of(found)
        except FileNotFoundError:
            return None
        return port.BlobInfo(
            uri=f"{uris.SCHEME}{bucket}/{key}",
            size=found.size,
            etag=etag,
            modified=datetime.datetime.fromtimestamp(found.modified_ns / 1e9, datetime.UTC),
            content_type=found.attributes.content_type,
            metadata=found.attributes.metadata,
        )

    async def _run(self, uri: str, work: Callable[[], _T], *, quick: bool = False) -> _T:
        try:
            if quick:
                return await self._lane.run(work)
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except OSError as error:
            raise refusal(uri, error) from error


def refusal(uri: str, error: OSError) -> errors.VolantError:
    """What an error of the file system is to the caller."""
    if isinstance(error, FileNotFoundError):
        return errors.NotFoundError(f"there is no object {uri}")
    if error.errno == errno.EFBIG:
        return errors.ResourceExhaustedError(f"{uri} is too large to read here: {error.strerror}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return errors.ResourceExhaustedError(
            f"can't store {uri}: the disk of the object store is full; free some space"
        )
    if error.errno == errno.ENAMETOOLONG:
        return errors.InvalidArgumentError(f"{uri}: the key is too long for the object store's folder")
    return errors.UnavailableError(f"the object store's folder failed at {uri}: {os.strerror(error.errno or 0)}")

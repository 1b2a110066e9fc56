"""The blob store port: what every adapter promises, and the conformance suite checks.

A URI is `s3://bucket/key`. Keys are any Unicode text without NUL, at most 1,024 bytes of UTF-8; `x` and `x/y` can both
exist (some stores refuse that, and "." or ".." between slashes: InvalidArgumentError). An object is whole or absent: a
put is seen at once or not at all, also after a crash of the process.
"""

import dataclasses
import datetime
from collections.abc import AsyncIterator, Mapping
from typing import Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class BlobInfo:
    """What is known of an object without reading it."""

    uri: str
    size: int
    """Bytes."""
    etag: str
    """Hex MD5 of the content for simple puts; opaque for multipart ones. Without quotes."""
    modified: datetime.datetime
    content_type: str = "binary/octet-stream"
    """What `put` was given; `list` need not know it."""
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """User metadata, keys in lower case without the `x-amz-meta-` prefix; `list` need not know it."""


class BlobStore(Protocol):
    """An object store."""

    async def get(self, uri: str, *, limit: int | None = None) -> bytes:
        """The content. NotFoundError when absent; ResourceExhaustedError when larger than `limit` bytes."""
        ...

    async def put(
        self,
        uri: str,
        data: bytes,
        *,
        content_type: str = "binary/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Store `data`, replacing what was there."""
        ...

    async def create(self, uri: str, data: bytes) -> bool:
        """Store `data` where nothing is yet; whether it was stored. Of many at once, one is."""
        ...

    async def head(self, uri: str) -> BlobInfo | None:
        """What is known of the object; None when absent."""
        ...

    async def delete(self, uri: str) -> None:
        """Remove the object; removing what is absent is fine."""
        ...

    async def copy(self, source: str, target: str) -> None:
        """Copy within the store. NotFoundError when the source is absent."""
        ...

    def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Objects whose URI starts with `prefix`, by key in UTF-8 byte order."""
        ...

    def join(self, *parts: str) -> str:
        """A URI under the platform's own bucket."""
        ...

    def sign_put(
        self,
        uri: str,
        expires: datetime.timedelta,
        *,
        content_md5: bytes | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> tuple[str, dict[str, str]]:
        """A URL that allows one PUT for a while, and the headers that must be sent with it (they are signed)."""
        ...

    def sign_get(self, uri: str, expires: datetime.timedelta) -> str:
        """A URL that allows a GET for a while."""
        ...

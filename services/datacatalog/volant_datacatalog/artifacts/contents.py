"""The data of artifacts: one LiteralMap each, in the artifact's row or, when it is large, in the blob store.

A blob's name holds the digest of its content: writing it again changes nothing, and a row never points at other content
than it was written with.
"""

import dataclasses
import hashlib
from collections.abc import Iterable

from google.protobuf.message import DecodeError

from volant_core import blobstore, errors
from volant_datacatalog import keys
from volant_datacatalog.settings import DatacatalogSettings
from volantidl.core import literals_pb2
from volantidl.datacatalog import datacatalog_pb2


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """Where data is: one of the two is set."""

    data: bytes | None
    uri: str | None


class Contents:
    """Keeps and finds data."""

    def __init__(self, blobs: blobstore.BlobStore, settings: DatacatalogSettings) -> None:
        """Keep large data in `blobs`."""
        self._blobs = blobs
        self._settings = settings

    async def keep(self, dataset: keys.DatasetKey, artifact: str, data: bytes) -> Kept:
        """Keep the data of an artifact of a dataset."""
        if len(data) <= self._settings.inline_bytes:
            return Kept(data, None)
        if len(data) > self._settings.content_bytes:
            raise errors.InvalidArgumentError(
                f"the data has {len(data)} bytes; the cache keeps up to {self._settings.content_bytes}"
            )
        # Digests, because names may be longer than the parts of a blob's key.
        owner = hashlib.sha256("\x00".join([*dataset, artifact]).encode()).hexdigest()
        content = hashlib.sha256(data).hexdigest()
        uri = self._blobs.join(*self._settings.prefix, owner[:2], owner[2:], f"{content}.pb")
        await self._blobs.put(uri, data)
        return Kept(None, uri)

    async def read(self, kept: Kept) -> bytes:
        """The data. NotFoundError when it was replaced meanwhile."""
        if kept.data is not None:
            return kept.data
        assert kept.uri is not None
        return await self._blobs.get(kept.uri, limit=self._settings.content_bytes)

    async def fetch(self, uri: str) -> bytes:
        """Data that somebody else wrote."""
        try:
            return await self._blobs.get(uri, limit=self._settings.content_bytes)
        except errors.ResourceExhaustedError as error:
            raise errors.InvalidArgumentError(f"{error.message}; the cache keeps less") from error

    async def drop(self, uri: str | None) -> None:
        """Remove data that no row points at (None: there is none)."""
        if uri is not None:
            await self._blobs.delete(uri)


def join(data: Iterable[datacatalog_pb2.ArtifactData]) -> bytes:
    """The data of a request as one LiteralMap. Names must be unique."""
    literals = literals_pb2.LiteralMap()
    for part in data:
        if part.name in literals.literals:
            raise errors.InvalidArgumentError(f"invalid value for artifactData, value:[{part.name[:100]}] stands twice")
        if part.value.WhichOneof("value") is None:
            raise keys.missing(f"value of artifactData {part.name[:100]}")
        literals.literals[part.name].CopyFrom(part.value)
    if not literals.literals:
        raise keys.missing("artifactData")
    return literals.SerializeToString(deterministic=True)


def split(data: bytes) -> list[datacatalog_pb2.ArtifactData]:
    """The parts of a LiteralMap, by name."""
    literals = literals_pb2.LiteralMap.FromString(data).literals
    return [datacatalog_pb2.ArtifactData(name=name, value=literals[name]) for name in sorted(literals)]


def check(data: bytes) -> bytes:
    """Bytes that must be a LiteralMap which holds something."""
    try:
        literals = literals_pb2.LiteralMap.FromString(data)
    except DecodeError as error:
        raise errors.InvalidArgumentError("the outputs are not a LiteralMap") from error
    if not literals.literals:
        raise keys.missing("outputs")
    return data

"""Inputs and outputs as data RPCs show them: whole where they are small, by a signed URL where not."""

import dataclasses

from google.protobuf.message import DecodeError

from volant_admin.executions.settings import ExecutionSettings
from volant_core import blobstore, errors
from volantidl.admin import common_pb2
from volantidl.core import literals_pb2


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """A literal map, or where a large one can be fetched."""

    full: literals_pb2.LiteralMap
    blob: common_pb2.UrlBlob = dataclasses.field(default_factory=common_pb2.UrlBlob)


class Values:
    """Reads literal maps."""

    def __init__(self, blobs: blobstore.BlobStore, settings: ExecutionSettings) -> None:
        """Keep the dependencies."""
        self._blobs = blobs
        self._settings = settings

    async def read(self, inline: bytes | None, uri: str | None) -> Value:
        """The map that is given inline, or stored at a URI. What can't be read is an empty map, as in Flyte."""
        if inline is not None:
            return Value(_parsed(inline))
        if not uri:
            return Value(literals_pb2.LiteralMap())
        try:
            return Value(_parsed(await self._blobs.get(uri, limit=self._settings.shown_bytes)))
        except errors.ResourceExhaustedError:
            return await self._signed(uri)
        except (errors.NotFoundError, errors.InvalidArgumentError):
            return Value(literals_pb2.LiteralMap())

    async def read_both(
        self, inputs: bytes | None, inputs_uri: str | None, outputs: bytes | None, outputs_uri: str | None
    ) -> tuple[Value, Value]:
        """Inputs and outputs."""
        return await self.read(inputs, inputs_uri), await self.read(outputs, outputs_uri)

    async def _signed(self, uri: str) -> Value:
        info = await self._blobs.head(uri)
        if info is None:
            return Value(literals_pb2.LiteralMap())
        url = self._blobs.sign_get(uri, self._settings.url_lifetime)
        return Value(literals_pb2.LiteralMap(), common_pb2.UrlBlob(url=url, bytes=info.size))


def _parsed(data: bytes) -> literals_pb2.LiteralMap:
    try:
        return literals_pb2.LiteralMap.FromString(data)
    except DecodeError:
        return literals_pb2.LiteralMap()

"""Values in the store that runs ask for, the large ones kept a while because many nodes ask for the same."""

import collections

from google.protobuf.message import DecodeError

from volant_core import errors
from volant_core.blobstore.port import BlobStore
from volant_engine.reactor import patience
from volantidl.core import literals_pb2


class Values:
    """Reads literal maps and literals; nothing that is read is ever changed, so it is shared."""

    def __init__(self, blobs: BlobStore, waiting: patience.Patience, most_bytes: int, limit: int) -> None:
        """Keep up to `most_bytes`; read no value larger than `limit` bytes."""
        self._blobs = blobs
        self._patience = waiting
        self._most = most_bytes
        self._limit = limit
        self._size = 0
        self._kept: collections.OrderedDict[str, tuple[int, literals_pb2.LiteralMap | literals_pb2.Literal]] = (
            collections.OrderedDict()
        )

    async def map_at(self, uri: str) -> literals_pb2.LiteralMap:
        """The literal map at `uri`.

        Raises:
            VolantError: there is none, or it is too large.
        """
        found = self._kept.get(uri)
        if found is not None and isinstance(found[1], literals_pb2.LiteralMap):
            self._kept.move_to_end(uri)
            return found[1]
        data = await self._read(uri)
        try:
            value = literals_pb2.LiteralMap.FromString(data)
        except DecodeError as broken:
            raise errors.InvalidArgumentError(f"{uri} is not a serialized literal map") from broken
        self.keep(uri, len(data), value)
        return value

    async def literal_at(self, uri: str) -> literals_pb2.Literal:
        """The literal at `uri`; raises as `map_at`."""
        found = self._kept.get(uri)
        if found is not None and isinstance(found[1], literals_pb2.Literal):
            self._kept.move_to_end(uri)
            return found[1]
        data = await self._read(uri)
        try:
            value = literals_pb2.Literal.FromString(data)
        except DecodeError as broken:
            raise errors.InvalidArgumentError(f"{uri} is not a serialized literal") from broken
        self.keep(uri, len(data), value)
        return value

    async def _read(self, uri: str) -> bytes:
        async def get() -> bytes:
            return await self._blobs.get(uri, limit=self._limit)

        return await self._patience.until_done(f"read {uri}", get)

    def keep(self, uri: str, size: int, value: literals_pb2.LiteralMap | literals_pb2.Literal) -> None:
        """Keep a value that was read, or is about to be asked for."""
        if size > self._most:
            return
        before = self._kept.pop(uri, None)
        self._size += size - (before[0] if before else 0)
        self._kept[uri] = (size, value)
        while self._size > self._most:
            _, (gone, _) = self._kept.popitem(last=False)
            self._size -= gone

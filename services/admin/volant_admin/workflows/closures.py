"""Compiled closures: in the blob store for good, the latest ones in memory."""

import asyncio
import collections

from volant_core import blobstore
from volantidl.admin import workflow_pb2

_IN_LOOP_BYTES = 512 * 1024
"""Parsing and serializing less than this takes a millisecond or two; more goes to a thread."""


class Closures:
    """Reads and writes closures, which never change once they are written."""

    def __init__(self, blobs: blobstore.BlobStore, cache_bytes: int) -> None:
        """Keep the store, and at most `cache_bytes` of serialized closures."""
        self._blobs = blobs
        self._bytes_limit = cache_bytes
        self._kept: collections.OrderedDict[str, tuple[workflow_pb2.WorkflowClosure, int]] = collections.OrderedDict()
        self._bytes = 0

    async def put(self, uri: str, closure: workflow_pb2.WorkflowClosure) -> None:
        """Write a closure."""
        size = closure.ByteSize()
        if size < _IN_LOOP_BYTES:
            data = closure.SerializeToString(deterministic=True)
        else:
            data = await asyncio.to_thread(closure.SerializeToString, deterministic=True)
        await self._blobs.put(uri, data)

    async def get(self, uri: str) -> workflow_pb2.WorkflowClosure:
        """Read a closure, which must not be changed. NotFoundError when it is gone."""
        kept = self._kept.get(uri)
        if kept is not None:
            self._kept.move_to_end(uri)
            return kept[0]
        data = await self._blobs.get(uri)
        if len(data) < _IN_LOOP_BYTES:
            closure = workflow_pb2.WorkflowClosure.FromString(data)
        else:
            closure = await asyncio.to_thread(workflow_pb2.WorkflowClosure.FromString, data)
        self._keep(uri, closure, len(data))
        return closure

    def _keep(self, uri: str, closure: workflow_pb2.WorkflowClosure, size: int) -> None:
        if size > self._bytes_limit or uri in self._kept:
            return
        self._kept[uri] = closure, size
        self._bytes += size
        while self._bytes > self._bytes_limit:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed

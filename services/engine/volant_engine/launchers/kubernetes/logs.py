"""Logs of pods: followed while they run, and kept in the object store beside the outputs when they are gone.

A pod's log is read as a whole at its end. Those that run longer are followed besides, so that their log can be read
meanwhile, and is not lost with their node.
"""

import asyncio
import collections
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Sequence

import structlog

from volant_core import aio, errors
from volant_core.blobstore import port as blob_port
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import cluster, kinds
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volantidl.core import execution_pb2

_log = structlog.get_logger(__name__)
_NAME = "log.txt"
_READS = 16
_PAUSE = 5.0


class Excerpt:
    """The first and the last of what was written, up to a limit in bytes."""

    def __init__(self, limit: int) -> None:
        """Half of `limit` for each."""
        self._half = limit // 2
        self._first = bytearray()
        self._last: collections.deque[bytes] = collections.deque()
        self._last_size = 0
        self._dropped = False

    def add(self, data: bytes) -> None:
        """Something more was written."""
        room = self._half - len(self._first)
        if room > 0:
            self._first += data[:room]
            data = data[room:]
        if data:
            self._last.append(data)
            self._last_size += len(data)
            while self._last_size - len(self._last[0]) > self._half:
                self._last_size -= len(self._last.popleft())
                self._dropped = True

    def text(self) -> bytes:
        """What is kept of it."""
        last = b"".join(self._last)
        if self._dropped or len(last) > self._half:
            last = b"\n[...]\n" + last[-self._half :]
        return bytes(self._first) + last


@dataclasses.dataclass(slots=True, eq=False)
class Source:
    """The log of one attempt."""

    namespace: str
    place: kinds.LogPlace
    uri: str
    """Where it is kept."""
    live: "asyncio.Task[None] | None" = None
    excerpt: Excerpt | None = None
    """What was followed so far."""
    is_due: bool = False
    """Whether some of that is not stored yet."""


class Logs:
    """The logs of all pods that an engine looks after."""

    def __init__(
        self,
        api: cluster.Cluster,
        settings: kubernetes_settings.KubernetesSettings,
        blobs: blob_port.BlobStore,
    ) -> None:
        """Keep them in `blobs`."""
        self._api = api
        self._settings = settings
        self._blobs = blobs
        self._tasks = aio.Tasks("logs")
        self._sources: set[Source] = set()
        self._streams = asyncio.Semaphore(settings.log_streams)
        self._reads = asyncio.Semaphore(_READS)

    def start(self) -> None:
        """Store what is followed, from time to time."""
        self._tasks.start("copy", self._copy())

    async def close(self) -> None:
        """Follow no more."""
        await self._tasks.cancel()

    @staticmethod
    def place(attempt: port.Attempt) -> str:
        """Where an attempt's log is kept."""
        return f"{attempt.output_prefix.rstrip('/')}/{_NAME}"

    def links(self, attempt: port.Attempt) -> Sequence[execution_pb2.TaskLog]:
        """What leads to the log."""
        uri = self.place(attempt)
        if self._settings.log_address:
            uri = self._settings.log_address.rstrip("/") + "/" + uri.removeprefix("s3://")
        unknown = execution_pb2.TaskLog.MessageFormat.UNKNOWN
        return (execution_pb2.TaskLog(uri=uri, name="Log", message_format=unknown, ShowWhilePending=False),)

    def follow(self, source: Source) -> None:
        """The pod runs: read along, once it has run for a while."""
        if source.live is None:
            source.live = self._tasks.start(f"follow {source.uri}", self._follow(source))

    async def leave(self, source: Source) -> None:
        """Follow it no more."""
        self._sources.discard(source)
        if source.live is not None:
            await aio.cancel_all([source.live])
            source.live = None

    async def keep(self, source: Source) -> None:
        """The pod has ended, or will have at once: store all that there is of its log."""
        await self.leave(source)
        try:
            async with self._reads:
                whole = await self._read(source)
        except (errors.UnavailableError, cluster.RefusedError) as gone:
            _log.debug("the log of a pod is gone", log=source.uri, error=str(gone))
            if source.is_due and source.excerpt is not None:
                await self._store(source, source.excerpt)
            return
        await self._store(source, whole)

    async def _read(self, source: Source) -> Excerpt:
        whole = Excerpt(self._settings.log_limit)
        async with self._open(source, follow=False) as log:
            async for data in log:
                whole.add(data)
        return whole

    async def tail(self, source: Source, lines: int) -> str:
        """The last lines that it wrote, for an error's message."""
        last = Excerpt(64 << 10)
        with contextlib.suppress(errors.UnavailableError, cluster.RefusedError):
            async with self._open(source, follow=False) as log:
                async for data in log:
                    last.add(data)
        return "\n".join(last.text().decode(errors="replace").splitlines()[-lines:])

    @contextlib.asynccontextmanager
    async def _open(self, source: Source, *, follow: bool) -> AsyncIterator[AsyncIterator[bytes]]:
        place = source.place
        pod = place.pod or await self._find(source.namespace, place.selector)
        async with self._api.log(source.namespace, pod, place.container, follow=follow) as log:
            yield log

    async def _find(self, namespace: str, selector: str) -> str:
        """The youngest pod with these labels. RefusedError where there is none."""
        found, _ = await self._api.list_objects(kinds.PODS.path(namespace), selector)
        if not found:
            raise cluster.RefusedError(404, "NotFound", f"there is no pod {selector} in {namespace}")
        youngest = max(found, key=lambda pod: pod["metadata"]["creationTimestamp"])
        name: str = youngest["metadata"]["name"]
        return name

    async def _follow(self, source: Source) -> None:
        await asyncio.sleep(self._settings.log_after_seconds)
        async with self._streams:
            self._sources.add(source)
            while True:
                source.excerpt = Excerpt(self._settings.log_limit)
                try:
                    async with self._open(source, follow=True) as log:
                        async for data in log:
                            source.excerpt.add(data)
                            source.is_due = True
                except errors.UnavailableError as broken:
                    _log.debug("a log's stream broke", log=source.uri, error=broken.message)
                except cluster.RefusedError as refused:
                    # The pod of a job, or its container, may come later than the job is said to run.
                    if not refused.is_away and refused.status not in {400, 404}:
                        return
                else:
                    return
                await asyncio.sleep(_PAUSE)

    async def _copy(self) -> None:
        while True:
            await asyncio.sleep(self._settings.log_flush_seconds)
            for source in [one for one in self._sources if one.is_due]:
                if source.excerpt is not None:
                    source.is_due = False
                    await self._store(source, source.excerpt)

    async def _store(self, source: Source, excerpt: Excerpt) -> None:
        try:
            await self._blobs.put(source.uri, excerpt.text(), content_type="text/plain; charset=utf-8")
        except errors.VolantError as error:
            source.is_due = True
            _log.warning("the log of a pod can't be stored", log=source.uri, error=error.message)

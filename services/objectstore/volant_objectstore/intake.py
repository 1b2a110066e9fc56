"""A body on its way to the disk: decoded, checked and written in a thread, in blocks."""

import asyncio
import concurrent.futures
import functools
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeVar

import aiohttp
import aiohttp.web

from volant_core.blobstore import files, lane
from volant_objectstore import authentication, bodies, checksums, refusals, wire

_T = TypeVar("_T")
BLOCK = 1 << 20
"""Bytes that go to a thread at once."""
SMALL = 64 << 10
"""Bytes up to which the work is done faster than another thread wakes."""
_LARGEST = 5 << 40


class Threads:
    """Where the store's blocking work is done."""

    def __init__(self, workers: int) -> None:
        """Use `workers` threads for large things, and one for small ones."""
        self._lane = lane.Lane("objectstore-small")
        self._pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="objectstore")

    async def quick(self, work: Callable[[], _T]) -> _T:
        """Do something short."""
        return await self._lane.run(work)

    def long(self, work: Callable[[], _T]) -> asyncio.Future[_T]:
        """Do something that may take a while. It begins at once, awaited or not."""
        return asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """End the threads when their work is done."""
        self._lane.close()
        self._pool.shutdown(wait=False)


class Intake:
    """One body. Used in threads, one at a time; the draft is the caller's to place or discard."""

    def __init__(self, path: str, decoder: bodies.Decoder, checks: checksums.Checks) -> None:
        """Write to the new file `path`."""
        self._path = path
        self._decoder = decoder
        self._checks = checks
        self._draft: files.Draft | None = None
        self._dropped = False
        self._lock = threading.Lock()  # a request may be given up while a thread still writes
        self.size = 0

    @property
    def draft(self) -> files.Draft:
        """The content as far as it came; made when it is first needed, in the thread."""
        if self._draft is None:
            self._draft = files.Draft(self._path)
        return self._draft

    def feed(self, data: bytes) -> None:
        """Take more of the body."""
        with self._lock:
            content = self._decoder.feed(data)
            if content and not self._dropped:
                self._checks.update(content)
                self.draft.write(content)
                self.size += len(content)

    def finish(self) -> dict[str, str]:
        """Check everything; headers for the answer."""
        return self._checks.finish(self._decoder.finish())

    def md5(self) -> str:
        """The content's MD5 in hex."""
        return self._checks.md5()

    def discard(self) -> None:
        """Drop what is not placed."""
        with self._lock:
            self._dropped = True
            if self._draft is not None:
                self._draft.discard()


class Intakes:
    """Takes bodies in, into a folder for what is not yet whole."""

    def __init__(self, folder: str, threads: Threads) -> None:
        """Keep unfinished bodies in `folder`, on the file system of the store."""
        self._folder = folder
        self._threads = threads

    def draft(self) -> files.Draft:
        """A new file in the folder."""
        return files.Draft(f"{self._folder}/{os.urandom(8).hex()}")

    async def receive(
        self, request: wire.Request, who: authentication.Authenticated, then: Callable[[Intake, dict[str, str]], _T]
    ) -> _T:
        """Read the body; when it is whole and right, call `then` in the thread that wrote its end."""
        _check_length(request)
        trailers = request.headers.get("X-Amz-Trailer", "")
        intake = Intake(
            f"{self._folder}/{os.urandom(8).hex()}",
            bodies.decoder(who, request.headers),
            checksums.Checks(request.headers, trailers),
        )

        def end(block: bytes) -> _T:
            try:
                intake.feed(block)
                return then(intake, intake.finish())
            finally:
                intake.discard()

        block = b""
        feeding: asyncio.Future[None] | None = None
        try:
            async for block, last in _blocks(request.http.content):
                # One block is hashed and written while the next is received.
                if feeding is not None:
                    await feeding
                    feeding = None
                if not last:
                    feeding = self._threads.long(functools.partial(intake.feed, block))
        except BaseException:
            if feeding is not None:
                await asyncio.gather(feeding, return_exceptions=True)
            await self._threads.long(intake.discard)
            raise
        run = self._threads.quick if len(block) <= SMALL else self._threads.long
        return await run(lambda: end(block))


async def document(request: wire.Request, who: authentication.Authenticated, limit: int) -> bytes:
    """A short body, whole."""
    _check_length(request, needed=False)
    decoder = bodies.decoder(who, request.headers)
    checks = checksums.Checks(request.headers, request.headers.get("X-Amz-Trailer", ""))
    body = bytearray()
    async for block, _ in _blocks(request.http.content):
        body += decoder.feed(block)
        if len(body) > limit:
            raise refusals.RefusalError("EntityTooLarge", f"The document has more than {limit} bytes.")
    data = bytes(body)

    def check() -> None:
        checks.update(data)
        checks.finish(decoder.finish())

    if len(data) > SMALL:  # checksums of so much would hold the event loop up
        await asyncio.to_thread(check)
    else:
        check()
    return data


def _check_length(request: wire.Request, *, needed: bool = True) -> None:
    length = request.http.content_length
    if length is None and needed and "X-Amz-Decoded-Content-Length" not in request.headers:
        raise refusals.RefusalError("MissingContentLength", "You must provide the Content-Length HTTP header.")
    if length is not None and length > _LARGEST:
        raise refusals.RefusalError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.")


async def _blocks(content: aiohttp.StreamReader) -> AsyncIterator[tuple[bytes, bool]]:
    """Blocks of about a mebibyte, each with whether it is the last; at least one."""
    parts: list[bytes] = []
    size = 0
    try:
        while data := await content.readany():
            if size >= BLOCK:
                yield b"".join(parts), False
                parts, size = [], 0
            parts.append(data)
            size += len(data)
    except (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError) as error:
        raise refusals.RefusalError("IncompleteBody", "The body ended before the announced number of bytes.") from error
    yield b"".join(parts), True


def answer_headers(checks: Mapping[str, str], etag: str) -> dict[str, str]:
    """The headers that answer an upload."""
    return {"ETag": f'"{etag}"', **checks}

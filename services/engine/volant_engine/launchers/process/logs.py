"""Logs of attempts: written into the object store's folder where it is here, else copied into the store."""

import asyncio
import contextlib
import logging
import os
import pathlib
from collections.abc import Mapping, Sequence

from volant_core import aio, errors
from volant_core.blobstore import layout
from volant_core.blobstore import port as blob_port
from volant_engine.launchers import port
from volant_engine.launchers.process import run
from volant_engine.launchers.process import settings as process_settings
from volantidl.core import execution_pb2

_log = logging.getLogger(__name__)
_NAME = "log.txt"


class Logs:
    """Where each attempt's output goes, and how it is found later."""

    def __init__(self, settings: process_settings.ProcessSettings, blobs: blob_port.BlobStore) -> None:
        """Keep logs beside the outputs, in the object store."""
        self._settings = settings
        self._blobs = blobs
        self._tasks = aio.Tasks("logs")
        self._runs: Mapping[str, run.Run] = {}
        self._own = f"s3://{settings.bucket}/"

    def start(self, runs: Mapping[str, run.Run]) -> None:
        """Copy what must be copied while attempts run."""
        self._runs = runs
        self._tasks.start("copy", self._copy())

    async def close(self) -> None:
        """Stop to copy."""
        await self._tasks.cancel()

    def place(self, attempt: port.Attempt, folder: pathlib.Path) -> str:
        """The file that an attempt writes to: the very object, where the store is a folder on this machine."""
        root = self._settings.store_root
        if root is not None and attempt.output_prefix.startswith(self._own):
            key = f"{attempt.output_prefix[len(self._own) :].rstrip('/')}/{_NAME}"
            with contextlib.suppress(layout.InvalidKeyError):
                return f"{root}/{self._settings.bucket}/{layout.path_of(key)}"
        return f"{folder}/log"

    def is_live(self, here: run.Run) -> bool:
        """Whether the log can be read in the store while it is written."""
        return here.log != f"{here.folder}/log"

    def links(self, here: run.Run) -> Sequence[execution_pb2.TaskLog]:
        """What leads to the log."""
        uri = f"{here.attempt.output_prefix.rstrip('/')}/{_NAME}"
        if self._settings.log_address:
            uri = self._settings.log_address.rstrip("/") + "/" + uri.removeprefix("s3://")
        unknown = execution_pb2.TaskLog.MessageFormat.UNKNOWN
        return (execution_pb2.TaskLog(uri=uri, name="Log", message_format=unknown, ShowWhilePending=False),)

    async def keep(self, here: run.Run) -> bool:
        """The attempt has ended: have its log in the store. Whether there is one."""
        return self.is_live(here) or await self._store(here)

    async def _store(self, here: run.Run) -> bool:
        data = await asyncio.to_thread(_read, here.log, self._settings.log_limit)
        if not data.strip():
            return False
        try:
            await self._blobs.put(
                f"{here.attempt.output_prefix.rstrip('/')}/{_NAME}", data, content_type="text/plain; charset=utf-8"
            )
        except errors.VolantError as error:
            _log.warning("the log of %s can't be stored: %s", here.name, error.message)
            return False
        return True

    async def _copy(self) -> None:
        while True:
            await asyncio.sleep(self._settings.log_flush)
            for here in [here for here in self._runs.values() if here.pid is not None and not self.is_live(here)]:
                await self._store(here)


def _read(path: str, limit: int) -> bytes:
    """A file; of one over the limit (bytes) the first and last half."""
    try:
        with pathlib.Path(path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            if size <= limit:
                return file.read()
            first = file.read(limit // 2)
            file.seek(size - limit // 2)
            return first + b"\n[...]\n" + file.read()
    except OSError:
        return b""

"""Checkpoints: what one attempt of a task saves for the next."""

from __future__ import annotations

import pathlib
import tempfile

from volant import errors
from volant.storage import router

FILE_NAME = "_dst_cp"
"""The name of what `write` writes."""


class Checkpoint:
    """Saves state during an attempt, and gives what the previous attempt saved."""

    def __init__(self, destination: str, source: str = "") -> None:
        self._destination = destination.rstrip("/")
        self._source = source.rstrip("/")

    def prev_exists(self) -> bool:
        """Whether an earlier attempt may have saved something."""
        return bool(self._source)

    def restore(self, path: str | pathlib.Path | None = None) -> pathlib.Path | None:
        """Copy what the previous attempt saved into a folder (a temporary one by default); None if there is nothing."""
        if not self._source:
            return None
        target = pathlib.Path(path) if path is not None else pathlib.Path(tempfile.mkdtemp(prefix="volant-checkpoint-"))
        if target.is_file():
            raise errors.StorageError(f"cannot restore a checkpoint into {target}: it is a file, not a folder")
        router.download_folder(self._source, target)
        return target

    def save(self, path: str | pathlib.Path) -> None:
        """Save a file or a folder."""
        local = pathlib.Path(path)
        if local.is_dir():
            router.upload_folder(local, self._destination)
        else:
            router.upload(local, f"{self._destination}/{local.name}")

    def read(self) -> bytes | None:
        """The one file that the previous attempt saved; None if there is nothing."""
        if not self._source:
            return None
        names = list(router.walk(self._source))
        if not names:
            return None
        if len(names) > 1:
            raise errors.StorageError(
                f"the checkpoint holds {len(names)} files ({', '.join(names[:5])}); use restore()"
            )
        return router.read(f"{self._source}/{names[0]}")

    def write(self, data: bytes) -> None:
        """Save some bytes."""
        router.write(f"{self._destination}/{FILE_NAME}", data)

"""The platform's own bucket, where it can be reached as a folder: no HTTP between a task and the store.

The layout is shared with the platform's services (tests/blobstore/layout.json has the vectors): a key is split at "/",
each segment escaped, and every segment but the last gets "~" appended, so that the keys `x` and `x/y` can both exist.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

from volant import errors
from volant.storage import local

LONGEST_SEGMENT = 200
"""Bytes of an escaped segment."""


def escape(segment: str) -> str:
    """A segment of a key as the name of a file."""
    if segment in {"", ".", ".."}:
        return f"%{segment}"
    escaped = segment.replace("%", "%25").replace("~", "%7E")
    if len(escaped.encode()) > LONGEST_SEGMENT:
        raise errors.StorageError(f"a segment of the key is too long (over {LONGEST_SEGMENT} bytes): {segment[:60]}…")
    return escaped


def unescape(name: str) -> str:
    """The segment that a file's name stands for."""
    if name in {"%", "%.", "%.."}:
        return name[1:]
    return name.replace("%7E", "~").replace("%25", "%")


def relative_path(key: str) -> str:
    """Where an object of a key lives below its bucket's folder."""
    *folders, last = key.split("/")
    return "/".join([*(f"{escape(segment)}~" for segment in folders), escape(last)])


class FolderStore(local.LocalStore):
    """`s3://<bucket>/…` as files."""

    def __init__(self, root: str, bucket: str) -> None:
        self._folder = f"{root}/{bucket}"
        self._prefix = f"s3://{bucket}/"

    def locate(self, uri: str) -> pathlib.Path:
        """The file of an object."""
        return pathlib.Path(self._folder, relative_path(uri[len(self._prefix) :]))

    def walk(self, uri: str) -> Iterator[str]:
        """The keys below a prefix."""
        key = uri[len(self._prefix) :].rstrip("/")
        top = pathlib.Path(self._folder, *(f"{escape(segment)}~" for segment in key.split("/") if key))
        for folder, _, files in os.walk(top):
            parts = [unescape(part[:-1]) for part in pathlib.Path(folder).relative_to(top).parts]
            for file in sorted(files):
                if "~" not in file:
                    yield "/".join([*parts, unescape(file)])

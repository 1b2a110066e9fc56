"""Stores that are only read (http) and those that fsspec knows (gs, abfs, …)."""

from __future__ import annotations

import pathlib
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from volant import errors


class HttpStore:
    """http:// and https://, for reading."""

    def read(self, uri: str) -> bytes:
        """The body of a GET."""
        with self._open(uri) as response:
            body: bytes = response.read()
            return body

    def _open(self, uri: str) -> Any:
        try:
            return urllib.request.urlopen(uri, timeout=60)  # noqa: S310 - the router passes only http and https
        except urllib.error.HTTPError as cause:
            kind = errors.NotFoundError if cause.code == 404 else errors.StorageError
            raise kind(f"GET {uri}: status {cause.code}") from cause
        except OSError as cause:
            raise errors.StorageError(f"GET {uri}: {cause}") from cause

    def write(self, uri: str, data: bytes) -> None:  # noqa: ARG002
        """Refused."""
        raise errors.StorageError(f"cannot write to {uri}: http addresses can only be read")

    def exists(self, uri: str) -> bool:
        """Whether a GET answers."""
        try:
            with self._open(uri):
                return True
        except errors.NotFoundError:
            return False

    def download(self, uri: str, to: pathlib.Path) -> None:
        """Copy the body to a local file, in pieces."""
        with self._open(uri) as response, to.open("wb") as stream:
            shutil.copyfileobj(response, stream)

    def upload(self, file: pathlib.Path, uri: str) -> None:  # noqa: ARG002
        """Refused."""
        self.write(uri, b"")

    def walk(self, uri: str) -> Iterator[str]:
        """Refused."""
        raise errors.StorageError(f"cannot list {uri}: http addresses have no folders")


class FsspecStore:
    """Every scheme for which fsspec has an implementation."""

    def __init__(self, scheme: str) -> None:
        try:
            import fsspec  # noqa: PLC0415 - optional
        except ImportError as cause:
            raise errors.MissingDependencyError("fsspec", f"reading {scheme}:// addresses") from cause
        try:
            self._files: Any = fsspec.filesystem(scheme)
        except (ImportError, ValueError) as cause:
            raise errors.StorageError(f"cannot reach {scheme}:// addresses: {cause}") from cause

    def read(self, uri: str) -> bytes:
        """An object's bytes."""
        try:
            content: bytes = self._files.cat_file(uri)
        except FileNotFoundError as cause:
            raise errors.NotFoundError(f"there is no object {uri}") from cause
        return content

    def write(self, uri: str, data: bytes) -> None:
        """Create or replace an object."""
        self._files.pipe_file(uri, data)

    def exists(self, uri: str) -> bool:
        """Whether there is such an object."""
        return bool(self._files.exists(uri))

    def download(self, uri: str, to: pathlib.Path) -> None:
        """Copy an object to a local file."""
        try:
            self._files.get_file(uri, str(to))
        except FileNotFoundError as cause:
            raise errors.NotFoundError(f"there is no object {uri}") from cause

    def upload(self, file: pathlib.Path, uri: str) -> None:
        """Copy a local file to an object."""
        self._files.put_file(str(file), uri)

    def walk(self, uri: str) -> Iterator[str]:
        """The keys below a prefix."""
        top = self._files._strip_protocol(uri).rstrip("/")  # noqa: SLF001 - fsspec has no public name for it
        for found in self._files.find(uri):
            yield found[len(top) + 1 :]

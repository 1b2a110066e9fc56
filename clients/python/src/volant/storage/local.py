"""Bare paths and file:// URIs."""

from __future__ import annotations

import os
import pathlib
import shutil
import urllib.parse
from collections.abc import Iterator

from volant import errors


def path_of(uri: str) -> pathlib.Path:
    """The local path that a URI names."""
    if uri.startswith("file://"):
        return pathlib.Path(urllib.parse.unquote(uri[len("file://") :]))
    return pathlib.Path(uri)


def write_file(target: pathlib.Path, data: bytes) -> None:
    """Write a file whole or not at all, making its folder where needed."""
    temporary = f"{target}~t{os.urandom(6).hex()}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    os.replace(temporary, target)  # noqa: PTH105 - no path object for a string


class LocalStore:
    """The machine's own files."""

    def locate(self, uri: str) -> pathlib.Path:
        """The file of an object."""
        return path_of(uri)

    def read(self, uri: str) -> bytes:
        """An object's bytes."""
        try:
            return self.locate(uri).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as cause:
            raise errors.NotFoundError(f"there is no object {uri}") from cause

    def write(self, uri: str, data: bytes) -> None:
        """Create or replace an object."""
        write_file(self.locate(uri), data)

    def exists(self, uri: str) -> bool:
        """Whether there is such an object (or, here, a folder)."""
        return self.locate(uri).exists()

    def download(self, uri: str, to: pathlib.Path) -> None:
        """Copy an object to a local file."""
        try:
            shutil.copyfile(self.locate(uri), to)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as cause:
            raise errors.NotFoundError(f"there is no object {uri}") from cause

    def upload(self, file: pathlib.Path, uri: str) -> None:
        """Copy a local file to an object."""
        target = self.locate(uri)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{target.name}~t{os.urandom(6).hex()}")
        shutil.copyfile(file, temporary)
        temporary.replace(target)

    def walk(self, uri: str) -> Iterator[str]:
        """The files below a folder."""
        root = self.locate(uri)
        for folder, _, files in os.walk(root):
            for file in sorted(files):
                yield pathlib.Path(folder, file).relative_to(root).as_posix()

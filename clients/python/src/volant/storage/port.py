"""What every kind of store offers."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Protocol


class Store(Protocol):
    """Objects by URI. All methods block; none keeps state that a fork would break."""

    def read(self, uri: str) -> bytes:
        """An object's bytes; raises NotFoundError."""
        ...

    def write(self, uri: str, data: bytes) -> None:
        """Create or replace an object, all or nothing."""
        ...

    def exists(self, uri: str) -> bool:
        """Whether there is such an object."""
        ...

    def download(self, uri: str, to: pathlib.Path) -> None:
        """Copy an object to a local file whose folder exists."""
        ...

    def upload(self, file: pathlib.Path, uri: str) -> None:
        """Copy a local file to an object."""
        ...

    def walk(self, uri: str) -> Iterator[str]:
        """The keys below a prefix, relative to it, with "/" between their parts."""
        ...

"""Picks the store of a URI, and reads and writes through it. Settings come from the environment at each use.

A task's environment is set after the interpreter was warmed up, so nothing here may be remembered from before.
"""

from __future__ import annotations

import contextlib
import contextvars
import importlib
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from volant.storage import folder, local, port

STORE_ROOT = "VOLANT_STORE_ROOT"
"""Environment variable: the folder of the platform's object store, where this machine has it."""
STORE_BUCKET = "VOLANT_STORE_BUCKET"
"""Environment variable: the bucket that lives there."""

_LOCAL = local.LocalStore()


def scheme_of(uri: str) -> str:
    """A URI's scheme; "" for a bare path."""
    head, separator, _ = uri.partition("://")
    return head if separator else ""


def is_remote(uri: str) -> bool:
    """Whether a URI names something that is no local file."""
    return scheme_of(uri) not in {"", "file"}


_instead: contextvars.ContextVar[port.Store | None] = contextvars.ContextVar("volant_store", default=None)


@contextlib.contextmanager
def through(store: port.Store) -> Iterator[None]:
    """Reach remote objects through this store for the time of a `with` block (clients have no credentials)."""
    token = _instead.set(store)
    try:
        yield
    finally:
        _instead.reset(token)


def store_for(uri: str) -> port.Store:
    """The store that holds an object."""
    scheme = scheme_of(uri)
    if scheme in {"", "file"}:
        return _LOCAL
    instead = _instead.get()
    if instead is not None and scheme not in {"http", "https"}:
        return instead
    if scheme == "s3":
        root, bucket = os.environ.get(STORE_ROOT), os.environ.get(STORE_BUCKET)
        if root and bucket and uri.startswith(f"s3://{bucket}/"):
            return folder.FolderStore(root, bucket)
        return _other_stores("s3").S3Store.from_environment()  # type: ignore[no-any-return]
    if scheme in {"http", "https"}:
        return _other_stores("other").HttpStore()  # type: ignore[no-any-return]
    return _other_stores("other").FsspecStore(scheme)  # type: ignore[no-any-return]


def _other_stores(name: str) -> Any:
    """A module of stores behind a network, which few task processes need: its memory would cost every fork."""
    return importlib.import_module(f"volant.storage.{name}")


def read(uri: str) -> bytes:
    """An object's bytes."""
    return store_for(uri).read(uri)


def write(uri: str, data: bytes) -> None:
    """Create or replace an object."""
    store_for(uri).write(uri, data)


def exists(uri: str) -> bool:
    """Whether there is such an object."""
    return store_for(uri).exists(uri)


def download(uri: str, to: pathlib.Path) -> None:
    """Copy an object to a local file, making its folder."""
    to.parent.mkdir(parents=True, exist_ok=True)
    store_for(uri).download(uri, to)


def upload(file: pathlib.Path, uri: str) -> None:
    """Copy a local file to an object."""
    store_for(uri).upload(file, uri)


def walk(uri: str) -> Iterator[str]:
    """The keys below a prefix, relative to it."""
    return store_for(uri).walk(uri)


def upload_folder(source: pathlib.Path, uri: str) -> None:
    """Copy all files below a local folder."""
    store = store_for(uri)
    for relative in _LOCAL.walk(str(source)):
        store.upload(source / relative, f"{uri.rstrip('/')}/{relative}")


def download_folder(uri: str, to: pathlib.Path) -> None:
    """Copy all objects below a prefix into a local folder."""
    store = store_for(uri)
    to.mkdir(parents=True, exist_ok=True)
    for relative in store.walk(uri):
        if relative and not relative.endswith("/"):
            target = to / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            store.download(f"{uri.rstrip('/')}/{relative}", target)

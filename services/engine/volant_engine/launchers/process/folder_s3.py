"""s3fs with the platform's own bucket served from its folder (folder_files.py), registered with fsspec.

Loaded by file into the zygote that has flytekit, which takes only subclasses of s3fs's class. Every other bucket is
s3fs's own business.
"""
# mypy: disable-error-code="misc,no-any-return,has-type,import-not-found,attr-defined"

from __future__ import annotations

import asyncio
import mimetypes
import os
from typing import Any

import fsspec
import fsspec.asyn
import s3fs
import volant_folder_files as files

_FOLDER = files.Folder()
# Methods whose first argument is a path, or a list or mapping of paths.
_BY_PATH = [
    "info",
    "exists",
    "isfile",
    "isdir",
    "ls",
    "find",
    "walk",
    "glob",
    "du",
    "size",
    "cat_file",
    "cat",
    "pipe_file",
    "pipe",
    "get_file",
    "get",
    "rm_file",
    "rm",
    "mkdir",
    "makedirs",
    "rmdir",
    "touch",
    "checksum",
    "metadata",
    "modified",
    "expand_path",
]
# Those whose second argument is.
_BY_TARGET = ("put_file", "put")
# Those where both are.
_BETWEEN = ("cp_file", "copy", "mv", "mv_file")


def _is_own(path: Any) -> bool:
    if isinstance(path, (list, tuple, dict)):
        return bool(path) and all(files.own_key(each) is not None for each in path)
    return files.own_key(os.fspath(path) if isinstance(path, os.PathLike) else path) is not None


class FolderS3FileSystem(s3fs.S3FileSystem):
    """s3fs, with the platform's own bucket served from its folder."""

    def __init__(self, *arguments: Any, loop: Any = None, asynchronous: bool = False, **settings: Any) -> None:
        # The parent starts a thread with a loop here, which the own bucket never needs: it is started on demand.
        super().__init__(*arguments, loop=loop or _NO_LOOP, asynchronous=asynchronous, **settings)

    @property
    def loop(self) -> Any:
        """The loop for other buckets, in a thread of its own."""
        if self._loop is _NO_LOOP:
            self._loop = fsspec.asyn.get_loop()
        return super().loop

    def _open(self, path: str, mode: str = "rb", **settings: Any) -> Any:
        if files.own_key(path) is None:
            return super()._open(path, mode, **settings)
        for name in ("block_size", "cache_options", "autocommit", "fill_cache", "cache_type", "size", "acl"):
            settings.pop(name, None)
        return _FOLDER._open(path, mode, **settings)  # noqa: SLF001 (what fsspec's open() calls)

    async def open_async(self, path: str, mode: str = "rb", **settings: Any) -> Any:
        """Open for reading piece by piece from a loop."""
        if files.own_key(path) is None:
            return await super().open_async(path, mode, **settings)
        raise NotImplementedError("files of the platform's own bucket are opened with open()")


_NO_LOOP: Any = object()


def _offer(name: str, chooser: Any) -> None:
    """Override a method, in both its forms, for the own bucket."""
    ours = getattr(_FOLDER, name, None)
    theirs = getattr(s3fs.S3FileSystem, name, None)
    their_async = getattr(s3fs.S3FileSystem, f"_{name}", None)
    if ours is None:
        return

    def method(self: Any, *arguments: Any, **settings: Any) -> Any:
        if chooser(arguments, settings):
            return ours(*arguments, **settings)
        if their_async is not None and theirs is getattr(fsspec.AbstractFileSystem, name, None):
            return fsspec.asyn.sync(self.loop, their_async, self, *arguments, **settings)
        return theirs(self, *arguments, **settings)

    async def method_async(self: Any, *arguments: Any, **settings: Any) -> Any:
        if chooser(arguments, settings):
            return ours(*arguments, **settings)
        return await their_async(self, *arguments, **settings)

    setattr(FolderS3FileSystem, name, method)
    if their_async is not None and asyncio.iscoroutinefunction(their_async):
        setattr(FolderS3FileSystem, f"_{name}", method_async)


def _chooser(position: int, name: str) -> Any:
    def choose(arguments: tuple[Any, ...], settings: dict[str, Any]) -> bool:
        path = arguments[position] if len(arguments) > position else settings.get(name)
        return _is_own(path)

    return choose


def _both(arguments: tuple[Any, ...], settings: dict[str, Any]) -> bool:
    return _chooser(0, "path1")(arguments, settings) and _chooser(1, "path2")(arguments, settings)


def _mirror() -> None:
    """Give the class, once, the synchronous methods that fsspec would make anew for each instance, in each fork."""
    for name in dir(fsspec.asyn.AsyncFileSystem):
        if name.startswith("_") and not name.startswith("__"):
            theirs = getattr(FolderS3FileSystem, name)
            is_default = getattr(FolderS3FileSystem, name[1:], None) is getattr(
                fsspec.AbstractFileSystem, name[1:], None
            )
            if asyncio.iscoroutinefunction(theirs) and is_default:
                setattr(FolderS3FileSystem, name[1:], fsspec.asyn.sync_wrapper(theirs))
    FolderS3FileSystem.mirror_sync_methods = False


for _name in _BY_PATH:
    _offer(_name, _chooser(0, "rpath" if _name.startswith("get") else "path"))
for _name in _BY_TARGET:
    _offer(_name, _chooser(1, "rpath"))
for _name in _BETWEEN:
    _offer(_name, _both)

_mirror()

if files.ROOT and files.BUCKET:
    mimetypes.init()
    for _protocol in ("s3", "s3a"):
        fsspec.register_implementation(_protocol, FolderS3FileSystem, clobber=True)

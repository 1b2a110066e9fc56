"""The platform's own bucket as a folder: a file system of fsspec's, with s3fs's ways. No HTTP, no loop, no thread.

Loaded by file into the zygote that has flytekit; needs fsspec and the standard library, none of our packages. The
bucket VOLANT_STORE_BUCKET is the folder VOLANT_STORE_ROOT/<bucket>. The layout is that of volant_core.blobstore.layout,
tested with the same vectors.
"""
# pathlib costs more than the calls that it wraps; the methods are described by fsspec; MD5 is what S3 calls an ETag.
# ruff: noqa: PTH103, PTH104, PTH106, PTH108, PTH110, PTH112, PTH113, PTH116, PTH120, PTH123, D102, S324
# mypy: disable-error-code="misc,no-any-return,has-type"

from __future__ import annotations

import contextlib
import datetime
import hashlib
import io
import json
import mimetypes
import os
import shutil
import time
from collections.abc import Iterator
from typing import Any

import fsspec
from fsspec.callbacks import DEFAULT_CALLBACK

ROOT = os.environ.get("VOLANT_STORE_ROOT", "")
BUCKET = os.environ.get("VOLANT_STORE_BUCKET", "")
_UTC = datetime.timezone.utc  # noqa: UP017 (the alias is newer than Python 3.8)
_DEFAULT_TYPE = "binary/octet-stream"
# flytekit notes on every object which execution wrote it; this store's paths say so, and a sidecar file costs a put.
_NOTED_BY_PATH = "flyte-execution-"


def find_store() -> None:
    """Look where the bucket is, by the variables that say so."""
    global ROOT, BUCKET
    ROOT, BUCKET = os.environ.get("VOLANT_STORE_ROOT", ""), os.environ.get("VOLANT_STORE_BUCKET", "")


def path_of(key: str) -> str:
    """The path of a key's file, relative to the bucket's folder."""
    names = [_escape(segment) for segment in key.split("/")]
    if any(len(name.encode()) > 200 for name in names):
        raise OSError(36, "a part of the object's key is too long", key)
    return "~/".join(names)


def _escape(segment: str) -> str:
    if segment in ("", ".", ".."):
        return "%" + segment
    return segment.replace("%", "%25").replace("~", "%7E")


def _unescape(name: str) -> str:
    if name.startswith("%") and name[1:] in ("", ".", ".."):
        return name[1:]
    return name.replace("%7E", "~").replace("%25", "%")


def own_key(path: Any) -> str | None:
    """The key of a path in the platform's own bucket; None for any other path."""
    if not isinstance(path, str) or not BUCKET:
        return None
    for scheme in ("s3://", "s3a://"):
        if path.startswith(scheme):
            path = path[len(scheme) :]
            break
    path = path.lstrip("/")
    if path == BUCKET:
        return ""
    return path[len(BUCKET) + 1 :] if path.startswith(BUCKET + "/") else None


def _file(key: str) -> str:
    return f"{ROOT}/{BUCKET}/{path_of(key)}"


def _folder(key: str) -> str:
    """The folder that holds the keys below `key` + "/"."""
    key = key.strip("/")
    return f"{ROOT}/{BUCKET}/{path_of(key)}~" if key else f"{ROOT}/{BUCKET}"


def _write(key: str, source: Any, settings: dict[str, Any], *, exclusive: bool = False) -> None:
    """Store what `source` (bytes, or a file to read) holds: whole or not at all, replacing what was there."""
    path = _file(key)
    draft = f"{path}~t{os.urandom(6).hex()}"
    for _ in range(100):  # a delete may take away the folder of the last object in it, again and again
        try:
            with open(draft, "xb") as target:
                if isinstance(source, (bytes, bytearray, memoryview)):
                    target.write(source)
                else:
                    source.seek(0)
                    shutil.copyfileobj(source, target, 1 << 20)
            return _commit(path, draft, settings, exclusive=exclusive)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft)
            raise
    raise OSError(11, "the object's folder is removed again and again", path)


def _commit(path: str, draft: str, settings: dict[str, Any], *, exclusive: bool) -> None:
    _attributes(path, draft, settings)
    if exclusive:
        os.link(draft, path)
        os.unlink(draft)
    else:
        os.rename(draft, path)


def _attributes(path: str, draft: str, settings: dict[str, Any]) -> None:
    """Write the sidecar, if anything differs from the default."""
    entry: dict[str, Any] = {}
    content_type = settings.get("ContentType") or settings.get("content_type")
    if content_type and content_type != _DEFAULT_TYPE:
        entry["content_type"] = content_type
    metadata = {**(settings.get("metadata") or {}), **(settings.get("Metadata") or {})}
    metadata = {
        str(name).lower(): str(value) for name, value in metadata.items() if not str(name).startswith(_NOTED_BY_PATH)
    }
    if metadata:
        entry["metadata"] = metadata
    if not entry:
        return
    now = time.time_ns()
    os.utime(draft, ns=(now, now))
    status = os.stat(draft)
    entry.update(size=status.st_size, mtime_ns=status.st_mtime_ns)
    with open(f"{draft}m", "x") as file:
        json.dump({"entries": [entry]}, file)
    os.rename(f"{draft}m", f"{path}~m")


def _sidecar(path: str, status: os.stat_result) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(f"{path}~m") as file:
        for entry in json.load(file)["entries"]:
            if entry["size"] == status.st_size and entry["mtime_ns"] == status.st_mtime_ns:
                return dict(entry)
    return {}


def _info(key: str) -> dict[str, Any]:
    """As s3fs tells of an object, else of the folder of that name. FileNotFoundError when there is neither."""
    name = f"{BUCKET}/{key}".rstrip("/") if not key.endswith("/") else f"{BUCKET}/{key}"
    if key:
        path = _file(key)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            status = os.stat(path)
            attributes = _sidecar(path, status)
            return {
                "Key": name,
                "name": name,
                "size": status.st_size,
                "type": "file",
                "StorageClass": "STANDARD",
                "VersionId": None,
                "ETag": f'"{attributes.get("etag") or _etag(path, status)}"',
                "LastModified": datetime.datetime.fromtimestamp(status.st_mtime, _UTC),
                "ContentType": attributes.get("content_type", _DEFAULT_TYPE),
            }
    if not key or _has_objects(_folder(key)):
        return _directory(name.rstrip("/"))
    raise FileNotFoundError(2, "No such object", f"s3://{name}")


def _directory(name: str) -> dict[str, Any]:
    return {"Key": name, "name": name, "size": 0, "Size": 0, "type": "directory", "StorageClass": "DIRECTORY"}


def _etag(path: str, status: os.stat_result) -> str:
    """The content's MD5 as long as that is cheap, else a hash of its status, as the store's own service does."""
    if status.st_size > 1 << 20:
        return hashlib.md5(f"{status.st_size}:{status.st_mtime_ns}".encode()).hexdigest() + "-0"
    with open(path, "rb") as file:
        return hashlib.md5(file.read()).hexdigest()


def _has_objects(folder: str) -> bool:
    return next(_below(folder, ""), None) is not None


def _below(folder: str, base: str) -> Iterator[str]:
    """Keys of all objects below a folder, relative to it."""
    try:
        with os.scandir(folder) as entries:
            rows = sorted(entry.name for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in rows:
        if name.endswith("~"):
            yield from _below(f"{folder}/{name}", f"{base}{_unescape(name[:-1])}/")
        elif "~" not in name:
            yield base + _unescape(name)


def _children(key: str) -> list[dict[str, Any]]:
    """Objects and folders directly below a key."""
    base = key.strip("/")
    folder = _folder(base)
    found: dict[str, dict[str, Any]] = {}
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith("~"):
                name = _unescape(entry.name[:-1])
                path = f"{BUCKET}/{base}/{name}" if base else f"{BUCKET}/{name}"
                if path not in found and _has_objects(entry.path):
                    found[f"{path}/"] = _directory(path)
            elif "~" not in entry.name:
                child = f"{base}/{_unescape(entry.name)}" if base else _unescape(entry.name)
                with contextlib.suppress(FileNotFoundError):
                    found[child] = _info(child)
    return sorted(found.values(), key=lambda info: info["name"])


class _Reader(io.BufferedReader):
    """A file being read. Libraries rely on it that dropping an object's reader is no fault."""

    def __del__(self) -> None:
        self.close()


class _Upload(io.BufferedRandom):
    """A file being written: the object appears when it is closed, as with S3."""

    def __init__(self, key: str, settings: dict[str, Any], *, append: bool, exclusive: bool) -> None:
        self._target = _file(key)
        os.makedirs(os.path.dirname(self._target), exist_ok=True)
        self._draft = f"{self._target}~t{os.urandom(6).hex()}"
        if append:
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(self._target, self._draft)
        super().__init__(io.FileIO(self._draft, "r+" if append and os.path.exists(self._draft) else "x+"))
        if append:
            self.seek(0, os.SEEK_END)
        self._settings = settings
        self._exclusive = exclusive

    def close(self) -> None:
        """Commit."""
        if not self.closed:
            super().close()
            _commit(self._target, self._draft, self._settings, exclusive=self._exclusive)

    def discard(self) -> None:
        """Drop what was written: half a file is no object."""
        super().close()
        with contextlib.suppress(OSError):
            os.unlink(self._draft)

    def __exit__(self, *trouble: object) -> None:
        if trouble[0] is None:
            self.close()
        else:
            self.discard()


def _key(path: str) -> str:
    key = own_key(path)
    if key is None:
        raise ValueError(f"{path} is not in the platform's own bucket {BUCKET}")
    return key


class Folder(fsspec.AbstractFileSystem):
    """The platform's own bucket; paths are `bucket/key` as with s3fs."""

    protocol = ("s3", "s3a")
    root_marker = ""
    cachable = False

    def info(self, path: str, *_: Any, **__: Any) -> dict[str, Any]:
        return _info(_key(path))

    def exists(self, path: str, *_: Any, **__: Any) -> bool:
        try:
            _info(_key(path))
        except FileNotFoundError:
            return False
        return True

    def isdir(self, path: str) -> bool:
        key = _key(path)
        return not key or _has_objects(_folder(key))

    def ls(self, path: str, detail: bool = False, *_: Any, **__: Any) -> Any:
        key = _key(path)
        found = _children(key)
        if not found and key:
            info = _info(key)
            found = [info] if info["type"] == "file" else []
        return found if detail else sorted(info["name"] for info in found)

    def find(
        self, path: str, maxdepth: Any = None, withdirs: bool = False, detail: bool = False, prefix: str = "", **_: Any
    ) -> Any:
        found = super().find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True)
        start = self._strip_protocol(path).rstrip("/") + "/" + prefix if prefix else ""
        chosen = {name: info for name, info in found.items() if name.startswith(start)}
        return chosen if detail else list(chosen)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        with self._open(path) as file:
            if start is None and end is None:
                return bytes(file.read())
            size = os.fstat(file.fileno()).st_size
            first = start or 0
            first = max(0, size + first) if first < 0 else first
            last = size if end is None else size + end if end < 0 else end
            file.seek(first)
            return bytes(file.read(max(0, last - first)))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **settings: Any) -> None:
        _write(_key(path), value, settings, exclusive=mode == "create")

    def put_file(
        self, lpath: str, rpath: str, callback: Any = DEFAULT_CALLBACK, mode: str = "overwrite", **settings: Any
    ) -> None:
        key = _key(rpath)
        if os.path.isdir(lpath):
            return
        if "ContentType" not in settings:
            settings["ContentType"] = mimetypes.guess_type(str(lpath))[0]
        with open(lpath, "rb") as file:
            callback.set_size(os.fstat(file.fileno()).st_size)
            _write(key, file, settings, exclusive=mode == "create")
            callback.relative_update(file.tell())

    def get_file(self, rpath: str, lpath: Any, callback: Any = DEFAULT_CALLBACK, **_: Any) -> None:
        if hasattr(lpath, "write"):
            with self._open(rpath) as file:
                shutil.copyfileobj(file, lpath, 1 << 20)
            return
        if os.path.isdir(lpath):
            return
        if not os.path.isfile(_file(_key(rpath))) and self.isdir(rpath):
            os.makedirs(lpath, exist_ok=True)
            return
        with self._open(rpath) as file, open(lpath, "wb") as target:
            callback.set_size(os.fstat(file.fileno()).st_size)
            shutil.copyfileobj(file, target, 1 << 20)
            callback.relative_update(target.tell())

    def cp_file(self, path1: str, path2: str, **settings: Any) -> None:
        with self._open(path1) as file:
            attributes = _sidecar(file.name, os.fstat(file.fileno()))
            settings.setdefault("ContentType", attributes.get("content_type"))
            settings.setdefault("Metadata", attributes.get("metadata"))
            _write(_key(path2), file, settings)

    def rm_file(self, path: str, **_: Any) -> None:
        file = _file(_key(path))
        for gone in (file, f"{file}~m"):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(gone)
        folder = os.path.dirname(file)
        with contextlib.suppress(OSError):  # until one is not empty
            while folder != f"{ROOT}/{BUCKET}":
                os.rmdir(folder)
                folder = os.path.dirname(folder)

    _rm = rm_file

    def rm(self, path: Any, recursive: bool = False, maxdepth: Any = None, **_: Any) -> None:
        for each in self.expand_path(path, recursive=recursive, maxdepth=maxdepth):
            self.rm_file(each)

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:  # noqa: ARG002 (fsspec's)
        if not _key(path):
            raise FileExistsError(17, "The bucket exists", path)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        if not _key(path) and not exist_ok:
            raise FileExistsError(17, "The bucket exists", path)

    def rmdir(self, path: str) -> None:
        raise FileExistsError(17, "Only what is in it can be removed", path)

    def touch(self, path: str, truncate: bool = True, **settings: Any) -> None:
        if not truncate and self.exists(path):
            raise ValueError("S3 does not support touching existent files")
        _write(_key(path), b"", settings)

    def checksum(self, path: str, **_: Any) -> int:
        return int(_info(_key(path)).get("ETag", "0").strip('"').split("-")[0], 16)

    def metadata(self, path: str, **_: Any) -> dict[str, str]:
        file = _file(_key(path))
        return dict(_sidecar(file, os.stat(file)).get("metadata", {}))

    def modified(self, path: str, **_: Any) -> datetime.datetime:
        info = _info(_key(path))
        if "LastModified" not in info:
            raise IsADirectoryError(21, "A folder has no date", path)
        return info["LastModified"]

    def _open(self, path: str, mode: str = "rb", **settings: Any) -> Any:
        key = _key(path)
        if mode == "rb":
            try:
                return _Reader(io.FileIO(_file(key)))
            except (FileNotFoundError, NotADirectoryError):
                raise FileNotFoundError(2, "No such object", f"s3://{BUCKET}/{key}") from None
        return _Upload(key, settings, append="a" in mode, exclusive="x" in mode)

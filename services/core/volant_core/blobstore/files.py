"""The store's folder, with blocking calls: what the folder adapter and the embedded S3 service both stand on.

Every change is one rename. Attributes that are not the default lie in a sidecar file whose entries name the size and
modification time of the content they belong to: an entry that does not fit the content beside it is not there. So a
program that replaces a file without knowing of sidecars does no harm, and a crash between the two renames of a put
leaves the old object with its old attributes (the sidecar keeps the entry of the content being replaced).
"""
# pathlib costs more than the calls that it wraps, and these are the hottest calls there are.
# ruff: noqa: PTH102, PTH104, PTH106, PTH108, PTH112, PTH116, PTH120

import contextlib
import dataclasses
import errno
import functools
import hashlib
import json
import os
import pathlib
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from volant_core.blobstore import layout

DEFAULT_CONTENT_TYPE = "binary/octet-stream"
DIGEST_LIMIT = 1 << 20
"""Content up to this size (bytes) has its MD5 computed when asked for; above, it is recorded when it is written."""
_COPY_CHUNK = 1 << 20
_FRESH_NS = 2_000_000_000
_ATTEMPTS = 100
_NO_METADATA: Mapping[str, str] = {}
_Row = tuple[str, os.DirEntry[str] | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Attributes:
    """What is stored beside an object's content. Empty `etag`: the MD5 of the content."""

    content_type: str = DEFAULT_CONTENT_TYPE
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Other HTTP headers that are given back as they came: Cache-Control, Content-Disposition and the like."""
    etag: str = ""

    def is_default(self) -> bool:
        """Whether no sidecar is needed."""
        return self.content_type == DEFAULT_CONTENT_TYPE and not (self.metadata or self.headers or self.etag)


DEFAULT = Attributes()


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """An object that is there."""

    path: str
    size: int
    """Bytes."""
    modified_ns: int
    """Nanoseconds since 1970."""
    inode: int
    attributes: Attributes = dataclasses.field(compare=False, hash=False)


def _found(path: str, status: os.stat_result, attributes: Attributes | None) -> Found:
    return Found(path, status.st_size, status.st_mtime_ns, status.st_ino, attributes or DEFAULT)


def _entry(status: os.stat_result, attributes: Attributes) -> dict[str, Any]:
    entry: dict[str, Any] = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    if attributes.content_type != DEFAULT_CONTENT_TYPE:
        entry["content_type"] = attributes.content_type
    for name in ("metadata", "headers", "etag"):
        if value := getattr(attributes, name):
            entry[name] = dict(value) if name != "etag" else value
    return entry


def _read_whole(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _read_from(handle, os.fstat(handle).st_size)
    finally:
        os.close(handle)


def _read_from(handle: int, size: int) -> bytes:
    data = os.read(handle, size + 1)
    if len(data) == size:
        return data
    parts = [data]
    while data:
        data = os.read(handle, _COPY_CHUNK)
        parts.append(data)
    return b"".join(parts)


def _write_all(handle: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def read_sidecar(path: str, status: os.stat_result) -> Attributes | None:
    """The attributes of the content at `path` whose status is `status`; None: the sidecar is of other content."""
    try:
        document = json.loads(_read_whole(path + layout.SIDECAR))
        for entry in document["entries"]:
            if entry["size"] == status.st_size and entry["mtime_ns"] == status.st_mtime_ns:
                return Attributes(
                    content_type=entry.get("content_type", DEFAULT_CONTENT_TYPE),
                    metadata=entry.get("metadata", _NO_METADATA),
                    headers=entry.get("headers", _NO_METADATA),
                    etag=entry.get("etag", ""),
                )
    except FileNotFoundError:
        return DEFAULT
    except (ValueError, KeyError, TypeError):  # not ours, or half-copied by hand: the content still counts
        pass
    return None


def _digest(found: "Found") -> str:
    return hashlib.md5(_read_whole(found.path), usedforsecurity=False).hexdigest()


_digest_remembered = functools.lru_cache(maxsize=8192)(_digest)


def etag_of(found: Found) -> str:
    """The entity tag: as recorded, else the content's MD5, else (large content, written past us) one of its status."""
    if found.attributes.etag:
        return found.attributes.etag
    if found.size <= DIGEST_LIMIT:
        # The clock of file systems ticks by milliseconds: a file just written may change and look the same.
        fresh = abs(time.time_ns() - found.modified_ns) < _FRESH_NS
        return _digest(found) if fresh else _digest_remembered(found)
    status = f"{found.size}:{found.modified_ns}".encode()
    return hashlib.md5(status, usedforsecurity=False).hexdigest() + "-0"


class Draft:
    """Content on its way in: a temporary file that becomes the object by `commit`, or goes by `discard`."""

    def __init__(self, path: str) -> None:
        """Create the file. FileNotFoundError when its folder is not there."""
        self.path = path
        self.handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def write(self, data: bytes | memoryview) -> None:
        """Append."""
        _write_all(self.handle, data)

    def discard(self) -> None:
        """Drop it. Fine after a commit."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)


class ObjectFiles:
    """Buckets and objects in a folder."""

    def __init__(self, root: pathlib.Path | str, *, fsync: bool = False) -> None:
        """Keep the root folder; `fsync`: whether a put has reached the disk when it returns."""
        self.root = os.fspath(root)
        self._fsync = fsync

    # buckets

    def bucket_path(self, bucket: str) -> str:
        """A bucket's folder, there or not."""
        layout.check_bucket(bucket)
        return f"{self.root}/{bucket}"

    def path(self, bucket: str, key: str) -> str:
        """An object's file, there or not."""
        return f"{self.bucket_path(bucket)}/{layout.path_of(key)}"

    # reading

    def read(self, bucket: str, key: str, limit: int | None = None) -> bytes:
        """The content. FileNotFoundError; OSError EFBIG when larger than `limit` bytes."""
        try:
            handle = os.open(self.path(bucket, key), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _absent(error) from error
        try:
            size = os.fstat(handle).st_size
            if limit is not None and size > limit:
                raise OSError(errno.EFBIG, f"it has {size} bytes")
            return _read_from(handle, size)
        finally:
            os.close(handle)

    def find(self, bucket: str, key: str) -> Found | None:
        """The object without its content."""
        path = self.path(bucket, key)
        for _ in range(_ATTEMPTS):
            try:
                status = os.stat(path)
            except OSError as error:
                if error.errno in _ABSENT:
                    return None
                raise
            attributes = read_sidecar(path, status)
            if attributes is None and not _same(path, status):
                continue  # replaced twice between the two calls
            return _found(path, status, attributes)
        raise OSError(errno.EAGAIN, "the object is replaced again and again", path)

    def open(self, bucket: str, key: str) -> tuple[int, Found]:
        """A handle to read from, which the caller closes, and the object that it is of. FileNotFoundError."""
        path = self.path(bucket, key)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _absent(error) from error
        try:
            status = os.fstat(handle)
            return handle, _found(path, status, read_sidecar(path, status))
        except BaseException:
            os.close(handle)
            raise

    # writing

    def write(
        self, bucket: str, key: str, data: bytes, attributes: Attributes = DEFAULT, *, exclusive: bool = False
    ) -> None:
        """Store an object, replacing what was there; `exclusive`: FileExistsError when there is one."""
        path = self.path(bucket, key)
        if len(data) > DIGEST_LIMIT and not attributes.etag:
            attributes = dataclasses.replace(attributes, etag=hashlib.md5(data, usedforsecurity=False).hexdigest())
        for _ in range(_ATTEMPTS):
            draft = self._draft_beside(path)
            try:
                draft.write(data)
                self.commit(draft, path, attributes, exclusive=exclusive)
            except FileNotFoundError:  # a delete took the folder away as its last object went
                continue
            finally:
                draft.discard()
            return
        raise OSError(errno.EAGAIN, "the folder is removed again and again", path)

    def commit(self, draft: Draft, path: str, attributes: Attributes, *, exclusive: bool = False) -> Found:
        """Make a draft the object at `path`. `exclusive`: FileExistsError when there is one."""
        recorded = not attributes.is_default()
        if recorded:  # the clock of file systems ticks by milliseconds; entries are told apart by it
            now = time.time_ns()
            os.utime(draft.handle, ns=(now, now))
        if self._fsync:
            os.fsync(draft.handle)
        status = os.fstat(draft.handle)
        if recorded:
            self._write_sidecar(path, _entry(status, attributes))
        if exclusive:
            os.link(draft.path, path)
            os.unlink(draft.path)
        else:
            os.rename(draft.path, path)
        os.close(draft.handle)
        draft.handle = -1
        if self._fsync:
            _sync_folder(os.path.dirname(path))
        return _found(path, status, attributes)

    def place(self, draft: Draft, bucket: str, key: str, attributes: Attributes, *, exclusive: bool = False) -> Found:
        """Make a draft that lies anywhere in this file system an object."""
        path = self.path(bucket, key)
        for _ in range(_ATTEMPTS):
            try:
                return self.commit(draft, path, attributes, exclusive=exclusive)
            except FileNotFoundError:
                self.make_folder(path)
        raise OSError(errno.EAGAIN, "the folder is removed again and again", path)

    def make_folder(self, path: str) -> None:
        """Make a file's folder and those above it."""
        folder = os.path.dirname(path)
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for new in reversed(missing):
            # Not found: a delete has just removed the one above; callers try again.
            with contextlib.suppress(FileExistsError, FileNotFoundError):
                os.mkdir(new)
            if self._fsync:
                _sync_folder(os.path.dirname(new))

    def delete(self, bucket: str, key: str) -> bool:
        """Remove an object, and the folders that it leaves empty. Whether it was there."""
        path = self.path(bucket, key)
        try:
            os.unlink(path)
        except OSError as error:
            if error.errno in _ABSENT:
                return False
            raise
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + layout.SIDECAR)
        top = self.bucket_path(bucket)
        folder = os.path.dirname(path)
        if self._fsync:
            _sync_folder(folder)
        while folder != top:
            try:
                os.rmdir(folder)
            except OSError:  # not empty, or another delete was quicker
                break
            folder = os.path.dirname(folder)
        return True

    def copy(self, source: tuple[str, str], target: tuple[str, str], attributes: Attributes | None = None) -> Found:
        """Copy an object, with its attributes unless others are given. FileNotFoundError when it is absent."""
        found = self.find(*source)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "no such object", self.path(*source))
        path = self.path(*target)
        if attributes is None:
            attributes = found.attributes
        elif found.attributes.etag:
            attributes = dataclasses.replace(attributes, etag=found.attributes.etag)
        for _ in range(_ATTEMPTS):
            draft = self._draft_beside(path)
            try:
                copy_content(found.path, draft.handle)
                return self.commit(draft, path, attributes)
            except FileNotFoundError:
                if self.find(*source) is None:
                    raise
            finally:
                draft.discard()
        raise OSError(errno.EAGAIN, "the folder is removed again and again", path)

    # listing

    def walk(self, bucket: str, prefix: str = "", after: str = "", delimiter: str = "") -> Iterator[_Row]:
        """Keys that start with `prefix` and are greater than `after`, in UTF-8 order, each with its file's entry.

        With `delimiter` "/", keys that go on after the prefix with a further "/" are one row: (common prefix, None).
        """
        folders, _, start = prefix.rpartition("/")
        base = f"{folders}/" if "/" in prefix else ""
        path = self.bucket_path(bucket)
        if base:
            try:
                path += "/" + layout.path_of(base).removesuffix("/%")
            except layout.InvalidKeyError:
                return
        yield from _walk(path, base, start, after, delimiter)

    # parts

    def _draft_beside(self, path: str) -> Draft:
        for _ in range(_ATTEMPTS):
            try:
                return Draft(f"{path}{layout.DRAFT}{os.urandom(6).hex()}")
            except FileNotFoundError:
                self.make_folder(path)
        raise OSError(errno.EAGAIN, "the folder is removed again and again", path)

    def _write_sidecar(self, path: str, entry: dict[str, Any]) -> None:
        entries = [entry]
        with contextlib.suppress(OSError):
            old = os.stat(path)
            before = read_sidecar(path, old)
            if before is not None and not before.is_default():
                entries.append(_entry(old, before))
        draft = self._draft_beside(path)
        try:
            draft.write(json.dumps({"entries": entries}, ensure_ascii=False).encode())
            if self._fsync:
                os.fsync(draft.handle)
            os.rename(draft.path, path + layout.SIDECAR)
        finally:
            draft.discard()


_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})


def _absent(error: OSError) -> OSError:
    return FileNotFoundError(errno.ENOENT, "no such object") if error.errno in _ABSENT else error


def _same(path: str, status: os.stat_result) -> bool:
    try:
        now = os.stat(path)
    except OSError:
        return False
    return (now.st_ino, now.st_mtime_ns, now.st_size) == (status.st_ino, status.st_mtime_ns, status.st_size)


def _sync_folder(path: str) -> None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:  # what was in it is deleted, and so nothing is to be kept
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def copy_content(path: str, target: int, offset: int = 0, length: int | None = None) -> None:
    """Append (a part of) a file to an open one."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.lseek(handle, offset, os.SEEK_SET)
        left = length if length is not None else sys.maxsize
        while left > 0 and (data := os.read(handle, min(left, _COPY_CHUNK))):
            _write_all(target, data)
            left -= len(data)
    finally:
        os.close(handle)


def _walk(path: str, base: str, start: str, after: str, delimiter: str) -> Iterator[_Row]:
    """Rows below one folder whose keys all start with `base`; `start`: what the first segment must start with."""
    for key, entry in _scan(path, base, start):
        if not entry.name.endswith("~"):
            if key > after:
                yield key, entry
        elif key < after and not after.startswith(key):
            continue  # everything below sorts before `after`
        elif delimiter != "/":
            yield from _walk(entry.path, key, "", after, delimiter)
        elif key != after and next(_walk(entry.path, key, "", after, ""), None) is not None:
            yield key, None


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _scan(path: str, base: str, start: str) -> list[tuple[str, os.DirEntry[str]]]:
    rows: list[tuple[str, os.DirEntry[str]]] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                stem = entry.name.removesuffix("~")
                if "~" in stem or not _is_text(stem):  # a sidecar, a draft, or nothing of ours
                    continue
                segment = layout.unescape(stem)
                if len(stem) < len(entry.name):
                    segment += "/"
                if segment.startswith(start):
                    rows.append((base + segment, entry))
    except (FileNotFoundError, NotADirectoryError):
        return []
    rows.sort(key=lambda row: row[0])
    return rows

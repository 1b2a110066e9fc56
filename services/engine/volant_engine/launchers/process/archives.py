"""Code archives of fast registration: fetched and unpacked once for each content, whole or not at all."""

import asyncio
import gzip
import hashlib
import io
import os
import pathlib
import shutil
import stat
import tarfile
import zlib

from volant_core import errors
from volant_core.blobstore import port

_PICKLE = "pkl.gz"


class Archives:
    """Unpacked code, by URI."""

    def __init__(self, folder: pathlib.Path, blobs: port.BlobStore) -> None:
        """Unpack below `folder` what `blobs` has."""
        self._folder = folder
        self._blobs = blobs
        self._known: dict[str, asyncio.Future[pathlib.Path]] = {}

    async def unpack(self, uri: str) -> pathlib.Path:
        """The folder with the archive's content. InvalidArgumentError when it is no archive, NotFoundError without it.

        A URI's content is taken to stay what it is: clients name uploads by their digest.
        """
        known = self._known.get(uri)
        if known is None:
            known = self._known[uri] = asyncio.get_running_loop().create_future()
            try:
                data = await self._blobs.get(uri)
                known.set_result(await asyncio.to_thread(unpack, data, uri.rpartition("/")[2], self._folder))
            except BaseException as error:
                del self._known[uri]  # the next attempt may have better luck
                known.set_exception(error if isinstance(error, Exception) else errors.UnavailableError("shutting down"))
                known.exception()
                raise
        return await asyncio.shield(known)


def unpack(data: bytes, name: str, folder: pathlib.Path) -> pathlib.Path:
    """Unpack a tar.gz, or put a pickle, into a folder named by the content. Blocks."""
    target = folder / hashlib.sha256(name.encode() + b"\0" + data).hexdigest()[:32]
    if target.is_dir():
        return target
    draft = folder / f"{target.name}~{os.getpid()}-{os.urandom(4).hex()}"
    draft.mkdir(mode=0o700, parents=True)
    try:
        if name == _PICKLE:
            (draft / _PICKLE).write_bytes(data)
        else:
            _extract(data, name, draft)
        try:
            draft.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _extract(data: bytes, name: str, folder: pathlib.Path) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
            for member in archive:
                _place(archive, member, name, folder)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise errors.InvalidArgumentError(
            f"the code archive {name} can't be unpacked: {error}; register the code again"
        ) from error


def _place(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, folder: pathlib.Path) -> None:
    """Put one member where it belongs; what is no file or leaves the folder, also through links, is refused."""
    path = _inside(folder, folder / member.name, member, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        path.mkdir(exist_ok=True)
    elif member.issym():
        _inside(folder, path.parent / member.linkname, member, name)
        path.symlink_to(member.linkname)
    elif member.islnk():
        shutil.copy2(_inside(folder, folder / member.linkname, member, name), path)
    elif member.isfile():
        content = archive.extractfile(member)
        assert content is not None
        with path.open("wb") as file:
            shutil.copyfileobj(content, file)
        path.chmod(0o700 if member.mode & stat.S_IXUSR else 0o600)
    else:
        raise errors.InvalidArgumentError(f"the code archive {name} holds {member.name!r}, which is no file or folder")


def _inside(folder: pathlib.Path, path: pathlib.Path, member: tarfile.TarInfo, name: str) -> pathlib.Path:
    real = folder.resolve()
    if not (path.parent.resolve() / path.name).resolve().is_relative_to(real):
        raise errors.InvalidArgumentError(
            f"the code archive {name} holds {member.name!r}, which would end up outside of its folder"
        )
    return path

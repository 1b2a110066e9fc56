"""How each service, and what it depends on, is made of the settings.

Imports of services stand in the functions: a process loads only the services that it runs.
"""
# ruff: noqa: PLC0415 - as the docstring says

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from volant_core import blobstore, clock, errors, postgres, sockets
from volant_core.blobstore import signing
from volant_engine.launchers.port import Launcher
from volant_server.settings import BlobSettings, ServerSettings

if TYPE_CHECKING:
    from volant_admin.service import Admin
    from volant_core.blobstore.s3 import S3Store
    from volant_datacatalog.service import DataCatalog
    from volant_objectstore.service import ObjectStore


async def migrate(database: postgres.Database, settings: ServerSettings) -> None:
    """Bring the schemas of the services that run here up to date."""
    if "admin" in settings.services:
        await postgres.migrate(database, "admin", "volant_admin")
    if "datacatalog" in settings.services and present("datacatalog"):
        await postgres.migrate(database, "datacatalog", "volant_datacatalog")


@contextlib.asynccontextmanager
async def open_blobs(
    settings: BlobSettings, own: Sequence[sockets.Address], clock: clock.Clock
) -> AsyncIterator[blobstore.BlobStore]:
    """The object store as services see it. `own` is where this process serves one itself, if it does."""
    public = settings.public_endpoint or settings.endpoint or (f"http://{own[0]}" if own else "")
    presigner = signing.Presigner(_endpoint(settings, public), clock) if public else None
    store = _folder(settings, presigner) if settings.kind == "folder" else _s3(settings, presigner)
    try:
        yield store
    finally:
        await store.close()


def _folder(settings: BlobSettings, presigner: signing.Presigner | None) -> blobstore.FolderStore:
    root = needed(settings.root, "blobs.root")
    return blobstore.FolderStore(root, settings.bucket, presigner=presigner, fsync=settings.fsync)


def _s3(settings: BlobSettings, presigner: signing.Presigner | None) -> "S3Store":
    from volant_core.blobstore.s3 import S3Store

    if not settings.endpoint:
        raise errors.FailedPreconditionError('no object store is named: set blobs.endpoint, or blobs.kind = "folder"')
    return S3Store(_endpoint(settings, settings.endpoint), settings.bucket, presigner=presigner)


def _endpoint(settings: BlobSettings, url: str) -> signing.Endpoint:
    return signing.Endpoint(url, settings.access_key, settings.secret_key, settings.region)


@contextlib.asynccontextmanager
async def open_objectstore(settings: ServerSettings, clock: clock.Clock) -> "AsyncIterator[ObjectStore]":
    """The embedded object store."""
    from volant_objectstore.service import open_objectstore
    from volant_objectstore.settings import ObjectStoreSettings

    blobs = settings.blobs
    own = ObjectStoreSettings(
        access_key=blobs.access_key, secret_key=blobs.secret_key, buckets=(blobs.bucket,), region=blobs.region
    )
    async with open_objectstore(root=needed(blobs.root, "blobs.root"), settings=own, clock=clock) as store:
        yield store


@contextlib.asynccontextmanager
async def open_admin(
    settings: ServerSettings, database: postgres.Database, blobs: blobstore.BlobStore, clock: clock.Clock
) -> "AsyncIterator[Admin]":
    """The control plane."""
    from volant_admin.service import open_admin

    async with open_admin(database=database, blobs=blobs, settings=settings.admin, clock=clock) as admin:
        yield admin


@contextlib.asynccontextmanager
async def open_datacatalog(
    settings: ServerSettings, database: postgres.Database, blobs: blobstore.BlobStore, clock: clock.Clock
) -> "AsyncIterator[DataCatalog]":
    """The datacatalog."""
    from volant_datacatalog.service import open_datacatalog

    async with open_datacatalog(database=database, blobs=blobs, settings=settings.datacatalog, clock=clock) as catalog:
        yield catalog


def needed(path: Path | None, name: str) -> Path:
    """`path`, or FailedPreconditionError that names the setting."""
    if path is None:
        raise errors.FailedPreconditionError(f"the setting {name} is needed and not there")
    return path


def make_launcher(settings: ServerSettings, s3: Sequence[str], clock: clock.Clock) -> Launcher:
    """What runs attempts."""
    raise NotImplementedError


def running_attempts(launcher: Launcher) -> int:
    """How many attempts run."""
    return 0


def present(name: str) -> bool:
    """TEMPORARY: while services are being built."""
    import importlib.util

    return importlib.util.find_spec(f"volant_{name}.service") is not None

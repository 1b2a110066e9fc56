"""How each service, and what it depends on, is made of the settings.

Imports of services stand in the functions: a process loads only the services that it runs.
"""
# ruff: noqa: PLC0415 - as the docstring says

import asyncio
import contextlib
import dataclasses
import os
import random
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio
import structlog

from volant_core import blobstore, clock, errors, postgres, sockets
from volant_core.blobstore import signing
from volant_engine.launchers.port import Launcher
from volant_server.settings import BlobSettings, ServerSettings, ServiceName

if TYPE_CHECKING:
    from volant_admin.service import Admin
    from volant_core.blobstore.s3 import S3Store
    from volant_datacatalog.service import Datacatalog
    from volant_engine.reactor.engine import Engine
    from volant_objectstore.service import ObjectStore


_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
_LOOPBACK = "127.0.0.1,::1,localhost"
_DATABASE_PAUSE_S = 1.0

_log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Addresses:
    """Where a platform answers."""

    grpc: tuple[str, ...] = ()
    """host:port."""
    http: tuple[str, ...] = ()
    """host:port."""
    s3: tuple[str, ...] = ()
    """host:port; empty without an object store of its own."""
    internal: str = ""
    """gRPC's private unix socket."""
    here: str = ""
    """gRPC, as this machine's other processes reach it."""
    s3_here: str = ""
    """The object store, likewise."""
    s3_outside: str = ""
    """The object store, as other machines reach it."""
    hosts: tuple[sockets.Address, ...] = ()
    """What HTTP listens on."""
    is_public: bool = False
    """Whether other machines reach any of it."""


def peer_token(settings: ServerSettings) -> str:
    """What engines prove themselves by, drawn if settings have none. FailedPreconditionError if that is not enough."""
    peers, services = settings.peers, settings.services
    if peers.token:
        return peers.token
    if "engine" in services:
        elsewhere = bool(peers.admin or peers.datacatalog)
    else:
        # Alone: nobody is meant to come.
        elsewhere = not settings.alone and bool({"admin", "datacatalog"} & set(services))
    if elsewhere:
        raise errors.FailedPreconditionError(
            "peers.token (or VOLANT_PEERS__TOKEN) is needed where services run in processes of their own: a secret, the"
            " same for admin, datacatalog and engines, by which engines prove themselves"
        )
    return secrets.token_urlsafe(32)


SCHEMAS: dict[ServiceName, tuple[str, str]] = {
    "admin": ("admin", "volant_admin"),
    "datacatalog": ("datacatalog", "volant_datacatalog"),
}
"""The schema of each service that has one, and the package with its migrations."""


async def open_database(settings: ServerSettings, clock: clock.Clock) -> postgres.Database:
    """The database with its schemas fit for this version, waited for as settings say. Yours to close."""
    if not settings.database.dsn:
        raise errors.FailedPreconditionError(
            "no database is named: set database.dsn (or VOLANT_DATABASE__DSN) to a PostgreSQL address"
        )
    until = clock.monotonic() + settings.database.patience_s
    while True:
        try:
            return await _open_database(settings)
        except (errors.UnavailableError, errors.FailedPreconditionError) as error:
            if clock.monotonic() >= until:
                raise
            _log.warning("waiting for the database", error=error.message)
        await asyncio.sleep(_DATABASE_PAUSE_S)


async def _open_database(settings: ServerSettings) -> postgres.Database:
    told = settings.database
    database = await postgres.Database.connect(told.dsn, max_size=told.connections)
    try:
        for service in settings.services:
            if service in SCHEMAS:
                await (postgres.migrate if told.migrate else _check)(database, *SCHEMAS[service])
        if settings.alone and "admin" in settings.services:
            from volant_admin.dispatch import store

            await store.void_all_leases(database)
    except BaseException:
        await database.close()
        raise
    return database


async def _check(database: postgres.Database, schema: str, package: str) -> None:
    newer = await postgres.check(database, schema, package)
    if newer:
        _log.warning(
            "a newer version migrated the database; this one still works on it", schema=schema, newest=newer[-1]
        )


async def migrate(settings: ServerSettings, clock: clock.Clock, *, only_pre: bool) -> list[str]:
    """Bring all schemas up to date; what ran. With `only_pre` versions before this one may still be running."""
    first = dataclasses.replace(settings, services=(), alone=False)
    database = await open_database(first, clock)
    try:
        ran = []
        for schema, package in SCHEMAS.values():
            done = await postgres.migrate(database, schema, package, only_pre=only_pre)
            ran += [f"{schema}/{name}" for name in done]
            # A post migration of a version before may stand in the way.
            await postgres.check(database, schema, package)
        return ran
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def open_blobs(settings: BlobSettings, own: str, clock: clock.Clock) -> AsyncIterator[blobstore.BlobStore]:
    """The object store as services see it. `own` is where this process serves one itself, if it does."""
    public = settings.public_endpoint or settings.endpoint or (f"http://{own}" if own else "")
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
    settings: ServerSettings,
    addresses: Addresses,
    database: postgres.Database,
    blobs: blobstore.BlobStore,
    clock: clock.Clock,
) -> "AsyncIterator[Admin]":
    """The control plane."""
    from volant_admin.service import open_admin

    told = settings.admin
    if not told.pages_url and addresses.hosts:
        told = dataclasses.replace(told, pages_url=f"http://{addresses.hosts[0].outside}")
    async with open_admin(database=database, blobs=blobs, settings=told, clock=clock) as admin:
        yield admin


@contextlib.asynccontextmanager
async def open_datacatalog(
    settings: ServerSettings, database: postgres.Database, blobs: blobstore.BlobStore, clock: clock.Clock
) -> "AsyncIterator[Datacatalog]":
    """The datacatalog."""
    from volant_datacatalog.service import open_datacatalog

    async with open_datacatalog(database=database, blobs=blobs, settings=settings.datacatalog, clock=clock) as catalog:
        yield catalog


def needed(path: Path | None, name: str) -> Path:
    """`path`, or FailedPreconditionError that names the setting."""
    if path is None:
        raise errors.FailedPreconditionError(f"the setting {name} is needed and not there")
    return path


def make_launcher(
    settings: ServerSettings,
    addresses: Addresses,
    admin: grpc.aio.Channel,
    blobs: blobstore.BlobStore,
    clock: clock.Clock,
) -> Launcher:
    """What runs attempts, as settings.tasks.launcher says; connectors, where there are any, take what they serve."""
    make = {"process": _process_launcher, "kubernetes": _kubernetes_launcher}[settings.tasks.launcher]
    own = make(settings, addresses, admin, blobs, clock)
    if not settings.connectors.endpoints:
        return own
    from volant_engine.launchers import routed
    from volant_engine.launchers.connectors.launcher import ConnectorLauncher

    return routed.RoutedLauncher(own, ConnectorLauncher(settings.connectors, clock, blobs=blobs))


def _process_launcher(
    settings: ServerSettings,
    addresses: Addresses,
    _admin: grpc.aio.Channel,
    blobs: blobstore.BlobStore,
    clock: clock.Clock,
) -> Launcher:
    from volant_engine.launchers.process.launcher import ProcessLauncher
    from volant_engine.launchers.process.settings import ProcessSettings

    tasks = settings.tasks
    told = ProcessSettings(
        data=needed(tasks.folder, "tasks.folder"),
        python=tasks.python or Path(sys.executable),
        slots=tasks.slots or os.cpu_count() or 1,
        bucket=settings.blobs.bucket,
        store_root=settings.blobs.root if settings.blobs.kind == "folder" else None,
        environment=_task_environment(settings, addresses),
        inherited=tasks.environment,
    )
    return ProcessLauncher(told, clock, blobs=blobs)


def _kubernetes_launcher(
    settings: ServerSettings,
    addresses: Addresses,
    admin: grpc.aio.Channel,
    blobs: blobstore.BlobStore,
    clock: clock.Clock,
) -> Launcher:
    try:
        from volant_engine.launchers.kubernetes.allowances import Allowances
        from volant_engine.launchers.kubernetes.launcher import KubernetesLauncher
    except ModuleNotFoundError as missing:
        raise errors.FailedPreconditionError(
            f"tasks.launcher is kubernetes, but {missing.name} is missing: pip install 'volant-server[kubernetes]'"
        ) from missing

    kubernetes = settings.kubernetes
    platform = _platform_environment(settings, addresses)
    if not kubernetes.give_keys:
        for key in ("FLYTE_AWS_ACCESS_KEY_ID", "FLYTE_AWS_SECRET_ACCESS_KEY"):
            platform.pop(key, None)
    # Pods outlive a restart of the platform: what they write then has the patience that processes have.
    patient = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "12"}
    environment = _with_driver_endpoint({**patient, **platform, **kubernetes.environment})
    told = dataclasses.replace(kubernetes, environment=environment)
    chance = random.Random()  # noqa: S311 -- spreads pauses, guards nothing
    return KubernetesLauncher(told, clock, blobs=blobs, chance=chance, allowed=Allowances(admin, clock).of)


def _platform_environment(settings: ServerSettings, addresses: Addresses) -> dict[str, str]:
    """How tasks find the platform, by the names that flytekit reads."""
    blobs = settings.blobs
    environment = {
        "FLYTE_AWS_ENDPOINT": blobs.endpoint or (f"http://{addresses.s3_here}" if addresses.s3_here else ""),
        "FLYTE_AWS_ACCESS_KEY_ID": blobs.access_key,
        "FLYTE_AWS_SECRET_ACCESS_KEY": blobs.secret_key,
        "AWS_DEFAULT_REGION": blobs.region,
        "FLYTE_PLATFORM_URL": settings.peers.admin or addresses.here,
        "FLYTE_PLATFORM_INSECURE": "true",
    }
    return {name: value for name, value in environment.items() if value}


def _with_driver_endpoint(environment: Mapping[str, str]) -> dict[str, str]:
    """Beside the address that a user's task may change for itself, the one by which drivers reach this platform."""
    endpoint = environment.get("FLYTE_PLATFORM_URL")
    return {"VOLANT_DRIVER_ENDPOINT": endpoint, **environment} if endpoint else dict(environment)


def _task_environment(settings: ServerSettings, addresses: Addresses) -> dict[str, str]:
    """The same, for processes of this machine."""
    environment = _platform_environment(settings, addresses)
    if any(name.lower() in _PROXIES for name in settings.tasks.environment):
        # Otherwise clients ask the proxy for what is on this machine.
        spared = settings.tasks.environment.get("NO_PROXY") or settings.tasks.environment.get("no_proxy") or ""
        environment["NO_PROXY"] = environment["no_proxy"] = ",".join(filter(None, (spared, _LOOPBACK)))
    return _with_driver_endpoint(environment)


@contextlib.asynccontextmanager
async def open_engine(
    settings: ServerSettings,
    admin: grpc.aio.Channel,
    catalog: grpc.aio.Channel,
    token: str,
    blobs: blobstore.BlobStore,
    launcher: Launcher,
    clock: clock.Clock,
) -> "AsyncIterator[Engine]":
    """The engine."""
    from volant_engine.service import open_engine

    async with open_engine(
        admin=admin,
        catalog=catalog,
        token=token,
        blobs=blobs,
        launcher=launcher,
        settings=settings.engine,
        clock=clock,
    ) as engine:
        yield engine

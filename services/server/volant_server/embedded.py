"""Embedded mode: one data folder, one process, nothing to install beside it.

It is no mode of the services: it starts PostgreSQL in the folder and writes the settings that a person would write.
"""

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import structlog

from volant_core import aio, clock, errors, settings, sockets, telemetry
from volant_core.postgres import embedded as postgres
from volant_server import composition, data_folder, parts
from volant_server.settings import (
    BlobSettings,
    ListenSettings,
    ServerSettings,
    TaskSettings,
)

_log = structlog.get_logger(__name__)
_RESTART_PAUSE_S = 1.0
_S3_PORT = 8087
_S3_FACT = "s3_port"
_SANDBOX_BOTH = "127.0.0.1:30080"
_SANDBOX_S3 = "127.0.0.1:30002"
_SANDBOX_BUCKET = "my-s3-bucket"
_SANDBOX_KEYS = data_folder.Keys("minio", "miniostorage")


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What `volant up` can be told."""

    data: Path = data_folder.DEFAULT
    """The data folder."""
    grpc: str = ""
    """Where gRPC alone listens, faster; 127.0.0.1:8089 if empty (with `sandbox`: nowhere)."""
    http: str = ""
    """Where HTTP listens, and gRPC too; 127.0.0.1:8088 if empty (with `sandbox`: 127.0.0.1:30080)."""
    s3: str = ""
    """Where the object store listens; if empty 127.0.0.1:8087 or, where that is taken, any port, then always that."""
    listen: str = ""
    """An IP address to listen on in place of the loopback ones."""
    sandbox: bool = False
    """Listen where Flyte's sandbox does, with its bucket and keys."""
    task_python: Path | None = None
    """The interpreter that tasks run with; ours if None."""
    postgres: Path | None = None
    """The folder of PostgreSQL's programs; found by itself if None."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=lambda: dict(os.environ))
    """Where further settings are (VOLANT_…), and what tasks start from."""


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """An embedded server that is ready."""

    folder: data_folder.DataFolder
    platform: composition.Platform
    postgres_pid: int

    @property
    def addresses(self) -> parts.Addresses:
        """Where it answers."""
        return self.platform.addresses


@contextlib.asynccontextmanager
async def embedded_server(options: Options, *, now: clock.Clock | None = None) -> AsyncIterator[Running]:
    """The whole platform in this process, stopped in order at the end of the block.

    Enter it in the main thread: PostgreSQL stops with the thread that started it.

    Raises:
        FailedPreconditionError, UnavailableError: With a sentence that says what is wrong and what to do.
    """
    folder = data_folder.DataFolder(options.data)
    folder.create()
    folder.lock()
    with contextlib.ExitStack() as stack:
        stack.callback(folder.unlock)
        folder.say_farewell("")
        base = settings.load(ServerSettings, environment=options.environment)
        database = postgres.EmbeddedPostgres(folder.postgres, postgres.EmbeddedSettings(binaries=options.postgres))
        told = make_settings(folder, options, base)
        ports = _hold(told, is_s3_free=not options.s3 and not options.sandbox)  # what fails most often comes first
        stack.callback(ports.close)
        async with _database(database):
            told = dataclasses.replace(told, database=dataclasses.replace(told.database, dsn=database.dsn))
            with telemetry.open_traces(told.traces, "embedded"):
                async with _opened(composition.Platform(told, now or clock.SystemClock(), ports), database) as platform:
                    _remember(folder, platform.addresses)
                    yield Running(folder, platform, database.pid)
                if platform.ended_attempts:
                    folder.say_farewell(farewell(platform.ended_attempts))


def farewell(attempts: int) -> str:
    """What is said of attempts that were ended."""
    tasks = "1 running task was" if attempts == 1 else f"{attempts} running tasks were"
    return f"{tasks} ended; at the next start they are tried again, which costs no retry of their own"


@contextlib.asynccontextmanager
async def _opened(
    platform: composition.Platform, database: postgres.EmbeddedPostgres
) -> AsyncIterator[composition.Platform]:
    try:
        await platform.open()
    except errors.UnavailableError as error:
        cause = database.trouble()
        if cause:
            raise errors.UnavailableError(f"PostgreSQL does not work: {cause} (its log: {database.log})") from error
        raise
    try:
        yield platform
    finally:
        await platform.close()


def make_settings(folder: data_folder.DataFolder, options: Options, base: ServerSettings) -> ServerSettings:
    """The settings of a server on `folder`, but for its database: `base`, with what embedded mode means."""
    keys = _SANDBOX_KEYS if options.sandbox else folder.keys()
    listen = _listen(folder, options, base.listen)
    public = base.blobs.public_endpoint or ("http://localhost:30002" if listen.s3 == _SANDBOX_S3 else "")
    return dataclasses.replace(
        base,
        alone=True,
        run_folder=folder.run,
        listen=listen,
        blobs=BlobSettings(
            kind="folder",
            root=folder.objects,
            bucket=_SANDBOX_BUCKET if options.sandbox else base.blobs.bucket,
            public_endpoint=public,
            region=base.blobs.region,
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            fsync=base.blobs.fsync,
        ),
        tasks=TaskSettings(
            launcher=base.tasks.launcher,
            folder=folder.root,
            python=_absolute(options.task_python or base.tasks.python),
            slots=base.tasks.slots,
            end_at_shutdown=True,
            environment=options.environment,
        ),
    )


def _absolute(python: Path | None) -> Path | None:
    """Tasks work in folders of their own. Links are kept: an environment's interpreter is one."""
    return python.expanduser().absolute() if python else None


def _listen(folder: data_folder.DataFolder, options: Options, base: ListenSettings) -> ListenSettings:
    def placed(text: str) -> str:
        if not options.listen or not text:
            return text
        return str(sockets.Address(options.listen, int(text.rpartition(":")[2])))

    sandbox = options.sandbox
    return ListenSettings(
        grpc=options.grpc or ("" if sandbox else placed(base.grpc)),
        # The port for HTTP takes gRPC as well, so that one address is enough, also for the links that clients print.
        http="",
        both=options.http or placed(_SANDBOX_BOTH if sandbox else base.both or base.http),
        s3=options.s3 or placed(_SANDBOX_S3 if sandbox else _own_s3(folder)),
        hosts=base.hosts,
    )


def _hold(told: ServerSettings, *, is_s3_free: bool) -> composition.Ports:
    try:
        return composition.hold_ports(told)
    except errors.FailedPreconditionError:
        if not is_s3_free:
            raise
    # Its usual port is taken, by another data folder's server perhaps: any other will do.
    listen = dataclasses.replace(told.listen, s3=f"{told.listen.s3.rpartition(':')[0]}:0")
    return composition.hold_ports(dataclasses.replace(told, listen=listen))


def _own_s3(folder: data_folder.DataFolder) -> str:
    """The port that this folder's store had before, since tasks and signed URLs know it; else the usual."""
    port = folder.recall(_S3_FACT)
    return f"127.0.0.1:{port if isinstance(port, int) and 0 < port < 2**16 else _S3_PORT}"


def _remember(folder: data_folder.DataFolder, addresses: parts.Addresses) -> None:
    if addresses.s3:
        port = int(addresses.s3[0].rpartition(":")[2])
        if port != folder.recall(_S3_FACT):
            folder.remember(_S3_FACT, port)
    folder.write_state(
        data_folder.State(pid=os.getpid(), grpc=addresses.grpc, http=addresses.http, s3=addresses.s3, ready=True)
    )


@contextlib.asynccontextmanager
async def _database(server: postgres.EmbeddedPostgres) -> AsyncIterator[None]:
    """The database in the folder: started, started again when it ends unexpectedly, stopped."""
    await server.start()
    watch = aio.Tasks("postgres")
    watch.start("watch", _keep_running(server))
    try:
        yield
    finally:
        await watch.cancel()
        await server.stop()


async def _keep_running(server: postgres.EmbeddedPostgres) -> None:
    while True:
        code = await server.ended()
        _log.error("PostgreSQL ended; starting it again", code=code, cause=server.trouble())
        try:
            await server.restart()
        except errors.VolantError as error:
            _log.error("PostgreSQL does not start", error=error.message)
            await asyncio.sleep(_RESTART_PAUSE_S)

"""The way in: an engine as an async context."""

import contextlib
import random
import uuid
from collections.abc import AsyncIterator

import grpc.aio

from volant_core import clock as core_clock
from volant_core.blobstore.port import BlobStore
from volant_engine.launchers import port
from volant_engine.reactor import catalog_client, engine
from volant_engine.settings import EngineSettings


@contextlib.asynccontextmanager
async def open_engine(
    *,
    admin: grpc.aio.Channel,
    catalog: grpc.aio.Channel,
    blobs: BlobStore,
    launcher: port.Launcher,
    settings: EngineSettings,
    clock: core_clock.Clock,
    session: str = "",
    token: str = "",
) -> AsyncIterator[engine.Engine]:
    """Drive executions within the context.

    Leaving it drains: nothing more is taken, the last reports are sent, the leases end. Running attempts go on; whether
    they end is said by the one who closes the launcher.

    Args:
        admin: to admin's gRPC services.
        catalog: to the datacatalog's.
        blobs: where inputs and outputs lie.
        launcher: runs attempts; it is started here, but closed by its owner.
        settings: how the engine behaves.
        clock: the time.
        session: the name of its leases, unique for each start; made up if left out.
        token: by which it proves itself to both.
    """
    chance = random.Random()  # noqa: S311 -- spreads pauses, guards nothing
    one = engine.Engine(
        admin=admin,
        cached=catalog_client.CatalogClient(catalog, blobs, settings.call_seconds, settings.cache_seconds, token),
        blobs=blobs,
        launcher=launcher,
        settings=settings,
        time=clock,
        session_id=session or f"{settings.name}-{uuid.uuid4().hex}",
        chance=chance,
        token=token,
    )
    await one.start()
    try:
        yield one
    finally:
        await one.drain()

"""The cache of task outputs as one object: what the composition root opens."""

import contextlib
import dataclasses
import uuid
from collections.abc import AsyncIterator, Callable

from volant_core import blobstore, clock, postgres, rpc
from volant_datacatalog.artifacts import contents
from volant_datacatalog.artifacts import operations as artifact_operations
from volant_datacatalog.batches import operations as batch_operations
from volant_datacatalog.batches import rpc as batch_rpc
from volant_datacatalog.datasets import operations as dataset_operations
from volant_datacatalog.reservations import operations as reservation_operations
from volant_datacatalog.rpc import DataCatalogServicer
from volant_datacatalog.settings import DatacatalogSettings
from volantidl.catalog import catalog_pb2
from volantidl.datacatalog import datacatalog_pb2


@dataclasses.dataclass(frozen=True, slots=True)
class Datacatalog:
    """The open service."""

    servicers: list[rpc.Registration]


@contextlib.asynccontextmanager
async def open_datacatalog(
    *,
    database: postgres.Database,
    blobs: blobstore.BlobStore,
    settings: DatacatalogSettings,
    clock: clock.Clock,
    new_uuid: Callable[[], uuid.UUID] = uuid.uuid4,
) -> AsyncIterator[Datacatalog]:
    """Open the cache on a migrated database.

    Args:
        database: Where schema `datacatalog` is.
        blobs: Where large data goes.
        settings: See there.
        clock: The time: of artifacts, and by which reservations expire.
        new_uuid: Names for what has none.
    """
    content = contents.Contents(blobs, settings)
    datasets = dataset_operations.Datasets(database, settings, clock, new_uuid)
    artifacts = artifact_operations.Artifacts(database, datasets, content, settings, clock, new_uuid)
    reservations = reservation_operations.Reservations(database, settings, clock)
    await reservations.sweep()
    batches = batch_operations.Batches(database, datasets, content, settings, clock, new_uuid)
    flytes = DataCatalogServicer(datasets, artifacts, reservations)
    ours = batch_rpc.CacheBatchServicer(batches, reservations)
    yield Datacatalog(
        servicers=[
            rpc.Registration(flytes, datacatalog_pb2.DESCRIPTOR.services_by_name["DataCatalog"]),
            rpc.Registration(ours, catalog_pb2.DESCRIPTOR.services_by_name["CacheBatchService"]),
        ]
    )

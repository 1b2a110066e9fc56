"""A running datacatalog with real PostgreSQL, a folder of blobs, a gRPC port and a clock that stands still."""

import datetime

import pytest

from volant_core import blobstore, postgres, rpc
from volant_datacatalog import service, settings
from volantidl.catalog import catalog_pb2_grpc
from volantidl.datacatalog import datacatalog_pb2_grpc


class HandClock:
    """Moved by hand."""

    def __init__(self):
        self.time = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.UTC)

    def now(self):
        return self.time

    def monotonic(self):
        return self.time.timestamp()

    def advance(self, **delta):
        self.time += datetime.timedelta(**delta)


@pytest.fixture
def hand_clock():
    return HandClock()


@pytest.fixture
async def blobs(tmp_path):
    store = blobstore.FolderStore(tmp_path / "objects", "volant")
    yield store
    await store.close()


@pytest.fixture
async def channel(database: postgres.Database, blobs, hand_clock):
    chosen = settings.DatacatalogSettings(inline_bytes=1000)
    async with (
        service.open_datacatalog(database=database, blobs=blobs, settings=chosen, clock=hand_clock) as catalog,
        await rpc.serve(catalog.servicers, ["127.0.0.1:0"]) as server,
        rpc.connect(server.addresses[0]) as channel,
    ):
        yield channel


@pytest.fixture
def stub(channel):
    return datacatalog_pb2_grpc.DataCatalogStub(channel)


@pytest.fixture
def batch(channel):
    return catalog_pb2_grpc.CacheBatchServiceStub(channel)

"""A running admin with real PostgreSQL, a folder of blobs and a gRPC port."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from volant_admin import service, settings
from volant_core import blobstore, clock, postgres, rpc
from volantidl.service import admin_pb2_grpc

sys.path.insert(0, str(Path(__file__).parent))  # for entity_requests


@pytest.fixture
def admin_settings() -> settings.AdminSettings:
    return settings.AdminSettings()


@pytest.fixture
async def address(
    database: postgres.Database, tmp_path: Path, admin_settings: settings.AdminSettings
) -> AsyncIterator[str]:
    """Where a fresh admin listens."""
    blobs = blobstore.FolderStore(tmp_path / "objects", "volant")
    async with (
        service.open_admin(database=database, blobs=blobs, settings=admin_settings, clock=clock.SystemClock()) as admin,
        await rpc.serve(admin.servicers, ["127.0.0.1:0"]) as server,
    ):
        yield server.addresses[0]
    await blobs.close()


@pytest.fixture
async def stub(address: str) -> AsyncIterator[admin_pb2_grpc.AdminServiceStub]:
    """Admin over gRPC; `refused` reads its errors."""
    async with rpc.connect(address) as channel:
        yield admin_pb2_grpc.AdminServiceStub(channel)

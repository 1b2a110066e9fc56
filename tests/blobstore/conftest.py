"""The adapters that the conformance suite runs on."""

import gc
import os
import secrets

import aiohttp.web
import blockbuster
import pytest

from volant_core import clock
from volant_core.blobstore import Endpoint, FolderStore, Presigner
from volant_core.blobstore.s3 import S3Store
from volant_objectstore import service, settings

MINIO = os.environ.get("VOLANT_TEST_MINIO", "")


@pytest.fixture(params=["folder", "folder-fsync", "s3", *(["s3-minio"] if MINIO else [])])
def adapter(request):
    return request.param


@pytest.fixture(autouse=True)
def nothing_blocks():
    """No call of ours may block the event loop."""
    # gRPC servers of tests before us join a thread when they are collected: now, or inside of a test that is watched.
    gc.collect()
    with blockbuster.blockbuster_ctx(["volant_core.blobstore", "volant_objectstore"]):
        yield


@pytest.fixture
def whole_s3(adapter):
    """Whether `x` and `x/y` can both exist, and ".." be part of a key."""
    return adapter != "s3-minio"


@pytest.fixture
def signs(adapter):
    """Whether a server answers signed URLs."""
    return adapter.startswith("s3")


@pytest.fixture
async def embedded(adapter, tmp_path):
    """The address of the embedded S3 service over an empty folder; empty when it is not what is tested."""
    if adapter != "s3":
        yield ""
        return
    chosen = settings.ObjectStoreSettings("key", "secret", fsync=False)
    async with service.open_objectstore(root=tmp_path, settings=chosen, clock=clock.SystemClock()) as running:
        runner = aiohttp.web.AppRunner(running.app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()


@pytest.fixture
async def store(adapter, tmp_path, embedded):
    if adapter.startswith("folder"):
        presigner = Presigner(Endpoint("http://127.0.0.1:9", "key", "secret"), clock.SystemClock())
        store = FolderStore(tmp_path, "volant", presigner=presigner, fsync=adapter == "folder-fsync")
    elif adapter == "s3":
        # Two endpoints: the services speak to one, URLs are signed for the other.
        public = Endpoint(embedded.replace("127.0.0.1", "localhost"), "key", "secret")
        store = S3Store(Endpoint(embedded, "key", "secret"), "volant", presigner=Presigner(public, clock.SystemClock()))
        await store.ensure_bucket()
    else:
        if not MINIO:
            pytest.skip(
                "VOLANT_TEST_MINIO=host:port names no MinIO server (keys: VOLANT_TEST_MINIO_KEYS=access:secret)"
            )
        access, _, secret = os.environ.get("VOLANT_TEST_MINIO_KEYS", "minioadmin:minioadmin").partition(":")
        endpoint = Endpoint(f"http://{MINIO}", access, secret)
        store = S3Store(endpoint, f"volant-{secrets.token_hex(6)}", presigner=Presigner(endpoint, clock.SystemClock()))
        await store.ensure_bucket()
    yield store
    await store.close()

"""Nothing blocks the event loop of a server that works: not the services, not the engine, not the launcher."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import blockbuster
import grpc.aio
import pytest
import structlog
from tests.server import scripts
from tests.server.conftest import ANY, ENVIRONMENT, binaries

from volant_server import embedded
from volantidl.admin import execution_pb2
from volantidl.core import execution_pb2 as core_execution_pb2
from volantidl.service import admin_pb2_grpc

PHASE = core_execution_pb2.WorkflowExecution.Phase


@pytest.fixture
def _plain_logs() -> Iterator[None]:
    """Without rich, which looks for source files while it prints."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_plain_logs")
async def test_nothing_blocks(tmp_path: Path) -> None:
    options = embedded.Options(
        data=tmp_path / "data", grpc=ANY, http=ANY, s3=ANY, postgres=binaries(), environment=ENVIRONMENT
    )
    async with embedded.embedded_server(options) as running, asyncio.timeout(60):
        channel = grpc.aio.insecure_channel(running.addresses.grpc[0])
        async with channel, aiohttp.ClientSession() as session:
            with blockbuster.blockbuster_ctx() as watch:
                # asyncpg looks for ~/.pgpass at each new connection; a connection is rare.
                watch.functions["os.stat"].can_block_in("asyncpg/connect_utils.py", "_read_password_file")
                # A traceback that is logged shows lines of source: an error, but of another kind.
                watch.functions["os.stat"].can_block_in("linecache.py", {"checkcache", "updatecache"})
                admin = admin_pb2_grpc.AdminServiceStub(channel)
                create_task, create_execution = scripts.requests("true", cached=True)
                await admin.CreateTask(create_task)
                execution = (await admin.CreateExecution(create_execution)).id
                closure = execution_pb2.ExecutionClosure()
                while closure.phase not in {PHASE.SUCCEEDED, PHASE.FAILED}:
                    await asyncio.sleep(0.05)
                    request = execution_pb2.WorkflowExecutionGetRequest(id=execution)
                    closure = (await admin.GetExecution(request)).closure
                assert closure.phase == PHASE.SUCCEEDED, closure.error
                base = f"http://{running.addresses.http[0]}"
                for path in ("/metrics", "/healthcheck", "/api/v1/projects", "/console"):
                    async with session.get(base + path) as answer:
                        assert answer.status == 200, path

"""What every suite may use: a PostgreSQL server for the session, and a fresh migrated database for each test.

VOLANT_TEST_POSTGRES_BIN names the folder of the PostgreSQL programs to test with (the system's, the wheel's); found by
itself when it is not set.
"""

import asyncio
import contextlib
import importlib.resources
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

from volant_core.postgres import Database, embedded, migrate

SCHEMAS = {"admin": "volant_admin", "datacatalog": "volant_datacatalog"}
_TEMPLATE = "migrated"
_numbers = itertools.count(1)

# CI judges a change, so it looks at the same cases each time; everywhere else new ones are looked for.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


def postgres_binaries() -> Path | None:
    told = os.environ.get("VOLANT_TEST_POSTGRES_BIN")
    return Path(told) if told else None


async def migrate_all(dsn: str) -> None:
    database = await Database.connect(dsn, max_size=1)
    try:
        for schema, package in SCHEMAS.items():
            if importlib.resources.files(package).joinpath("migrations").is_dir():
                await migrate(database, schema, package)
    finally:
        await database.close()


async def run_sql(dsn: str, statement: str) -> None:
    database = await Database.connect(dsn, max_size=1)
    try:
        await database.execute(statement)
    finally:
        await database.close()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.EmbeddedPostgres]:
    """A server without migrations or durability (tests of those start their own)."""
    settings = embedded.EmbeddedSettings(
        binaries=postgres_binaries(),
        connections=200,
        parameters={"fsync": "off", "full_page_writes": "off", "autovacuum": "off"},
    )
    server = embedded.EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "pg", settings)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.stop())


@pytest.fixture(scope="session")
def _postgres_template(postgres_server: embedded.EmbeddedPostgres) -> str:
    asyncio.run(run_sql(postgres_server.dsn, f"CREATE DATABASE {_TEMPLATE}"))
    asyncio.run(migrate_all(postgres_server.dsn_of(_TEMPLATE)))
    return _TEMPLATE


@pytest.fixture
async def postgres_dsn(postgres_server: embedded.EmbeddedPostgres, _postgres_template: str) -> AsyncIterator[str]:
    """The address of a fresh database with every service's migrations."""
    name = f"test_{next(_numbers)}"
    await run_sql(postgres_server.dsn, f"CREATE DATABASE {name} TEMPLATE {_postgres_template}")
    yield postgres_server.dsn_of(name)
    await run_sql(postgres_server.dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(postgres_dsn: str) -> AsyncIterator[Database]:
    """A fresh database with every service's migrations, connected to."""
    connected = await Database.connect(postgres_dsn)
    yield connected
    await connected.close()


_READY_S = 60


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="session")
def platform_endpoint() -> Iterator[str]:
    """The gRPC address of a platform that was started with `volant up` on an empty folder."""
    grpc, http, s3 = _free_ports(3)
    with tempfile.TemporaryDirectory(prefix="volant-tests-", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "volant_server", "up", "--data", f"{folder}/data"]
        command += ["--grpc", f"127.0.0.1:{grpc}", "--http", f"127.0.0.1:{http}", "--s3", f"127.0.0.1:{s3}"]
        log = Path(folder, "log")
        with log.open("wb") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
        assert process.stdout is not None
        watchdog = threading.Timer(_READY_S, process.kill)
        watchdog.start()
        line = process.stdout.readline().decode()
        watchdog.cancel()
        threading.Thread(target=process.stdout.read, daemon=True).start()
        try:
            assert "ready" in line, line + log.read_text()[-3000:]
            yield f"127.0.0.1:{grpc}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            process.stdout.close()

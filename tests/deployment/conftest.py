"""A PostgreSQL of the test's own, to be stopped."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import postgres_binaries

from volant_core.postgres import embedded


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[embedded.EmbeddedPostgres]:
    server = embedded.EmbeddedPostgres(tmp_path / "pg", embedded.EmbeddedSettings(binaries=postgres_binaries()))
    asyncio.run(server.start())
    yield server
    with contextlib.suppress(Exception):
        asyncio.run(server.stop())

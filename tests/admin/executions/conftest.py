"""A running control plane on real PostgreSQL, with virtual time."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from volant_core import postgres

sys.path.insert(0, str(Path(__file__).parent))  # for scripted

import scripted


@pytest.fixture
def clock() -> scripted.VirtualClock:
    return scripted.VirtualClock()


@pytest.fixture
async def platform(
    database: postgres.Database, tmp_path: Path, clock: scripted.VirtualClock
) -> AsyncIterator[scripted.Platform]:
    """A control plane in which workflow w is registered."""
    async with scripted.open_platform(database, tmp_path / "objects", clock) as opened:
        await scripted.register(opened.admin)
        yield opened

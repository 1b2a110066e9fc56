"""Tasks with an owner: nothing is lost, everything ends with it."""

import asyncio
import logging
import re
from pathlib import Path

import pytest

from volant_core import aio


async def test_what_fails_is_logged_and_heard(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[BaseException] = []
    tasks = aio.Tasks("owner", heard.append)

    async def fail() -> None:
        raise ValueError("why")

    with caplog.at_level(logging.ERROR):
        task = tasks.start("work", fail())
        assert await tasks.drain(1)
    assert task.get_name() == "owner: work"
    assert "owner: work failed: why" in caplog.text
    assert [str(error) for error in heard] == ["why"]


async def test_drain_waits_for_what_is_started_meanwhile_and_gives_up() -> None:
    tasks = aio.Tasks("owner")
    ended: list[str] = []

    async def inner() -> None:
        await asyncio.sleep(0)
        ended.append("inner")

    async def outer() -> None:
        tasks.start("inner", inner())
        ended.append("outer")

    tasks.start("outer", outer())
    assert await tasks.drain(1)
    assert ended == ["outer", "inner"]
    tasks.start("forever", asyncio.Event().wait())
    assert not await tasks.drain(0.01)
    assert len(tasks) == 1
    await tasks.cancel()
    assert len(tasks) == 0


async def test_cancel_from_one_of_them_spares_the_caller() -> None:
    tasks = aio.Tasks("owner")
    other = tasks.start("forever", asyncio.Event().wait())
    await tasks.start("ends all", tasks.cancel())
    assert other.cancelled()


def test_tasks_are_made_in_one_place() -> None:
    """Task groups own theirs; whatever else runs belongs to a `Tasks`. And nothing runs code between fork and exec."""
    root = Path(__file__).parents[2]
    loose = re.compile(
        r"asyncio\.create_task\(|_loop\(\)\.create_task\(|loop\.create_task\(|ensure_future\(|preexec_fn="
    )
    found = [
        str(path.relative_to(root))
        for folder in ("services", "clients/python/src")
        for path in sorted((root / folder).rglob("*.py"))
        if loose.search(path.read_text())
    ]
    assert found == ["services/core/volant_core/aio.py"]

"""The thread for small calls."""

import asyncio
import threading

import pytest

from volant_core.blobstore import lane


async def test_answers_and_errors_in_order():
    line = lane.Lane("test")
    seen = []

    def work(number):
        seen.append((number, threading.current_thread().name))
        if number % 3 == 0:
            raise ValueError(number)
        return number

    futures = [line.run(lambda number=number: work(number)) for number in range(20)]
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert seen == [(number, "test") for number in range(20)]
    for number, result in enumerate(results):
        assert isinstance(result, ValueError) if number % 3 == 0 else result == number
    line.close()


async def test_given_up_calls_are_left_out():
    line = lane.Lane("test")
    go = threading.Event()
    ran = []
    first = line.run(go.wait)
    second = line.run(lambda: ran.append(2))
    third = line.run(lambda: ran.append(3))
    second.cancel()
    go.set()
    await first
    await third
    assert ran == [3]
    line.close()


async def test_close_finishes_what_was_asked_for():
    line = lane.Lane("test")
    go = threading.Event()
    futures = [line.run(go.wait), line.run(lambda: 1)]
    line.close()
    go.set()
    assert await asyncio.gather(*futures) == [True, 1]
    with pytest.raises(RuntimeError, match="closed"):
        line.run(lambda: 1)


def test_a_loop_that_is_gone_harms_nobody():
    line = lane.Lane("test")
    go = threading.Event()

    async def leave():
        line.run(go.wait)

    asyncio.run(leave())
    go.set()

    async def ask():
        return await line.run(lambda: 7)

    assert asyncio.run(ask()) == 7
    line.close()

"""Engines that die at any moment, admin that is away at any moment: each seed another course of things."""

import asyncio
import contextlib
import random

import engine_graphs as g
import engine_kinds as kinds
import pytest
from engine_platform import Platform, user_error

from volant_core import aio
from volant_core.model import phases
from volantidl.core import execution_pb2

_Execution = execution_pb2.WorkflowExecution


async def crash(engine) -> None:
    """What kill -9 does to an engine: nothing is sent any more, what runs goes on."""
    await aio.cancel_all(list(engine._tasks._tasks))


@pytest.mark.parametrize("seed", range(12))
async def test_nothing_is_lost_and_nothing_runs_twice(tmp_path, seed):
    chance = random.Random(seed)
    platform = Platform(tmp_path / "objects", slots=4)

    async def outcome(attempt, inputs):
        await asyncio.sleep(random.Random(attempt.name).random() * 0.05)
        if attempt.execution.name == "exec2" and attempt.node_id == "n3":
            return user_error("as it should")
        index = attempt.environment.get("FLYTE_K8S_ARRAY_INDEX")
        if index is not None:
            return g.literal_map(o0=int(index))
        total = 1 + sum(value.scalar.primitive.integer for value in inputs.literals.values())
        return g.literal_map(o0=total)

    platform.outcome = outcome
    closures = [g.chain(6, g.PLAIN), g.fan_out(8, g.PLAIN), kinds.mapped_closure(parallelism=3), g.chain(4)]
    async with platform.serve() as channel:
        numbers: list[int] = []
        async with asyncio.timeout(60):
            while True:
                stack = contextlib.AsyncExitStack()
                engine = await stack.enter_async_context(platform.engine(channel, drain_seconds=0.2))
                if not numbers:
                    for closure in closures:
                        inputs = kinds.listed_inputs(9) if closure is closures[2] else g.literal_map(a=1)
                        numbers.append(await platform.submit(closure, inputs))
                await asyncio.sleep(chance.random() * 0.15)
                if chance.random() < 0.5:
                    platform.admin.fail, platform.admin.lose = chance.randint(0, 2), chance.randint(0, 2)
                    await asyncio.sleep(chance.random() * 0.05)
                if all(platform.admin.stores[n].execution.phase in phases.TERMINAL_EXECUTION for n in numbers):
                    await stack.aclose()
                    break
                if chance.random() < 0.7:
                    await crash(engine)
                with contextlib.suppress(asyncio.CancelledError):
                    await stack.aclose()
                for assignment in platform.admin.assignments.values():
                    assignment.epoch += 1
        ends = [_Execution.SUCCEEDED, _Execution.FAILED, _Execution.SUCCEEDED, _Execution.SUCCEEDED]
        assert [platform.admin.stores[n].execution.phase for n in numbers] == ends
        for number in numbers:
            store = platform.admin.stores[number]
            assert all(record.phase in phases.TERMINAL_NODE for record in store.nodes.values())
            assert all(record.phase in phases.TERMINAL_TASK for record in store.tasks.values())
            assert set(store.successes.values()) <= {1}
        assert set(platform.launcher.runs.values()) == {1}
        assert kinds.output(platform.admin.stores[numbers[0]]) == 7
    await platform.launcher.close(end_attempts=True)

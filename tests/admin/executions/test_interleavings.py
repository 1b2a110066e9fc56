"""Random lives of engines: whatever happens, every execution ends once, told by who leases it."""

import asyncio
import contextlib
import random

import pytest
import scripted
from scripted import Execution, Node, node, part, phase

from volant_core import errors
from volantidl.dispatch import dispatch_pb2

ENDS = (Execution.SUCCEEDED, Execution.FAILED, Execution.ABORTED)
STEPS = 40


class World:
    def __init__(self, platform: scripted.Platform, seed: int) -> None:
        self.platform = platform
        self.random = random.Random(seed)
        self.engines: list[tuple[scripted.Engine, dict[int, dispatch_pb2.Assignment]]] = []
        self.names: list[str] = []
        self.ended: dict[str, int] = {}
        self.epochs: dict[int, int] = {}

    async def settle(self) -> None:
        """Take what engines were given so far."""
        for engine, given in self.engines:
            with contextlib.suppress(TimeoutError, errors.VolantError, asyncio.CancelledError):
                while True:
                    async with asyncio.timeout(0.01):
                        message = await engine.hear()
                    if message.WhichOneof("message") == "assignment":
                        one = message.assignment
                        given[one.execution] = one
                        self.epochs[one.execution] = max(self.epochs.get(one.execution, 0), one.epoch)

    async def step(self) -> None:
        match self.random.choice(("create", "create", "attach", "drop", "wait", "report", "report", "end", "abort")):
            case "create":
                self.names.append(await self.platform.create())
            case "attach" if len(self.engines) < 6:
                session = f"s{self.random.randrange(4)}"
                capacity = self.random.choice((0, 1, 3))
                self.engines.append((await self.platform.engine(session, capacity), {}))
            case "drop" if self.engines:
                await self.random.choice(self.engines)[0].drop()
            case "wait":
                self.platform.clock.advance(self.random.choice((1, 16)))
                await self.platform.engine(f"waker{self.random.random()}", capacity=1)
            case "report":
                await self.report(None)
            case "end":
                await self.report(self.random.choice(ENDS))
            case "abort" if self.names:
                with contextlib.suppress(errors.FailedPreconditionError):
                    await self.platform.terminate(self.random.choice(self.names))
            case _:
                pass

    async def report(self, end: int | None) -> None:
        await self.settle()
        held = [(engine, one) for engine, given in self.engines for one in given.values()]
        if not held:
            return
        engine, one = self.random.choice(held)
        nodes = [node("n0", self.random.choice((Node.RUNNING, Node.SUCCEEDED)))]
        record = phase(end if end is not None else Execution.RUNNING)
        refused = (await engine.report(part(one, record=record, nodes=nodes))).refused
        assert one.epoch == self.epochs[one.execution] or refused, "an old lease was believed"
        if not refused and end is not None:
            self.ended.setdefault(one.id.name, end)

    async def check(self) -> None:
        for name in self.names:
            shown = (await self.platform.get(name)).closure.phase
            if name in self.ended:
                assert shown == self.ended[name], "an end was undone"
            else:
                assert shown not in ENDS


@pytest.mark.parametrize("seed", range(4))
async def test_every_execution_ends_once(platform: scripted.Platform, seed: int) -> None:
    world = World(platform, seed)
    for _ in range(STEPS):
        await world.step()
    await world.check()
    for engine, _ in world.engines:
        await engine.drop()
    for engine in platform.engines:
        await engine.drop()
    platform.clock.advance(40)
    last = await platform.engine("last")
    left = {name for name in world.names if name not in world.ended}
    async with asyncio.timeout(30):
        while left:
            one = await last.given()
            world.epochs[one.execution] = one.epoch
            await last.report(part(one, record=phase(Execution.SUCCEEDED), nodes=[node("n0", Node.SUCCEEDED)]))
            world.ended[one.id.name] = Execution.SUCCEEDED
            left.discard(one.id.name)
    await world.check()

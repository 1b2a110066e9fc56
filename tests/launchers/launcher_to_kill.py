"""A launcher in a process of its own, which a test kills: launches what it is told and says when it runs."""
# ruff: noqa: ASYNC110 (another process tells nothing)

import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from launcher_worlds import ProcessWorld

from volant_engine.launchers import port


async def main(folder: str, *names: str) -> None:
    world = ProcessWorld(pathlib.Path(folder))
    await world.open()
    for name in names:
        world.prepare(name)
        await world.launcher.launch(world.attempt(name, "wait"))
    for name in names:
        await world.news.until(name, port.AttemptPhase.RUNNING)
        while world.runs(name) == 0:  # the command says so itself, a moment later
            await asyncio.sleep(0.01)
    print("running", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))

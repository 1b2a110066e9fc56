"""A launcher with warm workers in a process of its own, which a test kills."""

import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "launchers"))

from warm_world import WarmWorld

from volant_engine.launchers import port


async def main(folder: str, namespace: str) -> None:
    world = WarmWorld(pathlib.Path(folder), installation=namespace, namespace=namespace)
    await world.open()
    await world.launcher.launch(world.attempt("a", "wait"))
    await world.news.until("a", port.AttemptPhase.RUNNING)
    while world.runs("a") == 0:  # noqa: ASYNC110 (another process tells nothing)
        await asyncio.sleep(0.05)
    print("running", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))

"""The object store alone in a process: `python serve.py ROOT PORT FSYNC` prints its port when it answers."""

import asyncio
import pathlib
import sys

import aiohttp.web

from volant_core import clock
from volant_objectstore import service, settings

ACCESS_KEY, SECRET_KEY = "test-access", "test/secret+key"


async def main(root: pathlib.Path, port: int, *, fsync: bool) -> None:
    chosen = settings.ObjectStoreSettings(ACCESS_KEY, SECRET_KEY, buckets=("volant",), fsync=fsync)
    async with service.open_objectstore(root=root, settings=chosen, clock=clock.SystemClock()) as store:
        runner = aiohttp.web.AppRunner(store.app, access_log=None)
        await runner.setup()
        site = aiohttp.web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), fsync=sys.argv[3] == "fsync"))

"""The test server as a process: imports the modules that it is told, prints its address, ends with its input."""

import asyncio
import importlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import contract_server


async def main() -> None:
    served = contract_server.Served()
    await served.start()
    print(served.address, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    assert served.server is not None
    await served.server.stop(grace=0)


for name in sys.argv[1:]:
    importlib.import_module(name)
asyncio.run(main())

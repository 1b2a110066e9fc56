"""Start the embedded server in a folder, say its pid, wait to be killed: `serve.py FOLDER RUN_AS [BINARIES]`."""

import asyncio
import sys
from pathlib import Path

from volant_core import errors
from volant_core.postgres import embedded


async def main() -> None:
    binaries = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    settings = embedded.EmbeddedSettings(binaries=binaries, run_as=sys.argv[2])
    server = embedded.EmbeddedPostgres(Path(sys.argv[1]), settings)
    try:
        await server.start()
    except errors.VolantError as error:
        print(f"refused: {error}", flush=True)
        return
    print(server.pid, flush=True)
    print(server.dsn, flush=True)
    await server.ended()


asyncio.run(main())

"""The whole platform in a process of its own: `serve.py DATA` prints its gRPC address and ends with its input.

Everything is logged to standard error, as JSON, for the tests to look through.
"""

import asyncio
import sys
from pathlib import Path

from volant_core import telemetry
from volant_server import embedded


async def main(data: Path) -> None:
    anywhere = "127.0.0.1:0"
    options = embedded.Options(data=data, grpc=anywhere, http=anywhere, s3=anywhere)
    async with embedded.embedded_server(options) as running:
        print(running.addresses.grpc[0], flush=True)
        await asyncio.to_thread(sys.stdin.read)


telemetry.configure_logs(telemetry.LogSettings(form="json"), "fuzz")
asyncio.run(main(Path(sys.argv[1])))

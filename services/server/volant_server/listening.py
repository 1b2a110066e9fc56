"""aiohttp applications on addresses: how they start and end."""

import contextlib
import socket
from collections.abc import AsyncIterator, Sequence

import aiohttp.web

from volant_server import one_port

_LINGER_S = 2.0


@contextlib.asynccontextmanager
async def http_runner(app: aiohttp.web.Application) -> AsyncIterator[aiohttp.web.AppRunner]:
    """An application that is ready to be listened for; at the end its requests get a moment to finish."""
    runner = aiohttp.web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_LINGER_S)
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()


async def listen(runner: aiohttp.web.AppRunner, held: Sequence[socket.socket]) -> list[aiohttp.web.SockSite]:
    """Serve all who connect to the sockets."""
    sites = []
    for one in held:
        site = aiohttp.web.SockSite(runner, one)
        await site.start()
        sites.append(site)
    return sites


@contextlib.asynccontextmanager
async def closed_last(front: one_port.OnePort) -> AsyncIterator[None]:
    """The pipes to gRPC work until this ends."""
    try:
        yield
    finally:
        await front.close()

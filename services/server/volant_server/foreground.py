"""Servers in the foreground of this process: the loop, signals, what is said when ready and at the end."""

import asyncio
import contextlib
import dataclasses
import os
import resource
import signal
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from volant_core import clock, errors, settings, telemetry
from volant_server import composition, data_folder, embedded, parts, terminal
from volant_server.embedded import Options
from volant_server.settings import SERVICES, ServerSettings

_WARNING = (
    "Warning: it listens to other machines too. Whoever reaches it can run code here, for registering a workflow is"
    " running code, and Volant asks for no password."
)
_MOST_FILES = 65_536

__all__ = ["Options", "migrate", "run", "serve", "up"]


def run(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run `main()` on uvloop's event loop where that is installed, else asyncio's."""
    _allow_connections()
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())


async def up(options: Options, *, announce_to: int | None) -> int:
    """`volant up`: the platform until a signal. `announce_to`: a descriptor to tell "ready" to, of `--detach`."""
    base = settings.load(ServerSettings, environment=options.environment)
    telemetry.configure_logs(base.logs, "embedded")
    stop = _signals()
    async with embedded.embedded_server(options) as running:
        text = _ready(running)
        if running.addresses.is_public:
            text = f"{_WARNING}\n{text}"
        if announce_to is None:
            terminal.say(text)
        else:
            with os.fdopen(announce_to, "w") as parent:
                parent.write(f"ready\n{text}\n")
        await stop.wait()
        if announce_to is None:
            terminal.say("Stopping; once more (Ctrl-C) stops at once.")
        platform = running.platform
    if announce_to is None and platform.ended_attempts:
        terminal.say(f"Stopped: {embedded.farewell(platform.ended_attempts)}.")
    return 0


async def serve(file: Path | None, services: tuple[str, ...], environment: Mapping[str, str]) -> int:
    """`volant-server run`: the services that are named, or the settings name, until a signal."""
    told = settings.load(ServerSettings, file=file, environment=environment)
    unknown = sorted(set(services) - set(SERVICES))
    if unknown:
        raise errors.FailedPreconditionError(f"there is no service {unknown[0]!r}; there are {', '.join(SERVICES)}")
    if services:
        told = dataclasses.replace(told, services=services)  # type: ignore[arg-type] # checked above
    name = "+".join(told.services) if len(told.services) < len(SERVICES) else "volant"
    telemetry.configure_logs(told.logs, name)
    stop = _signals()
    with telemetry.open_traces(told.traces, name):
        async with composition.opened(told, clock.SystemClock()) as platform:
            addresses = platform.addresses
            terminal.say(
                f"ready: {name}: gRPC {', '.join(addresses.grpc) or '-'}, HTTP {', '.join(addresses.http) or '-'}"
            )
            await stop.wait()
    return 0


async def migrate(file: Path | None, environment: Mapping[str, str], *, only_pre: bool) -> int:
    """`volant-server migrate`: the database as this version needs it, or with `only_pre` as far as it may be now."""
    told = settings.load(ServerSettings, file=file, environment=environment)
    telemetry.configure_logs(told.logs, "migrate")
    ran = await parts.migrate(told, clock.SystemClock(), only_pre=only_pre)
    for name in ran:
        terminal.say(f"ran {name}")
    terminal.say("the database is up to date" if not only_pre else "the database is ready for this version")
    return 0


def _allow_connections() -> None:
    """Raise the bound on open files as far as we may: a connection by the one port takes three."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else _MOST_FILES
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, _MOST_FILES), hard))


def _signals() -> asyncio.Event:
    """An event that the first signal to stop sets; a second ends the process, as kill -9 would."""
    stop = asyncio.Event()

    def heard() -> None:
        if stop.is_set():
            terminal.say("Stopped at once; what still runs is picked up again at the next start.")
            os._exit(130)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, heard)
    return stop


def _ready(running: embedded.Running) -> str:
    addresses = running.addresses
    both, data = addresses.http[0], running.folder.root
    objects = f", objects http://{addresses.s3[0]}" if addresses.s3 else ""
    # The SDK finds the platform of the usual folder by itself.
    is_usual = data == data_folder.DEFAULT.expanduser()
    named = "" if is_usual else f"VOLANT_ENDPOINT={addresses.grpc[0]} "
    return (
        f"Volant is ready: pages http://{both}/console, gRPC {addresses.grpc[0]}{objects}, data {data}.\n"
        f"Next: {named}volant run --remote FILE.py WORKFLOW\n"
        f"With flytekit: FLYTE_PLATFORM_URL={both} FLYTE_PLATFORM_INSECURE=true pyflyte run --remote FILE.py WORKFLOW"
    )

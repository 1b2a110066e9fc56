"""What a crash leaves of a PostgreSQL server: processes that still run on its data folder, and its pid file.

PostgreSQL judges its pid file by whether that pid lives, which misleads after a reboot and inside user namespaces.
Whoever calls this holds the folder's lock, so what it finds on the folder is nobody else's.
"""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from volant_core import errors

_STEP_S = 0.01
_READY_LINE = 7


async def clear(data: Path, *, patience_s: float = 10.0) -> None:
    """End the processes that still use a data folder and remove the pid file of a server that is gone."""
    pid_file = data / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return
    recorded = int(lines[0]) if lines and lines[0].isdigit() else 0
    running = processes_in(data)
    if recorded in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(recorded, signal.SIGINT)
    # Orphans of a killed server notice by themselves and leave at once.
    if not await _gone(data, patience_s):
        for pid in processes_in(data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not await _gone(data, patience_s):
            raise errors.FailedPreconditionError(
                f"processes {processes_in(data)} use the database in {data} and do not end; end them first"
            )
    pid_file.unlink(missing_ok=True)


def ready(data: Path, pid: int) -> bool:
    """Whether a server's pid file says that it takes connections."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > _READY_LINE and lines[0] == str(pid) and lines[_READY_LINE].strip() == "ready"


def processes_in(data: Path) -> list[int]:
    """PostgreSQL's processes whose working folder is the data folder; none where there is no /proc."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            try:
                if Path(f"/proc/{entry.name}/cwd").readlink() != data:
                    continue
                if Path(f"/proc/{entry.name}/comm").read_text().strip() == "postgres":
                    found.append(int(entry.name))
            except OSError:
                continue  # gone meanwhile, or somebody else's
    return sorted(found)


async def _gone(data: Path, patience_s: float) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    while processes_in(data):
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(_STEP_S)
    return True

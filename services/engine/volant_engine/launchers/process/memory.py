"""Memory limits of attempts that declare one: by a cgroup where this machine allows, else by watching."""

import asyncio
import contextlib
import hashlib
import logging
import os
import pathlib
from collections.abc import Callable

from volant_core import aio
from volantidl.core import tasks_pb2

_log = logging.getLogger(__name__)
_RESOURCE = tasks_pb2.Resources.ResourceName
_ROOT = pathlib.Path("/sys/fs/cgroup")
_SUFFIXES = {
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}


def quantity(text: str) -> float | None:
    """A Kubernetes quantity such as "500m", "1Gi" or "2e3"; None when it is none."""
    stripped = text.strip()
    number = stripped.rstrip("iKMGTPEkm") if not stripped[-1:].isdigit() else stripped
    factor = _SUFFIXES.get(stripped[len(number) :])
    try:
        return None if factor is None else float(number) * factor
    except ValueError:
        return None


def limit_of(task: tasks_pb2.TaskTemplate) -> int | None:
    """Bytes that a task may use, where it says so."""
    for entry in task.container.resources.limits:
        if entry.name == _RESOURCE.MEMORY and (value := quantity(entry.value)):
            return int(value)
    return None


def excess(task: tasks_pb2.TaskTemplate, cores: int, memory: int) -> str:
    """What a task requests beyond this machine, in words; empty when it fits."""
    for entry in task.container.resources.requests:
        value = quantity(entry.value)
        if value is None:
            continue
        if entry.name == _RESOURCE.CPU and value > cores:
            return f"{entry.value} CPUs; the machine has {cores}"
        if entry.name == _RESOURCE.MEMORY and value > memory:
            return f"{entry.value} of memory; the machine has {memory >> 20} MiB"
        if entry.name == _RESOURCE.GPU and value > 0:
            return f"{entry.value} GPUs, which are not looked for here"
    return ""


class Memory:
    """Limits of the attempts that run."""

    def __init__(self, folder: pathlib.Path, interval: float, kill: Callable[[str], None]) -> None:
        """Look each `interval` seconds where cgroups can't be used; `kill` ends the attempt that is over its limit.

        `folder`, the data folder, gives the cgroups their name, so that a later launcher finds them.
        """
        self._name = f"volant-{hashlib.sha256(bytes(folder.resolve())).hexdigest()[:12]}"
        self._interval = interval
        self._kill = kill
        self._tasks = aio.Tasks("memory")
        self._looked = False
        self._parent: pathlib.Path | None = None
        self._watched: dict[str, tuple[int, int]] = {}
        self._killed: set[str] = set()

    async def close(self) -> None:
        """Stop to watch."""
        await self._tasks.cancel()
        if self._parent is not None:
            await asyncio.to_thread(_remove, self._parent)

    async def confine(self, name: str, limit: int) -> str | None:
        """Make a cgroup with the limit: the file that a process writes its pid to. None: `watch` it instead."""
        await self._look_for_cgroups()
        if self._parent is None:
            return None
        return await asyncio.to_thread(_make, self._parent / name, limit)

    async def _look_for_cgroups(self) -> None:
        if not self._looked:
            self._looked = True
            self._parent = await asyncio.to_thread(_usable, self._name)

    def watch(self, name: str, pid: int, limit: int) -> None:
        """Watch a process and its children."""
        self._watched[name] = (pid, limit)
        if len(self._tasks) == 0:
            self._tasks.start("watch", self._look())

    async def release(self, name: str) -> bool:
        """The attempt has ended; whether it was killed for its memory."""
        self._watched.pop(name, None)
        if name in self._killed:
            self._killed.discard(name)
            return True
        await self._look_for_cgroups()
        if self._parent is None:
            return False
        return await asyncio.to_thread(_close, self._parent / name)

    async def _look(self) -> None:
        while self._watched:
            for name in await asyncio.to_thread(_over, dict(self._watched)):
                if self._watched.pop(name, None) is not None:
                    self._killed.add(name)
                    self._kill(name)
            await asyncio.sleep(self._interval)


def _usable(name: str) -> pathlib.Path | None:
    """A cgroup of ours that limits memory, version 2 or 1; None when the machine doesn't let us have one."""
    try:
        lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            base, control = _ROOT / path.lstrip("/"), "memory.max"
        elif "memory" in controllers.split(","):
            base, control = _ROOT / "memory" / path.lstrip("/"), "memory.limit_in_bytes"
        else:
            continue
        if not (base / "cgroup.procs").exists():
            continue
        ours = base / name
        with contextlib.suppress(OSError):
            ours.mkdir(exist_ok=True)
            with contextlib.suppress(OSError):
                (ours / "cgroup.subtree_control").write_text("+memory")
            probe = ours / "probe"
            probe.mkdir(exist_ok=True)
            usable = (probe / control).exists()
            probe.rmdir()
            if usable:
                return ours
            ours.rmdir()
    return None


def _remove(group: pathlib.Path) -> None:
    """Remove a cgroup that nobody is in."""
    with contextlib.suppress(OSError):
        group.rmdir()


def _make(group: pathlib.Path, limit: int) -> str | None:
    try:
        group.mkdir(exist_ok=True)
        for name in ("memory.max", "memory.limit_in_bytes"):
            if (group / name).exists():
                (group / name).write_text(str(limit))
        for name, value in (("memory.swap.max", "0"), ("memory.memsw.limit_in_bytes", str(limit))):
            with contextlib.suppress(OSError):
                if (group / name).exists():
                    (group / name).write_text(value)
    except OSError as error:
        _log.warning("no cgroup for %s (%s): its memory is watched instead", group.name, error)
        return None
    return str(group / "cgroup.procs")


def _close(group: pathlib.Path) -> bool:
    killed = 0
    for name in ("memory.events", "memory.oom_control"):
        with contextlib.suppress(OSError):
            for line in (group / name).read_text().splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    killed += int(value)
    with contextlib.suppress(OSError):
        group.rmdir()
    return killed > 0


def _over(watched: dict[str, tuple[int, int]]) -> list[str]:
    """Who uses more than allowed, with all their descendants."""
    page = os.sysconf("SC_PAGE_SIZE")
    over = []
    for name, (pid, limit) in watched.items():
        used, queue = 0, [pid]
        while queue:
            each = queue.pop()
            with contextlib.suppress(OSError, ValueError):
                used += int(pathlib.Path(f"/proc/{each}/statm").read_text().split()[1]) * page
                for task in os.listdir(f"/proc/{each}/task"):  # noqa: PTH208 (names are all that is needed)
                    children = pathlib.Path(f"/proc/{each}/task/{task}/children").read_text()
                    queue += map(int, children.split())
        if used > limit:
            over.append(name)
    return over

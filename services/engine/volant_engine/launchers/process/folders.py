"""Attempt folders and the processes they speak of: who the attempt is, whether it lives, how it ended.

All calls block; the launcher makes them in a thread.
"""

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess

_TAIL = 4096


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """Which process an attempt is: pid and start time name it, whatever becomes of the number."""

    pid: int
    start: int
    """Clock ticks since the machine was booted."""
    boot: str
    """Which boot that was."""
    at: float
    """Seconds since 1970."""


@dataclasses.dataclass(frozen=True, slots=True)
class Exit:
    """An exit code that an attempt left."""

    code: int
    at: float
    """Seconds since 1970."""
    note: str = ""
    """What the launcher knows besides: "oom", or "stopped" when the platform ended it to shut down."""


def read_claim(folder: pathlib.Path) -> Claim | None:
    """The process that is, or was, the attempt; None when there has been none yet."""
    try:
        pid, start, boot, at = (folder / "pid").read_text().split()
        return Claim(int(pid), int(start), boot, float(at))
    except (OSError, ValueError):
        return None


def read_exit(folder: pathlib.Path) -> Exit | None:
    """How the attempt ended; None when it has left no code."""
    try:
        code, at, *note = (folder / "exit").read_text().split()
        return Exit(int(code), float(at), " ".join(note))
    except (OSError, ValueError):
        return None


def write_exit(folder: pathlib.Path, ended: Exit) -> None:
    """Write down an end that the attempt itself could not, or replace what it wrote."""
    draft = folder / "exit~~"
    with contextlib.suppress(OSError):
        draft.write_text(f"{ended.code} {ended.at:.6f} {ended.note}\n")
        draft.rename(folder / "exit")


def boot_id() -> str:
    """This boot of the machine, as zygotes write it."""
    try:
        return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        return "0"


def lives(claim: Claim) -> bool:
    """Whether the very process still runs (a zombie doesn't)."""
    if claim.boot != boot_id():
        return False
    fields = _stat(claim.pid)
    return fields is not None and int(fields[19]) == claim.start and fields[0] not in ("Z", "X")


def open_process(claim: Claim) -> int | None:
    """A pidfd of the process; None when it is gone."""
    try:
        descriptor = os.pidfd_open(claim.pid)
    except OSError:
        return None
    if lives(claim):  # looked at after opening: the descriptor can't be another process's
        return descriptor
    os.close(descriptor)
    return None


def claim_of(pid: int) -> Claim | None:
    """The claim that a process would write."""
    fields = _stat(pid)
    return None if fields is None else Claim(pid, int(fields[19]), boot_id(), 0.0)


def _stat(pid: int) -> list[str] | None:
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def members(claim: Claim, name: str) -> set[int]:
    """Processes of an attempt: its session, all their descendants, and what was started with its name and went away."""
    leader = _stat(claim.pid)
    if claim.boot != boot_id() or (leader is not None and int(leader[19]) != claim.start):
        return set()  # the number belongs to another process by now
    marker = f"VOLANT_ATTEMPT={name}\0".encode()
    parents: dict[int, int] = {}
    found: set[int] = set()
    for entry in os.listdir("/proc"):  # noqa: PTH208 (names are all that is needed of hundreds)
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        pid = int(entry)
        fields = _stat(pid)
        if fields is None or fields[0] in ("Z", "X"):
            continue
        parents[pid] = int(fields[1])
        if int(fields[3]) == claim.pid or pid == claim.pid or marker in _environment(pid):
            found.add(pid)
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found and pid not in found}
        found |= more
        grown = bool(more)
    return found


def _environment(pid: int) -> bytes:
    try:
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def send(pids: set[int], number: signal.Signals) -> None:
    """Send a signal to each."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def send_group(claim: Claim, number: signal.Signals) -> None:
    """Send a signal to the attempt's process group, if the attempt still runs."""
    if lives(claim):
        try:
            os.killpg(claim.pid, number)
        except OSError:  # so young that it has no group of its own yet
            send({claim.pid}, number)


def tail(path: pathlib.Path) -> str:
    """The last lines of a log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = text.strip().splitlines()
    return "\n".join(lines[-20:])


def names(attempts: pathlib.Path) -> set[str]:
    """Attempts that have a folder."""
    try:
        return {entry.name for entry in os.scandir(attempts)}
    except FileNotFoundError:
        return set()


def remove(gone: list[pathlib.Path]) -> None:
    """Remove attempts' folders and what is in them. One program for many: it is quicker at this than we are."""
    for start in range(0, len(gone), 500):
        command = ["rm", "-rf", "--", *map(str, gone[start : start + 500])]
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)  # noqa: S603 (our own paths)

"""A platform in a folder of its own, which can be killed while its tasks live on."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Platform:
    """`volant up` in a folder of its own. Its tasks keep notes, a file for each: "began PID TIME", then "ended"."""

    def __init__(self, folder: pathlib.Path, slots: int, modules: pathlib.Path) -> None:
        self.folder = folder
        self.slots = slots
        self.modules = modules
        self.notes = folder / "notes"
        self.notes.mkdir()
        self.data = folder / "data"
        self.port, self.http = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.modules),
            "NAPS_FOLDER": str(self.notes),
            "VOLANT_TASKS__SLOTS": str(self.slots),
        }
        command = [sys.executable, "-m", "volant_server", "up", "--data", str(self.data)]
        command += ["--grpc", f"127.0.0.1:{self.port}", "--http", f"127.0.0.1:{self.http}"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if b"ready" in line:
                return
        raise AssertionError((self.folder / "log").read_text()[-3000:])

    def kill(self) -> dict[int, tuple[int, float]]:
        """SIGKILL to the server and all that it started, but for the tasks that run; those tasks.

        All is halted first: what began between the look at the tasks and the kill would be taken for the platform's.
        """
        assert self.process is not None
        for pid in descendants(self.process.pid, spared=set()):
            send(pid, signal.SIGSTOP)
        running = self.running()
        spared = {pid for pid, _ in running.values()}
        for pid in descendants(self.process.pid, spared):
            send(pid, signal.SIGKILL)
        for pid in spared:
            send(pid, signal.SIGCONT)
        self.process.communicate()
        return running

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.communicate(timeout=60)

    def running(self) -> dict[int, tuple[int, float]]:
        """Tasks that began and did not end, and whose process lives: index -> pid, when it began."""
        found = {}
        for file in self.notes.iterdir():
            lines = [line.split() for line in file.read_text().splitlines()]
            if lines and lines[-1][0] == "began" and pathlib.Path(f"/proc/{lines[-1][1]}").exists():
                found[int(file.name)] = (int(lines[-1][1]), float(lines[-1][2]))
        return found

    def count(self, index: int, what: str) -> int:
        return (self.notes / str(index)).read_text().count(what)


def send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def descendants(root: int, spared: set[int]) -> list[int]:
    """A process and what it started, without the spared and what those started."""
    found, queue, children = [], [root], children_by_parent()
    while queue:
        pid = queue.pop()
        if pid not in spared:
            found.append(pid)
            queue += children.get(pid, [])
    return found


def children_by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    return children

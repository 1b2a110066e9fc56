"""This machine as the host of interpreters: each a child process of ours, at the other end of a socket."""

import asyncio
import os
import pathlib
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping

from volant_core import errors
from volant_engine.launchers.process import link

_PROGRAM = pathlib.Path(__file__).parent / "zygote.py"


class Machine:
    """This machine."""

    advice = "name another one with --task-python"

    def __init__(self, zygotes: pathlib.Path) -> None:
        """`zygotes` is the folder of the interpreters' logs and of what they write."""
        self._zygotes = zygotes

    async def prepare(self) -> None:
        """Make the folders that interpreters need."""
        await asyncio.to_thread(_make_folders, self._zygotes)

    async def start(self, python: pathlib.Path, environment: Mapping[str, str], log: pathlib.Path) -> "Root":
        """Start a bare interpreter with these variables. UnavailableError when it can't be started."""
        ours, theirs = link.socket_pair()
        try:
            process = await asyncio.to_thread(_spawn, python, theirs, environment, log, self._zygotes)
        except OSError as error:
            ours.close()
            raise errors.UnavailableError(
                f"the interpreter for tasks can't be started: {python}: {error.strerror}; {self.advice}"
            ) from error
        finally:
            os.close(theirs)
        return Root(process, ours, log)

    def place(self, path: str) -> str:
        """Where one of our own files is there."""
        return path


class Root:
    """A bare interpreter that was started."""

    def __init__(self, process: subprocess.Popen[bytes], end: socket.socket, log: pathlib.Path) -> None:
        """`end` is ours of its socket."""
        self.process = process
        self._end = end
        self._log = log

    def link(self, heard: link.Heard, lost: link.Lost) -> link.Link:
        """The way to it."""
        return link.SocketLink(self._end, heard, lost)

    async def said(self) -> str:
        """What it wrote."""
        return await asyncio.to_thread(self._log.read_text, errors="replace")

    async def gone(self) -> None:
        """Wait until it has ended, which it is about to do, and see to it that it does."""
        await asyncio.to_thread(_wait, self.process)


def _make_folders(zygotes: pathlib.Path) -> None:
    """Make the zygotes' folder; what earlier ones left in their temporary folder goes."""
    shutil.rmtree(zygotes / "tmp", ignore_errors=True)
    for log in zygotes.glob("*-*.log"):
        log.unlink(missing_ok=True)
    (zygotes / "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)  # one that is just ending may still write there


def _spawn(
    python: pathlib.Path, descriptor: int, environment: Mapping[str, str], log: pathlib.Path, folder: pathlib.Path
) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        # Its own session: a Ctrl-C meant for the server must not reach it, nor the attempts that outlive the server.
        return subprocess.Popen(  # noqa: S603 (the interpreter that the operator named)
            [str(python), str(_PROGRAM), str(descriptor)],
            pass_fds=[descriptor],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
        )


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()

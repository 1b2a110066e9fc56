"""A PostgreSQL server of our own in a folder: made, started, watched, stopped.

It listens on a unix socket only, in a folder that only its owner may enter. As root it runs inside a user namespace
(PostgreSQL refuses uid 0); where the machine forbids those, under another uid in a folder below /var/lib. No parent
folder's mode is ever changed. It stops with the thread that started it (see `guard`), so start it from the main thread.
"""

import asyncio
import contextlib
import dataclasses
import fcntl
import os
import re
import shutil
import signal
import subprocess
import urllib.parse
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from volant_core import errors, sockets
from volant_core.postgres import identity, leftovers
from volant_core.postgres.binaries import OLDEST_MAJOR, Binaries, discover

_STEP_S = 0.005
_VERSION = re.compile(r"\b(\d+)(?:\.|devel|beta|rc)")
_FULL = re.compile("No space left on device|could not extend file|wrote only|Check free disk space")
USER = "volant"


@dataclasses.dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """How the embedded server runs."""

    binaries: Path | None = None
    """The folder with `postgres` and `initdb`; found by itself if None."""
    start_timeout_s: float = 300.0
    """Seconds until it must answer. Recovery after a crash can be long."""
    stop_timeout_s: float = 20.0
    """Seconds for an orderly stop, after which it is made to stop (and recovers at its next start)."""
    connections: int = 60
    """Connections at most."""
    shared_buffers_mb: int = 32
    """MiB of page cache of its own; the kernel's cache stands behind it."""
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Further server parameters."""
    run_as: Literal["auto", "self", "namespace", "uid"] = "auto"
    """How to be somebody whom PostgreSQL accepts: chosen by itself, or told (for tests)."""


class EmbeddedPostgres:
    """A server in a folder. Start it, use its `dsn`, stop it."""

    def __init__(self, folder: Path, settings: EmbeddedSettings = EmbeddedSettings()) -> None:
        """Keep the folder (it is made when missing, mode 0700) and the settings."""
        self.folder = folder.absolute()
        self.settings = settings
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self._socket = self.folder / "socket"
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._identity = identity.Identity()
        self._binaries: Binaries | None = None

    @property
    def dsn(self) -> str:
        """How to connect to its database `volant`."""
        return self.dsn_of("volant")

    def dsn_of(self, database: str) -> str:
        """How to connect to one of its databases."""
        return f"postgresql://{USER}@/{database}?host={urllib.parse.quote(str(self._socket))}&port=5432"

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def binaries(self) -> Binaries:
        """Which programs it runs."""
        assert self._binaries is not None
        return self._binaries

    async def start(self) -> None:
        """Make the data folder if need be, clear what a crash left, start and wait until it answers.

        FailedPreconditionError for what only people can mend; UnavailableError when it does not start.
        """
        try:
            self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            self._take_lock()
        except OSError as error:
            raise errors.FailedPreconditionError(f"can't use {self.folder} for PostgreSQL: {error.strerror}") from error
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        try:
            await self._choose()
            await leftovers.clear(self.data)
            if not (self.data / "PG_VERSION").exists():
                await self._initialize()
            self._make_socket_folder()
            self._launch()
        except OSError as error:
            raise errors.FailedPreconditionError(
                f"can't prepare PostgreSQL in {self.folder}: {error.strerror or error}"
            ) from error
        await self._wait_ready()

    async def stop(self) -> None:
        """Stop it in order: connections are closed, what is committed is on disk. Fine when it does not run."""
        process = self._process
        if process is not None:
            for number, patience_s in (
                (signal.SIGINT, self.settings.stop_timeout_s),
                (signal.SIGQUIT, 5.0),
                (signal.SIGKILL, 5.0),
            ):
                if process.poll() is not None:
                    break
                process.send_signal(number)
                await _until(lambda: process.poll() is not None, patience_s)
            self._process = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def ended(self) -> int:
        """Wait until the server's process ends, wanted or not; its exit code."""
        process = self._process
        assert process is not None
        if process.poll() is None and hasattr(os, "pidfd_open"):
            gone = asyncio.Event()
            descriptor = os.pidfd_open(process.pid)
            asyncio.get_running_loop().add_reader(descriptor, gone.set)
            try:
                await gone.wait()
            finally:
                asyncio.get_running_loop().remove_reader(descriptor)
                os.close(descriptor)
        while process.poll() is None:  # noqa: ASYNC110 - nothing announces it where there is no pidfd
            await asyncio.sleep(0.2)
        return process.returncode

    async def restart(self) -> None:
        """Start again after an unexpected end; the folder stayed ours meanwhile."""
        try:
            await leftovers.clear(self.data)
            self._launch()
        except OSError as error:
            raise errors.UnavailableError(f"can't start PostgreSQL again: {error.strerror or error}") from error
        await self._wait_ready()

    def trouble(self) -> str:
        """What its log complains of in its present run; empty if nothing."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text(errors="replace").splitlines()
            # Our own going is not its trouble.
            text = "\n".join(line for line in lines if "connection to client lost" not in line)
            if "FATAL:" in text or "PANIC:" in text or _FULL.search(text):
                return _cause(text)
        return ""

    def _take_lock(self) -> None:
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise errors.FailedPreconditionError(f"another process runs PostgreSQL in {self.folder}") from error
        self._lock = descriptor

    async def _choose(self) -> None:
        """Choose programs that fit the data that is there, and who runs them."""
        candidates = discover(self.settings.binaries)
        mode = self.settings.run_as
        if mode == "auto":
            mode = await _choose_identity(self.folder, candidates[0])
        if mode == "uid":
            self._identity, home = identity.home_below_var(self.folder)
            self.data, self.log, self._socket = home / "data", home / "server.log", home / "socket"
        elif mode == "namespace":
            self._identity = identity.Identity(namespace=True)
        wanted = (self.data / "PG_VERSION").read_text().strip() if (self.data / "PG_VERSION").exists() else None
        versions: list[str] = []
        for candidate in candidates:
            major = await self._major(candidate)
            versions.append(f"{major} from {candidate.origin}")
            if major < OLDEST_MAJOR or (wanted is not None and str(major) != wanted):
                continue
            self._binaries = identity.reachable(candidate) if mode == "uid" else candidate
            return
        need = f"holds data of PostgreSQL {wanted}" if wanted else f"needs PostgreSQL {OLDEST_MAJOR} or later"
        raise errors.FailedPreconditionError(
            f"{self.folder} {need}, but found is only {', '.join(versions)}; install that version,"
            " or dump the data with it and restore it into a new folder"
        )

    async def _major(self, binaries: Binaries) -> int:
        code, output = await _run([str(binaries.postgres), "--version"])
        match = _VERSION.search(output)
        if code != 0 or match is None:
            raise errors.FailedPreconditionError(f"{binaries.postgres} does not run: {output.strip()[:300]}")
        return int(match[1])

    async def _initialize(self) -> None:
        """Make the data beside its place and move it there whole, so that a crash leaves nothing half made."""
        assert self._binaries is not None
        making = self.data.with_name("data.new")
        shutil.rmtree(making, ignore_errors=True)
        maker = self._identity.maker(making)
        try:
            await self._must(
                maker.command(
                    str(self._binaries.initdb),
                    *("--pgdata", str(making), "--username", USER, "--auth", "trust"),
                    *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-instructions"),
                )
            )
            await self._must(
                maker.command(str(self._binaries.postgres), "--single", "-D", str(making), "postgres"),
                b"CREATE DATABASE volant\n",
            )
            self._identity.own(making)
            making.rename(self.data)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise

    async def _must(self, command: Sequence[str], given: bytes = b"") -> None:
        code, output = await _run(command, given)
        if code != 0 or "ERROR:" in output:  # a statement that fails is no failure of `postgres --single`
            raise errors.FailedPreconditionError(f"can't make the database in {self.data}: {_cause(output)}")

    def _make_socket_folder(self) -> None:
        self._socket = sockets.private_folder(self._socket)
        self._identity.own(self._socket)
        # No server of ours runs any more, but PostgreSQL would take one that is killed and not yet reaped for alive.
        (self._socket / ".s.PGSQL.5432.lock").unlink(missing_ok=True)

    def _launch(self) -> None:
        """Start the process. By `Popen`, so in this very thread: its end would stop the server."""
        assert self._binaries is not None
        parameters = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket),
            "unix_socket_permissions": "0700",
            "port": "5432",
            "max_connections": str(self.settings.connections),
            "shared_buffers": f"{self.settings.shared_buffers_mb}MB",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "max_wal_size": "256MB",
            "synchronous_commit": "on",
            "jit": "off",
            "huge_pages": "off",
            "max_parallel_workers_per_gather": "0",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_min_messages": "warning",
            **({"io_method": "sync"} if (self.data / "PG_VERSION").read_text().strip() >= "18" else {}),
            **self.settings.parameters,
        }
        arguments = [item for name, value in parameters.items() for item in ("-c", f"{name}={value}")]
        with contextlib.suppress(FileNotFoundError):
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._identity.command(str(self._binaries.postgres), "-D", str(self.data), *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a terminal's Ctrl-C is for us: the database goes last
                cwd="/",
            )

    async def _wait_ready(self) -> None:
        process = self._process
        assert process is not None
        answered = await _until(
            lambda: process.poll() is not None or leftovers.ready(self.data, process.pid),
            self.settings.start_timeout_s,
        )
        if process.poll() is not None:
            cause = _cause(self.log.read_text(errors="replace"))
            raise errors.UnavailableError(f"PostgreSQL did not start: {cause} (its log: {self.log})")
        if not answered:
            raise errors.UnavailableError(
                f"PostgreSQL did not answer within {self.settings.start_timeout_s:.0f} s (its log: {self.log})"
            )


@contextlib.asynccontextmanager
async def running(folder: Path, settings: EmbeddedSettings) -> AsyncIterator[EmbeddedPostgres]:
    """A server in a folder, stopped at the end."""
    server = EmbeddedPostgres(folder, settings)
    await server.start()
    try:
        yield server
    finally:
        await asyncio.shield(server.stop())


async def _choose_identity(folder: Path, binaries: Binaries) -> Literal["self", "namespace", "uid"]:
    if os.geteuid() != 0:
        return "self"
    if identity.lives_elsewhere(folder):
        return "uid"
    try:
        code, output = await _run(identity.namespace_probe(folder, binaries))
    except OSError as error:
        code, output = 1, f"unshare: {error.strerror}"
    if code == 0:
        return "namespace"
    if (folder / "data" / "PG_VERSION").exists():
        raise errors.FailedPreconditionError(
            f"the database in {folder} was made by root in a user namespace, which is refused now"
            f" ({output.strip()[:200]}); allow them (sysctl user.max_user_namespaces), or start as an ordinary"
            " user who owns the folder"
        )
    return "uid"


async def _run(command: Sequence[str], given: bytes = b"") -> tuple[int, str]:
    """Run a short command to its end; its exit code and what it said. `given` (short) is what it reads."""
    reading, writing = os.pipe()
    try:
        os.write(writing, given)  # not by the loop: a command that ends without reading is no error
        os.close(writing)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=reading,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd="/",
            env={**os.environ, "LC_ALL": "C"},
        )
    finally:
        os.close(reading)
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")


def _cause(output: str) -> str:
    """The line of a log that says what is wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if _FULL.search(output):
        return "no space is left on the disk"
    for mark in ("FATAL:", "PANIC:", "error:", "ERROR:"):
        for line in lines:
            if mark in line:
                return line.partition(mark)[2].strip()
    return lines[-1] if lines else "it said nothing"


async def _until(holds: Callable[[], bool], patience_s: float) -> bool:
    """Wait for a condition that nothing announces."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    while not holds():
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(_STEP_S)
    return True

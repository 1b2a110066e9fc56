"""The program of a worker pod: hosts zygotes for an engine that dials in, and keeps attempts when that is gone.

Standard library only, Python 3.8 and newer; its text is the pod's command. The engine drives the zygotes (zygote.py)
through it as it drives those of a machine of its own: a channel for each, over one TCP connection. A frame is the
lengths of its head and its body (4 bytes each, big-endian), a head in JSON, a body of bytes. One attempt runs at
a time. What it left is kept until an engine says that it is recorded, so any engine can learn of it.
"""
# The pod is this program's own, and it has nothing else to do: short calls on files may block its loop.
# ruff: noqa: PTH103, PTH104, PTH108, PTH109, PTH112, PTH118, PTH119, PTH120, PTH123, PTH202, PTH208, S202, T201

from __future__ import annotations

import array
import asyncio
import contextlib
import ctypes
import hmac
import io
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
from typing import Any, Dict, List, Optional, Set, Tuple  # noqa: UP035 (for Python 3.8)

Message = Dict[str, Any]  # noqa: UP006 (evaluated, also by Python 3.8)
LENGTHS = struct.Struct(">II")
LARGEST_HEAD = 16 << 20
LARGEST_BODY = 512 << 20
_LARGEST_MESSAGE = 1 << 20
_INLINE = 8000
_LARGEST_RESULT = 32 << 20
_HELLO_SECONDS = 10
_SUBREAPER = 36
_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


class Attempt:
    """An attempt that an engine asked for."""

    def __init__(self, name: str, most: int) -> None:
        """`most`: bytes of its log that are told."""
        self.name = name
        self.most = most
        self.pid = 0
        self.began = 0.0
        self.end: Optional[Message] = None  # noqa: UP045
        self.given: Set[str] = set()  # noqa: UP006
        self.kills = kills()
        self.channel: Optional[Channel] = None  # noqa: UP045
        self.followers: Set[Connection] = set()  # noqa: UP006


class Channel:
    """A zygote, and the connection that drives it."""

    def __init__(self, worker: Worker, connection: Connection, number: int, end: socket.socket) -> None:
        end.setblocking(False)
        self.worker, self.connection, self.number, self.end = worker, connection, number, end
        self.pid = 0
        worker.loop.add_reader(end.fileno(), self.read)

    def send(self, message: Message, descriptor: int = -1) -> None:
        """Pass a message on."""
        data = json.dumps(message).encode()
        if len(data) > _INLINE:
            handle, path = tempfile.mkstemp(dir=self.worker.folder)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            data = json.dumps({"op": message["op"], "spec_file": path}).encode()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))] if descriptor >= 0 else []
        try:
            self.end.sendmsg([data], rights)
        except OSError:  # it is gone, or hangs
            self.close()
            self.connection.send({"channel": self.number, "lost": True})

    def read(self) -> None:
        """Pass on what the zygote says."""
        try:
            data = self.end.recv(_LARGEST_MESSAGE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            self.worker.abandoned(self)
            self.connection.send({"channel": self.number, "lost": True})
            return
        message = json.loads(data)
        self.connection.send({"channel": self.number, "message": message})
        if "ready" in message:
            self.pid = message["ready"]
            self.worker.zygotes.add(self.pid)
        elif "started" in message:
            self.worker.started(message)
        elif "ended" in message:
            self.worker.ended(message["ended"], message["pid"], message["status"], message["at"])
        elif "refused" in message:
            self.worker.attempts.pop(message["refused"], None)

    def close(self) -> None:
        """Let the zygote end."""
        if self.end.fileno() >= 0:
            self.worker.loop.remove_reader(self.end.fileno())
            self.end.close()
        self.connection.channels.pop(self.number, None)


class Connection:
    """An engine that has dialled in."""

    def __init__(self, worker: Worker, writer: asyncio.StreamWriter) -> None:
        self.worker, self.writer = worker, writer
        self.channels: Dict[int, Channel] = {}  # noqa: UP006
        self.is_open = True

    def send(self, head: Message, body: bytes = b"") -> None:
        """Send a frame; an engine that is gone hears nothing."""
        if self.is_open:
            data = json.dumps(head).encode()
            self.writer.write(LENGTHS.pack(len(data), len(body)) + data)
            if body:
                self.writer.write(body)

    def heard(self, head: Message, body: bytes) -> None:
        """Do what a frame asks."""
        worker, name = self.worker, head.get("name", "")
        if "channel" in head:
            self.relay(head, body)
        elif head["op"] == "spawn":
            self.channels[head["new"]] = Channel(worker, self, head["new"], worker.spawn(head))
        elif head["op"] == "program":
            worker.place(worker.folder + "/program", head["files"], body)
            worker.program = head["digest"]
        elif head["op"] == "code":
            self.send({"code": head["key"], "why": worker.unpack(head["key"], name, body)})
        elif head["op"] in ("follow", "bar"):
            if head["op"] == "bar":
                worker.attempts.setdefault(name, Attempt(name, 0))
            worker.follow(self, name)
        elif head["op"] == "log":
            self.send({"log": name}, worker.log_of(name))
        elif head["op"] == "forget":
            worker.forget(name)

    def relay(self, head: Message, body: bytes) -> None:
        """Pass on to a zygote what it is asked."""
        channel = self.channels.get(head["channel"])
        message = head.get("message")
        if channel is None:
            self.send({"channel": head["channel"], "lost": True})
        elif message is None:
            channel.close()
        elif message["op"] == "run":
            self.worker.run(channel, message, head, body)
        elif message["op"] == "zygote":
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.channels[head["new"]] = Channel(self.worker, self, head["new"], ours)
            channel.send(message, theirs.fileno())
            theirs.close()
        else:
            channel.send(message)

    def left(self) -> None:
        """The engine is gone: its zygotes end, but for one whose attempt runs, which waits for it."""
        self.is_open = False
        for channel in list(self.channels.values()):
            if not any(one.channel is channel and one.end is None for one in self.worker.attempts.values()):
                channel.close()
        for attempt in self.worker.attempts.values():
            attempt.followers.discard(self)


class Worker:
    """All that a pod does."""

    def __init__(self, told: Message) -> None:
        self.told = told
        self.folder = told["folder"]
        self.loop = asyncio.get_event_loop()
        self.program = ""
        self.attempts: Dict[str, Attempt] = {}  # noqa: UP006
        self.zygotes: Set[int] = set()  # noqa: UP006
        self.owner: Optional[Connection] = None  # noqa: UP045
        self.lonely_since = time.monotonic()
        self.leaving = False
        for name in ("attempts", "objects", "logs", "code", "zygotes/tmp", "program"):
            os.makedirs(f"{self.folder}/{name}", exist_ok=True)

    @property
    def running(self) -> List[Attempt]:  # noqa: UP006
        """Attempts that have a process."""
        return [one for one in self.attempts.values() if one.pid and one.end is None]

    async def serve(self) -> None:
        """Listen until there is nothing more to do."""
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)  # what an attempt leaves behind comes to us
        self.loop.add_signal_handler(signal.SIGCHLD, self.reap)
        self.loop.add_signal_handler(signal.SIGTERM, self.leave)
        server = await asyncio.start_server(self.connected, self.told.get("host"), self.told["port"])
        print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
        while True:
            await asyncio.sleep(min(5.0, self.told["idle"]))
            if self.owner is None and not self.running and time.monotonic() - self.lonely_since > self.told["idle"]:
                return

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear one engine to its end."""
        end = writer.get_extra_info("socket")
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 4)):
            end.setsockopt(socket.IPPROTO_TCP, option, value)
        connection = Connection(self, writer)
        try:
            hello, _ = await asyncio.wait_for(read_frame(reader, 4096, 0), _HELLO_SECONDS)
            if hmac.compare_digest(str(hello.get("token")).encode(), self.told["token"].encode()):
                self.welcome(connection, hello)
                while True:
                    connection.heard(*await read_frame(reader, LARGEST_HEAD, LARGEST_BODY))
        except (TimeoutError, OSError, EOFError, ValueError):
            pass
        finally:
            connection.left()
            if self.owner is connection:
                self.owner, self.lonely_since = None, time.monotonic()
            writer.close()

    def welcome(self, connection: Connection, hello: Message) -> None:
        """Tell an engine what there is. The first that wants to has the worker for its own attempts."""
        if hello.get("own") and self.owner is None:
            self.owner = connection
        connection.send(
            {
                "program": self.program,
                "owned": self.owner is connection,
                "attempts": {name: one.end is not None for name, one in self.attempts.items()},
                "codes": os.listdir(self.folder + "/code"),
                "python_path": os.environ.get("PYTHONPATH", ""),
                "cwd": os.getcwd(),
            }
        )

    # Attempts

    def run(self, channel: Channel, message: Message, head: Message, body: bytes) -> None:
        """Have an attempt forked, once."""
        name = message["name"]
        if name in self.attempts:
            channel.connection.send({"channel": channel.number, "message": {"exists": name}})
            return
        attempt = self.attempts[name] = Attempt(name, head["log_limit"])
        attempt.followers.add(channel.connection)
        attempt.channel = channel
        attempt.given = set(self.place(f"{self.folder}/objects/{name}", head["files"], body))
        channel.send(message)

    def abandoned(self, channel: Channel) -> None:
        """A zygote is gone: what it had not forked yet, it never will."""
        for name, attempt in list(self.attempts.items()):
            if attempt.channel is channel and not attempt.pid:
                del self.attempts[name]

    def started(self, message: Message) -> None:
        """An attempt was forked."""
        attempt = self.attempts.get(message["started"])
        if attempt is not None:
            attempt.pid, attempt.began = message["pid"], message["at"]

    def ended(self, name: str, pid: int, status: int, at: float) -> None:
        """A fork has ended: what it left behind ends too, and who follows is told."""
        attempt = self.attempts.get(name)
        if attempt is None or attempt.pid != pid or attempt.end is not None:
            return
        self.kill_strangers()
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        killed = code == 128 + signal.SIGKILL and kills() > attempt.kills
        attempt.end = {"code": code, "at": at, "began": attempt.began, "out_of_memory": killed}
        shutil.rmtree(f"{self.folder}/attempts/{name}", ignore_errors=True)
        if attempt.channel is not None and not attempt.channel.connection.is_open:
            attempt.channel.close()
        if self.leaving:
            os._exit(143)
        for follower in attempt.followers:
            self.tell(follower, attempt)
        attempt.followers.clear()

    def tell(self, connection: Connection, attempt: Attempt) -> None:
        """Send an end, and what the attempt wrote."""
        top = f"{self.folder}/objects/{attempt.name}"
        files: List[Tuple[str, int]] = []  # noqa: UP006
        parts: List[bytes] = []  # noqa: UP006
        size = 0
        for place, _, names in os.walk(top):
            for name in sorted(names):
                path = os.path.join(place, name)
                if path[len(top) + 1 :] not in attempt.given:
                    size += os.path.getsize(path)
                    if size <= _LARGEST_RESULT:
                        with open(path, "rb") as file:
                            parts.append(file.read())
                        files.append((path[len(top) + 1 :], len(parts[-1])))
        log = self.log_of(attempt.name)
        is_whole = size <= _LARGEST_RESULT
        head = {"result": attempt.name, "files": files, "log": len(log), "is_whole": is_whole, **(attempt.end or {})}
        connection.send(head, b"".join([*parts, log]))

    def follow(self, connection: Connection, name: str) -> None:
        """An engine wants to hear of an attempt."""
        attempt = self.attempts.get(name)
        if attempt is None or (attempt.end is None and not attempt.pid and attempt.channel is None):
            connection.send({"unknown": name})
        elif attempt.end is not None:
            self.tell(connection, attempt)
        else:
            attempt.followers.add(connection)
            connection.send({"running": name, "began": attempt.began})

    def forget(self, name: str) -> None:
        """The end of an attempt is recorded."""
        attempt = self.attempts.get(name)
        if attempt is not None and attempt.end is not None:
            del self.attempts[name]
            shutil.rmtree(f"{self.folder}/objects/{name}", ignore_errors=True)
            with contextlib.suppress(OSError):
                os.unlink(f"{self.folder}/logs/{name}")

    def log_of(self, name: str) -> bytes:
        """What an attempt has written: of much, the first and the last half."""
        most = self.attempts[name].most if name in self.attempts else 0
        try:
            with open(f"{self.folder}/logs/{name}", "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(0)
                if size <= most:
                    return file.read(most)
                first = file.read(most // 2)
                file.seek(size - most // 2)
                return first + b"\n[...]\n" + file.read()
        except OSError:
            return b""

    # Files

    def place(self, top: str, files: List[Tuple[str, int]], body: bytes) -> List[str]:  # noqa: UP006
        """Write files that came in a body; their names."""
        start = 0
        for name, size in files:
            path = os.path.join(top, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(body[start : start + size])
            start += size
        return [name for name, _ in files]

    def unpack(self, key: str, name: str, data: bytes) -> str:
        """Unpack code, or put a pickle, into a folder of its own; why not, if not."""
        target = f"{self.folder}/code/{key}"
        draft = tempfile.mkdtemp(dir=self.folder)
        try:
            if name.endswith("pkl.gz"):
                self.place(draft, [(name, len(data))], data)
            else:
                with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
                    if hasattr(tarfile, "data_filter"):
                        archive.extractall(draft, filter="data")
                    else:
                        archive.extractall(draft)
            os.rename(draft, target)
        except (tarfile.TarError, OSError, EOFError) as error:
            shutil.rmtree(draft, ignore_errors=True)
            return "" if os.path.isdir(target) else f"{type(error).__name__}: {error}"
        return ""

    # Processes

    def spawn(self, head: Message) -> socket.socket:
        """Start a bare interpreter: that of a console script, where there is one."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [interpreter_of(head["scripts"]), self.folder + "/program/zygote.py", str(theirs.fileno())]
        with open(head["log"], "wb") as log, theirs:
            process = subprocess.Popen(  # noqa: S603 (the image's own)
                command,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **head["environment"]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.zygotes.add(process.pid)
        return ours

    def reap(self) -> None:
        """Children have ended: interpreters, and what attempts left behind."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                self.zygotes.discard(pid)
                for attempt in self.running:
                    if attempt.pid == pid:  # its zygote ended before it
                        self.ended(attempt.name, pid, status, time.time())

    def kill_strangers(self) -> None:
        """End processes that belong to no attempt any more. They are our children once their parents are gone."""
        keep = self.zygotes | {one.pid for one in self.running}
        for _ in range(1000):
            left = [pid for pid in children() if pid not in keep]
            if not left:
                return
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.001)
            self.reap()

    def leave(self) -> None:
        """The pod is being deleted: what runs is asked to end."""
        self.leaving = True
        running = self.running
        if not running:
            os._exit(143)
        for attempt in running:
            try:
                os.killpg(attempt.pid, signal.SIGTERM)
            except OSError:  # so young that it has no group of its own yet
                with contextlib.suppress(OSError):
                    os.kill(attempt.pid, signal.SIGTERM)


async def read_frame(reader: asyncio.StreamReader, most_head: int, most_body: int) -> Tuple[Message, bytes]:  # noqa: UP006
    """The next frame."""
    head, body = LENGTHS.unpack(await reader.readexactly(LENGTHS.size))
    if head > most_head or body > most_body:
        raise ValueError("a frame is too long")
    return json.loads(await reader.readexactly(head)), await reader.readexactly(body) if body else b""


def interpreter_of(scripts: List[str]) -> str:  # noqa: UP006
    """The interpreter that the first of these console scripts names; ours where there is none."""
    for script in scripts:
        path = shutil.which(script)
        if path is not None:
            with open(path, "rb") as file:
                line = file.readline(1000).decode(errors="replace").strip()
            words = line[2:].split() if line.startswith("#!") else []
            if len(words) == 1 and "python" in os.path.basename(words[0]) and os.access(words[0], os.X_OK):
                return words[0]
    return sys.executable


def children() -> List[int]:  # noqa: UP006
    """Our children that have not ended."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError), open(f"/proc/{entry}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
                if int(fields[1]) == os.getpid() and fields[0] not in (b"Z", b"X"):
                    found.append(int(entry))
    return found


def kills() -> int:
    """How often the kernel has killed in this container for want of memory."""
    for path in _COUNTERS:
        with contextlib.suppress(OSError, ValueError), open(path) as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


async def main() -> None:
    """Work as the environment says."""
    told = json.loads(os.environ.pop("VOLANT_WORKER"))
    await Worker(told).serve()


if __name__ == "__main__":
    asyncio.run(main())

"""A warm interpreter that forks task attempts. Runs inside the task's Python, which has none of our packages.

Standard library only, any Python from 3.8; its folder is not on `sys.path`. The launcher starts one by exec with a
socket (SOCK_SEQPACKET, one JSON object a message) as its argument; every other zygote is forked from it and gets a
socket of its own, passed with the request. The tree is: bare interpreter -> SDK loaded -> code version and declared
environment -> attempts (attempt.py). All are this program; they differ in what they have loaded. A zygote never runs
a user's task, because that starts threads, and only a process without threads forks well. It ends when its socket
does; attempts live on.
"""
# A zygote holds as little as possible, and pathlib is not little.
# ruff: noqa: PTH110, PTH100, PTH102, PTH108, PTH115, PTH118, PTH120, PTH123, PTH208

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from importlib import util
from typing import Any, Dict, NoReturn  # noqa: UP035 (for Python 3.8)

Message = Dict[str, Any]  # noqa: UP006 (evaluated, also by Python 3.8)


def load_file(module: str, path: str) -> Any:
    """Load one of our own files as a module, without its folder on the path."""
    spec = util.spec_from_file_location(module, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = util.module_from_spec(spec)
    sys.modules[module] = loaded
    try:
        spec.loader.exec_module(loaded)
    except BaseException:
        del sys.modules[module]
        raise
    return loaded


attempt = load_file("volant_attempt", os.path.join(os.path.dirname(os.path.abspath(__file__)), "attempt.py"))

_LARGEST_MESSAGE = 1 << 20
_LARGEST_REPLAY = 1 << 16
_CANNOT_START = 120
# Threads by name that are known to survive being left behind by a fork (40 of 40 forks beside them computed rightly).
_HARMLESS_THREADS = ("jemalloc_bg_thd", "polars-ooc-clea")
# Libraries whose worker threads carry the process's own name and re-create themselves after a fork.
_HARMLESS_POOLS = ("openblas", "libgomp", "libmkl", "libiomp", "libomp", "blis")
_filling: list[Any] = []


class Zygote:
    """One node of the tree: answers the launcher's requests until the socket closes."""

    def __init__(self, link: socket.socket, stem: list[str], boot: str) -> None:
        self.link = link
        self.stem = stem
        self.boot = boot
        self.names: dict[int, str] = {}
        self.replay: dict[str, bytes] = {}
        self.seeds: Message = {}
        self.spare: tuple[int, socket.socket] | None = None

    def serve(self) -> None:
        """Answer requests and report ends, in one thread."""
        wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.own = [wake, waker]
        signal.signal(signal.SIGCHLD, _ignore)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        poll.register(self.link, select.POLLIN)
        settle()
        self.tell(ready=os.getpid(), start=attempt.start_time())
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == wake:
                    os.read(wake, 4096)
                    self.reap()
                elif not self.answer():
                    return

    def answer(self) -> bool:
        """Do what one message asks; False when the launcher is gone."""
        try:
            data, ancillary, _, _ = self.link.recvmsg(_LARGEST_MESSAGE, socket.CMSG_SPACE(4))
        except ConnectionError:
            return False
        if not data:
            return False
        message = json.loads(data)
        if "spec_file" in message:
            with open(message["spec_file"], "rb") as file:
                message.update(json.loads(file.read()))
            os.unlink(message["spec_file"])
        asked = message["op"]
        if asked == "run":
            self.run(message)
        elif asked == "import":
            self.tell(imported=message["module"], **self.load(message["module"]))
        elif asked == "zygote":
            descriptor = int.from_bytes(ancillary[0][2][:4], sys.byteorder)
            os.set_inheritable(descriptor, False)
            if not self.fork():
                self.become(message, socket.socket(fileno=descriptor))
            os.close(descriptor)
        elif asked == "spare":
            self.keep_spare()
        elif asked == "no spare":
            self.drop_spare()
        elif asked == "facts":
            self.tell(facts=facts())
        return True

    def tell(self, **message: Any) -> None:
        """Send one message; a launcher that is gone is noticed by reading."""
        with contextlib.suppress(OSError):
            self.link.send(json.dumps(message).encode())

    def fork(self) -> int:
        """Fork; in the child, leave the parent's signals and descriptors behind."""
        sys.stdout.flush()
        child = os.fork()
        if not child:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in self.own:
                os.close(descriptor)
            if self.spare is not None:
                self.spare[1].close()
        return child

    def reap(self) -> None:
        """Report the ended, and end what they left in their process group."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            if self.spare is not None and self.spare[0] == ended.si_pid:
                self.drop_spare()
            name = self.names.pop(ended.si_pid, None)
            if name is not None:
                # While the leader is not reaped, its group's number can't belong to anybody else.
                with contextlib.suppress(OSError):
                    os.killpg(ended.si_pid, signal.SIGKILL)
            _, status = os.waitpid(ended.si_pid, 0)
            if name is not None:
                self.tell(ended=name, pid=ended.si_pid, status=status, at=time.time())

    def become(self, message: Message, link: socket.socket) -> NoReturn:
        """In a fresh fork: load what the request says and serve as a zygote of the next level."""
        try:
            self.link.close()
            if message.get("log"):
                attempt.redirect(message["log"])
            child = Zygote(link, self.stem, self.boot)
            child.replay.update(self.replay)
            apply_environment(message.get("environment", {}), self.stem, message.get("path"))
            if message.get("folder"):
                os.chdir(message["folder"])
            before = belongings()
            for module in message.get("preload", ()):
                preload(module)
            for module, path in message.get("load_files", {}).items():
                load_file(module, path)
            why = disturbed(before)
            if why:
                child.tell(spoilt=why)
            else:
                child.serve()
        except BaseException as error:  # noqa: BLE001 (the launcher must hear of it, whatever it is)
            with contextlib.suppress(OSError):
                link.send(json.dumps({"spoilt": f"{type(error).__name__}: {error}"}).encode())
            sys.excepthook(*sys.exc_info())
        attempt.flush()
        os._exit(0)

    def load(self, module: str) -> Message:
        """Import the user's module here, if that leaves a process that can be forked."""
        self.drop_spare()  # it lacks the module
        before = belongings()
        seeds = attempt.watch_seeds()
        attempt.flush()
        log_before = os.fstat(1).st_size
        try:
            importlib.import_module(module)
        except BaseException as error:  # noqa: BLE001 (the user's module may do anything; the attempt tells its story)
            return {"ok": False, "why": f"{type(error).__name__}: {error}"}
        finally:
            attempt.restore_seeds(seeds, self.seeds)
            attempt.flush()
        why = disturbed(before)
        if why:
            return {"ok": False, "why": why}
        said = printed_since(log_before)
        if said:
            self.replay[module] = said
        forget_shared_folders()
        settle()
        return {"ok": True}

    def run(self, message: Message) -> None:
        """Fork an attempt, unless its folder says that it ran before."""
        try:
            os.mkdir(message["folder"], 0o700)
        except FileExistsError:
            if not message.get("again"):
                self.tell(exists=message["name"])
                return
        except OSError as error:
            self.tell(refused=message["name"], why=str(error))
            return
        if message.get("code"):
            attempt.tree_of(message["code"])  # looked at once, for all
        child = self.use_spare(message) or self.fork()
        if not child:
            self.become_attempt(message)
        self.names[child] = message["name"]
        self.tell(started=message["name"], pid=child, at=time.time())

    def keep_spare(self) -> None:
        """Fork the next attempt ahead of its time: it warms up while it waits to hear what it shall be."""
        if self.spare is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            child = self.fork()
            if not child:
                ours.close()
                self.become_spare(theirs)
            theirs.close()
            self.spare = child, ours

    def drop_spare(self) -> None:
        """Let the spare end."""
        if self.spare is not None:
            self.spare[1].close()
            self.spare = None

    def use_spare(self, message: Message) -> int:
        """Have the spare become an attempt: its pid, or 0 when there is none that can."""
        if self.spare is None:
            return 0
        child, pipe = self.spare
        self.spare = None
        try:
            pipe.send(json.dumps(message).encode())
        except OSError:  # it is gone, or the message is too long for it
            child = 0
        pipe.close()
        return child

    def become_spare(self, pipe: socket.socket) -> NoReturn:
        """In a fresh fork: touch what an attempt will touch, as soon as a processor has nothing better to do."""
        try:
            poll = select.poll()
            poll.register(pipe, select.POLLIN)
            pause = 0
            while not poll.poll(pause):
                if attempt.has_idle_processor():
                    attempt.warm_up()
                    break
                pause = min(2 * pause + 10, 1000)
            data = pipe.recv(_LARGEST_MESSAGE)
            pipe.close()
            if data:
                self.become_attempt(json.loads(data))
        except BaseException:  # noqa: BLE001 (nobody waits for it)
            sys.excepthook(*sys.exc_info())
        os._exit(0)

    def become_attempt(self, message: Message) -> NoReturn:
        """In a fresh fork: become the attempt. Its last act is its exit code."""
        folder = message["folder"]
        try:
            os.setsid()
            if not attempt.claim(folder, self.boot):
                self.tell(exists=message["name"])
                os._exit(_CANNOT_START)
            attempt.prepare(message, folder)
        except BaseException as error:  # noqa: BLE001 (whatever it is, the launcher must hear of it)
            self.tell(refused=message["name"], why=f"{type(error).__name__}: {error}")
            os._exit(_CANNOT_START)
        code = 1
        try:
            self.link.close()
            if "volant_fork" in sys.modules:
                sys.modules["volant_fork"].forked(folder)
            for module in message.get("modules", ()):
                if module in self.replay:
                    os.write(1, self.replay[module])
            if message.get("entry"):
                attempt.reseed(self.seeds)
                gc.enable()
                code = attempt.run_entry(message["entry"], message["arguments"])
            else:
                code = attempt.run_command(message["arguments"])
        except BaseException:  # noqa: BLE001 (as the interpreter does with what nobody caught)
            sys.excepthook(*sys.exc_info())
        attempt.finish(folder, code)
        os._exit(1)


def _ignore(_signal: int, _frame: Any) -> None:
    """Wake up; what happened is looked for."""


def settle() -> None:
    """Make all that is loaded cheap to fork: no collector may touch it, and new objects find no room beside it."""
    gc.collect()
    fill_holes()
    gc.freeze()
    gc.disable()


def fill_holes() -> None:
    """Use up the free blocks between objects: an object put there by a fork would cost it a copy of the page."""
    counter = getattr(sys, "_debugmallocstats", None)
    if counter is None or not hasattr(os, "memfd_create"):
        return
    attempt.flush()
    kept, stats = os.dup(2), os.memfd_create("stats")
    os.dup2(stats, 2)
    counter()
    os.dup2(kept, 2)
    os.close(kept)
    text = os.pread(stats, 1 << 16, 0).decode()
    os.close(stats)
    for line in text.splitlines():
        words = line.split()  # class, size, pools, blocks in use, blocks free
        if len(words) == 5 and all(word.isdigit() for word in words):
            size, free = int(words[1]), int(words[4])
            if size >= 48:
                _filling.extend(bytes(size - 33) for _ in range(free))
            elif size > 16:
                _filling.extend(float(number) for number in range(free))


def printed_since(offset: int) -> bytes:
    """What went to the standard streams after that."""
    with contextlib.suppress(OSError):
        return os.pread(1, _LARGEST_REPLAY, offset)
    return b""


def apply_environment(environment: dict[str, str], stem: list[str], path: list[str] | None) -> None:
    """Make the declared environment true before anything reads it."""
    os.environ.update(environment)
    if path is not None:
        sys.path[:] = [os.path.dirname(attempt.script_path("python")), *path, *stem]
        importlib.invalidate_caches()
    loggers = sys.modules.get("flytekit.loggers")
    if loggers is not None and any(name.startswith("FLYTE_SDK_") for name in environment):
        with contextlib.suppress(Exception):
            loggers.initialize_global_loggers()


def preload(module: str) -> None:
    """Load what attempts will need; what is missing or broken, an attempt will report itself."""
    try:
        importlib.import_module(module)
    except BaseException as error:  # noqa: BLE001 (whatever it is)
        sys.stderr.write(f"Not preloaded: {module} ({type(error).__name__}: {error})\n")


def belongings() -> tuple[set[int], set[str]]:
    """Open descriptors and threads, to compare with later."""
    descriptors = {number for number in map(int, os.listdir("/proc/self/fd")) if is_descriptor(number)}
    return descriptors, set(os.listdir("/proc/self/task"))


def is_descriptor(number: int) -> bool:
    """Whether it is open (the one that the listing was made with is not, any more)."""
    return os.path.exists(f"/proc/self/fdinfo/{number}")


def disturbed(before: tuple[set[int], set[str]]) -> str:
    """What the import left behind that siblings must not share; empty when nothing."""
    if threading.active_count() > 1 or len(sys._current_frames()) > 1:  # noqa: SLF001 (documented)
        names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        return "it starts a Python thread ({})".format(", ".join(names) or "unnamed")
    own_name = attempt.read("/proc/self/comm")
    pools = any(pool in attempt.read("/proc/self/maps") for pool in _HARMLESS_POOLS)
    for thread in set(os.listdir("/proc/self/task")) - before[1]:
        name = attempt.read(f"/proc/self/task/{thread}/comm")
        if name and name not in _HARMLESS_THREADS and not (name == own_name and pools):
            return f"it starts a native thread ({name})"
    for descriptor in set(map(int, os.listdir("/proc/self/fd"))) - before[0]:
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{descriptor}")
            flags = int(attempt.read(f"/proc/self/fdinfo/{descriptor}").split("flags:")[1].split()[0], 8)
            if not target.startswith("/dev/") and not (target.startswith("/") and flags & os.O_APPEND):
                return f"it leaves {target} open"
    return ""


def forget_shared_folders() -> None:
    """A temporary folder made at import is shared by all attempts: none of them may remove it at its end."""
    weakref = sys.modules.get("weakref")
    for finalizer in list(getattr(getattr(weakref, "finalize", None), "_registry", ())):
        with contextlib.suppress(Exception):
            if "TemporaryDirectory" in finalizer.peek()[1].__qualname__:
                finalizer.atexit = False


def facts() -> Message:
    """The interpreter, the platform, the installed distributions and the console scripts."""
    import hashlib  # noqa: PLC0415 (wanted once, and not by forks)
    import platform  # noqa: PLC0415

    scripts: dict[str, str] = {}
    distributions: set[str] = set()
    for folder in sys.path:
        with contextlib.suppress(OSError):
            for entry in os.listdir(folder or "."):
                if entry.endswith((".dist-info", ".egg-info")):
                    distributions.add(entry.rpartition(".")[0].lower())
                    points = attempt.read(os.path.join(folder, entry, "entry_points.txt"))
                    for name, target in console_scripts(points):
                        scripts.setdefault(name, target)
    digest = hashlib.sha256("\n".join(sorted(distributions)).encode()).hexdigest()
    return {
        "interpreter": sys.executable,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "distributions": digest,
        "scripts": scripts,
    }


def console_scripts(text: str) -> list[tuple[str, str]]:
    """Names and targets of an entry_points.txt's console scripts."""
    found = []
    section = ""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped
        elif section == "[console_scripts]" and "=" in stripped:
            name, _, target = stripped.partition("=")
            found.append((name.strip(), target.split("[")[0].strip()))
    return found


def main() -> None:
    """Serve as the bare interpreter at the root of the tree."""
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0] or ".") == here:
        del sys.path[0]
    given = [os.path.abspath(part) for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    stem = [part for part in sys.path if part not in given]
    sys.path.insert(0, os.path.dirname(attempt.script_path("python")))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    boot = attempt.read("/proc/sys/kernel/random/boot_id")[:8] or "0"
    Zygote(socket.socket(fileno=int(sys.argv[1])), stem, boot).serve()
    os._exit(0)


if __name__ == "__main__":
    main()

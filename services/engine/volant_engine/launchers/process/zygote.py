"""A warm interpreter that forks task attempts. Runs inside the task's Python, which has none of our packages.

One file, standard library only, any Python from 3.8. The launcher starts one by exec with a socket (SOCK_SEQPACKET, one
JSON object a message) as its first argument; every other zygote is forked from it and gets a socket of its own, passed
with the request. The tree is: bare interpreter -> SDK loaded -> code version and declared environment -> attempts. All
are this program; they differ in what they have loaded. A zygote never runs a task itself, because running one starts
threads, and only a process without threads forks well. It ends when its socket does; attempts live on.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
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
import types
from typing import Any, NoReturn

Message = dict[str, Any]

_LARGEST_MESSAGE = 1 << 20
_LARGEST_REPLAY = 1 << 16
_CANNOT_START = 120
# Threads by name that are known to survive being left behind by a fork (40 of 40 forks beside them computed rightly).
_HARMLESS_THREADS = ("jemalloc_bg_thd",)
# Libraries whose worker threads carry the process's own name and re-create themselves after a fork.
_HARMLESS_POOLS = ("openblas", "libgomp", "libmkl", "libiomp", "libomp", "blis")


class Zygote:
    """One node of the tree: answers the launcher's requests until the socket closes."""

    def __init__(self, link: socket.socket, stem: list[str], boot: str) -> None:
        self.link = link
        self.stem = stem
        self.boot = boot
        self.names: dict[int, str] = {}
        self.replay: dict[str, bytes] = {}
        self.seeds: Message = {}

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
        self.tell(ready=os.getpid(), start=start_time())
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
                redirect(message["log"])
            child = Zygote(link, self.stem, self.boot)
            child.replay.update(self.replay)
            apply_environment(message.get("environment", {}), self.stem, message.get("path"))
            if message.get("folder"):
                os.chdir(message["folder"])
            for module in message.get("preload", ()):
                preload(module)
            for module, file in message.get("load_files", {}).items():
                load_file(module, file)
            child.serve()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            flush()
            os._exit(1)
        os._exit(0)

    def load(self, module: str) -> Message:
        """Import the user's module here, if that leaves a process that can be forked."""
        before = belongings()
        seeds = watch_seeds()
        flush()
        log_before = os.fstat(1).st_size
        try:
            importlib.import_module(module)
        except BaseException as error:  # the user's module may do anything; the attempt will tell its own story
            return {"ok": False, "why": f"{type(error).__name__}: {error}"}
        finally:
            restore_seeds(seeds, self.seeds)
            flush()
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
        child = self.fork()
        if not child:
            self.attempt(message)
        self.names[child] = message["name"]
        self.tell(started=message["name"], pid=child, at=time.time())

    def attempt(self, message: Message) -> NoReturn:
        """In a fresh fork: become the attempt. Its last act is its exit code."""
        folder = message["folder"]
        try:
            os.setsid()
            claim(folder, self.boot)
        except FileExistsError:
            self.tell(exists=message["name"])
            os._exit(_CANNOT_START)
        except BaseException as error:  # whatever it is, the launcher must hear of it
            self.tell(refused=message["name"], why=f"{type(error).__name__}: {error}")
            os._exit(_CANNOT_START)
        code = 1
        try:
            self.link.close()
            prepare(message, folder)
            for module in message.get("modules", ()):
                if module in self.replay:
                    os.write(1, self.replay[module])
            if message.get("entry"):
                reseed(self.seeds)
                gc.enable()
                code = run_entry(message["entry"], message["arguments"])
            else:
                code = run_command(message["arguments"])
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finish(folder, code)


def _ignore(_signal: int, _frame: Any) -> None:
    """Wake up; what happened is looked for."""


def settle() -> None:
    """Make all that is loaded cheap to fork: no collector may touch it."""
    gc.collect()
    gc.freeze()
    gc.disable()


def start_time(pid: str = "self") -> int:
    """When the process was started, in clock ticks since boot: with the pid, its identity."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


def claim(folder: str, boot: str) -> None:
    """Write pid and start time, whole and once: only one process is ever this attempt."""
    mine = f"{folder}/pid.{os.getpid()}"
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, f"{os.getpid()} {start_time()} {boot} {time.time():.6f}\n".encode())
    finally:
        os.close(descriptor)
    try:
        os.link(mine, folder + "/pid")
    finally:
        os.unlink(mine)


def prepare(message: Message, folder: str) -> None:
    """Give the attempt its folder, files, environment, limits and signals."""
    redirect(message["log"])
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if message.get("cgroup"):
        with open(message["cgroup"], "w") as file:
            file.write(str(os.getpid()))
    environment = message["environment"]
    work = folder + "/work"
    os.mkdir(work, 0o700)
    code = message.get("code")
    if code:
        for entry in os.listdir(code):
            if entry != "__pycache__":
                os.symlink(f"{code}/{entry}", f"{work}/{entry}")
    if "TMPDIR" in environment:
        os.mkdir(environment["TMPDIR"], 0o700)
        tempfile = sys.modules.get("tempfile")
        if tempfile is not None:
            tempfile.tempdir = environment["TMPDIR"]  # type: ignore[attr-defined]
    for path, content in message.get("files", {}).items():
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400)
        with os.fdopen(descriptor, "wb") as secret:
            secret.write(content.encode())
    os.environ.update(environment)
    os.environ["PWD"] = work
    os.chdir(work)


def run_entry(entry: str, arguments: list[str]) -> int:
    """Run a console script's function as its script would."""
    module, _, attribute = entry.partition(":")
    sys.argv = [script_path(arguments[0]), *arguments[1:]]
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=sys.argv[0], __builtins__=__builtins__)
    sys.modules["__main__"] = main
    try:
        function: Any = importlib.import_module(module)
        for part in attribute.split("."):
            function = getattr(function, part)
        sys.exit(function())
    except SystemExit as leaving:
        code = exit_code(leaving)
    except BaseException:  # as the interpreter does with what nobody caught
        sys.excepthook(*sys.exc_info())
        code = 1
    # What the interpreter does at its end: other threads first, then the handlers (trackers flush there).
    for ending in (getattr(threading, "_shutdown", None), getattr(atexit, "_run_exitfuncs", None)):
        try:
            if ending is not None:
                ending()
        except SystemExit as leaving:
            code = exit_code(leaving)
        except BaseException:  # a handler's failure doesn't undo the task
            sys.excepthook(*sys.exc_info())
    return code


def exit_code(leaving: SystemExit) -> int:
    """The code that the interpreter would end with."""
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    sys.stderr.write(f"{leaving.code}\n")
    return 1


def run_command(arguments: list[str]) -> int:
    """Run any command and wait for it: this process stays only to write down how it ended."""
    try:
        child = os.posix_spawnp(arguments[0], arguments, os.environ, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
    except OSError as error:
        sys.stderr.write(f"Cannot run {arguments[0]}: {error.strerror}\n")
        return 127 if error.errno == errno.ENOENT else 126

    def forward(number: int, _frame: Any) -> None:
        with contextlib.suppress(OSError):
            os.kill(child, number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    _, status = os.waitpid(child, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def finish(folder: str, code: int) -> NoReturn:
    """Write the exit code, whole, and end without the interpreter's slow farewell."""
    flush()
    with contextlib.suppress(OSError):
        descriptor = os.open(folder + "/exit~", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.write(descriptor, f"{code} {time.time():.6f}\n".encode())
        os.close(descriptor)
        os.rename(folder + "/exit~", folder + "/exit")
    os._exit(code)


def flush() -> None:
    """Write what the standard streams hold."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def redirect(path: str) -> None:
    """Send the standard streams to a file."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, flags, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def printed_since(offset: int) -> bytes:
    """What went to the standard streams after that."""
    with contextlib.suppress(OSError):
        return os.pread(1, _LARGEST_REPLAY, offset)
    return b""


def apply_environment(environment: dict[str, str], stem: list[str], path: list[str] | None) -> None:
    """Make the declared environment true before anything reads it."""
    os.environ.update(environment)
    if path is not None:
        sys.path[:] = [os.path.dirname(script_path("python")), *path, *stem]
        importlib.invalidate_caches()
    loggers = sys.modules.get("flytekit.loggers")
    if loggers is not None and any(name.startswith("FLYTE_SDK_") for name in environment):
        with contextlib.suppress(Exception):
            loggers.initialize_global_loggers()


def preload(module: str) -> None:
    """Load what attempts will need; what is missing or broken, an attempt will report itself."""
    try:
        importlib.import_module(module)
    except BaseException as error:
        sys.stderr.write(f"Not preloaded: {module} ({type(error).__name__}: {error})\n")


def load_file(module: str, path: str) -> None:
    """Load one of our own files as a module, without its folder on the path."""
    from importlib import util  # noqa: PLC0415 (not needed by the bare interpreter)

    try:
        spec = util.spec_from_file_location(module, path)
        assert spec is not None
        assert spec.loader is not None
        loaded = util.module_from_spec(spec)
        sys.modules[module] = loaded
        spec.loader.exec_module(loaded)
    except BaseException as error:
        sys.modules.pop(module, None)
        sys.stderr.write(f"Not loaded: {module} ({type(error).__name__}: {error})\n")


def script_path(name: str) -> str:
    """Where the interpreter's scripts are: what sys.argv[0] of a console script says."""
    return os.path.join(os.path.dirname(os.path.abspath(sys.executable)), name)


def belongings() -> tuple[set[int], set[str]]:
    """Open descriptors and threads, to compare with later."""
    return set(map(int, os.listdir("/proc/self/fd"))), set(os.listdir("/proc/self/task"))


def disturbed(before: tuple[set[int], set[str]]) -> str:
    """What the import left behind that siblings must not share; empty when nothing."""
    if threading.active_count() > 1 or len(sys._current_frames()) > 1:
        names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        return "it starts a Python thread ({})".format(", ".join(names) or "unnamed")
    own_name = read("/proc/self/comm")
    pools = any(pool in read("/proc/self/maps") for pool in _HARMLESS_POOLS)
    for thread in set(os.listdir("/proc/self/task")) - before[1]:
        name = read(f"/proc/self/task/{thread}/comm")
        if name and name not in _HARMLESS_THREADS and not (name == own_name and pools):
            return f"it starts a native thread ({name})"
    for descriptor in set(map(int, os.listdir("/proc/self/fd"))) - before[0]:
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{descriptor}")
            flags = int(read(f"/proc/self/fdinfo/{descriptor}").split("flags:")[1].split()[0], 8)
            if not target.startswith("/dev/") and not (target.startswith("/") and flags & os.O_APPEND):
                return f"it leaves {target} open"
    return ""


def read(path: str) -> str:
    """A small file's text, or nothing."""
    try:
        with open(path, errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def forget_shared_folders() -> None:
    """A temporary folder made at import is shared by all attempts: none of them may remove it at its end."""
    weakref = sys.modules.get("weakref")
    for finalizer in list(getattr(getattr(weakref, "finalize", None), "_registry", ())):
        with contextlib.suppress(Exception):
            if "TemporaryDirectory" in finalizer.peek()[1].__qualname__:
                finalizer.atexit = False


def watch_seeds() -> Message:
    """Notice whether a module seeds Python's generator while it is imported: then all attempts shall draw the same."""
    random = sys.modules.get("random")
    if random is None:
        return {}
    original = random.seed
    seen: Message = {"module": random, "original": original, "seeded": False}

    def seed(value: Any = None, *arguments: Any, **keywords: Any) -> None:
        seen["seeded"] = value is not None
        original(value, *arguments, **keywords)

    random.seed = seed  # type: ignore[attr-defined]
    return seen


def restore_seeds(seen: Message, kept: Message) -> None:
    """Undo `watch_seeds`; keep the state of a generator that was seeded on purpose."""
    if seen:
        seen["module"].seed = seen["original"]
        if seen["seeded"]:
            kept["random"] = seen["module"].getstate()


def reseed(kept: Message) -> None:
    """Let siblings draw different numbers, except where the module asked for the same ones."""
    random = sys.modules.get("random")
    if random is not None:
        if "random" in kept:
            random.setstate(kept["random"])
        else:
            random.seed()
    flyte_random = sys.modules.get("flytekit.interfaces.random")
    if flyte_random is not None:
        flyte_random.random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        key = numpy_random.get_state()[1]
        first, second = int(key[0]), int(key[1])
        # After seed(n), and only then, the state is this recurrence: such a module wants the same numbers each time.
        if second != (1812433253 * (first ^ (first >> 30)) + 1) & 0xFFFFFFFF:
            numpy_random.seed()
    torch = sys.modules.get("torch")
    if torch is not None:
        with contextlib.suppress(Exception):
            if torch.initial_seed() >= 1 << 32:
                torch.seed()


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
                    points = read(os.path.join(folder, entry, "entry_points.txt"))
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
    sys.path.insert(0, os.path.dirname(script_path("python")))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    boot = read("/proc/sys/kernel/random/boot_id")[:8] or "0"
    Zygote(socket.socket(fileno=int(sys.argv[1])), stem, boot).serve()
    os._exit(0)


if __name__ == "__main__":
    main()

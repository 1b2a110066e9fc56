"""What a forked attempt does, from claiming its folder to leaving its exit code.

Loaded by file into every zygote (see zygote.py, whose rules hold here too): standard library only, any Python from 3.8.
"""
# A zygote holds as little as possible, and pathlib is not little.
# ruff: noqa: PTH114, PTH115, PTH102, PTH103, PTH104, PTH108, PTH118, PTH120, PTH123, PTH208, PTH211, PTH100

from __future__ import annotations

import atexit
import contextlib
import errno
import importlib
import os
import signal
import sys
import threading
import time
import types
from typing import Any, Dict, NoReturn  # noqa: UP035 (for Python 3.8)

Message = Dict[str, Any]  # noqa: UP006 (evaluated, also by Python 3.8)

_LARGEST_TREE = 300
_LONGEST_REHEARSAL = 5.0
_trees: dict[str, tuple[list[str], list[str], list[str]]] = {}


def start_time(pid: str = "self") -> int:
    """When the process was started, in clock ticks since boot: with the pid, its identity."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


def claim(folder: str, boot: str) -> bool:
    """Write pid and start time, whole and once: only one process is ever this attempt. False for a second one."""
    mine = f"{folder}/pid.{os.getpid()}"
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, f"{os.getpid()} {start_time()} {boot} {time.time():.6f}\n".encode())
    finally:
        os.close(descriptor)
    try:
        os.link(mine, folder + "/pid")
    except FileExistsError:
        return False
    finally:
        os.unlink(mine)
    return True


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
    if message.get("code"):
        link_code(message["code"], work)
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
    here = work if message.get("code") else message.get("cwd") or work
    os.environ["PWD"] = here
    os.chdir(here)


def tree_of(code: str) -> tuple[list[str], list[str], list[str]]:
    """The folders and files of a code version, and the links: what is too much to be repeated is one link."""
    if code not in _trees:
        folders: list[str] = []
        files: list[str] = []
        links: list[str] = []
        for place, below, names in os.walk(code):
            base = place[len(code) + 1 :]
            below[:] = sorted(name for name in below if name != "__pycache__")
            folders += [os.path.join(base, name) for name in below if not os.path.islink(os.path.join(place, name))]
            for name in names + [name for name in below if os.path.islink(os.path.join(place, name))]:
                kind = links if os.path.islink(os.path.join(place, name)) else files
                kind.append(os.path.join(base, name))
            if len(folders) + len(files) > _LARGEST_TREE:
                folders, files, links = [], [], sorted(set(os.listdir(code)) - {"__pycache__"})
                break
        _trees[code] = folders, files, links
    return _trees[code]


def link_code(code: str, work: str) -> None:
    """Have the code in the working folder: in folders of the attempt's own, with files that are no links.

    flytekit refuses to upload what is a link, and what a task adds to a folder is no other task's business.
    """
    folders, files, links = tree_of(code)
    for name in folders:
        os.mkdir(f"{work}/{name}", 0o700)
    for name in files:
        try:
            os.link(f"{code}/{name}", f"{work}/{name}")
        except OSError:
            os.symlink(f"{code}/{name}", f"{work}/{name}")
    for name in links:
        path = f"{code}/{name}"
        os.symlink(os.readlink(path) if os.path.islink(path) else path, f"{work}/{name}")


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
    except BaseException:  # noqa: BLE001 (as the interpreter does with what nobody caught)
        sys.excepthook(*sys.exc_info())
        code = 1
    # What the interpreter does at its end: other threads first, then the handlers (trackers flush there).
    for ending in (getattr(threading, "_shutdown", None), getattr(atexit, "_run_exitfuncs", None)):
        try:
            if ending is not None:
                ending()
        except SystemExit as leaving:
            code = exit_code(leaving)
        except BaseException:  # noqa: BLE001 (a handler's failure doesn't undo the task)
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


def script_path(name: str) -> str:
    """Where the interpreter's scripts are: what sys.argv[0] of a console script says."""
    return os.path.join(os.path.dirname(os.path.abspath(sys.executable)), name)


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


def read(path: str) -> str:
    """A small file's text, or nothing."""
    try:
        with open(path, errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def has_idle_processor() -> bool:
    """Whether no more processes want to run than can."""
    running = read("/proc/loadavg").split()[3].partition("/")[0]
    return int(running) <= (os.cpu_count() or 1)


def warm_up() -> None:
    """Run what the SDK's rehearsal offers, but not for long."""
    rehearsal = sys.modules.get("volant_rehearsal")
    if rehearsal is None:
        return

    def enough(_number: int, _frame: Any) -> None:
        raise TimeoutError("the rehearsal takes too long")

    signal.signal(signal.SIGALRM, enough)
    signal.setitimer(signal.ITIMER_REAL, _LONGEST_REHEARSAL)
    try:
        rehearsal.again()
    except Exception as error:  # noqa: BLE001 (it was only for speed)
        sys.stderr.write(f"A rehearsal failed: {error}\n")
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)

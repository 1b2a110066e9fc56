"""Making one environment of a recipe: a virtual environment on top of the interpreter for tasks. It blocks.

Its own packages win over those of the interpreter below, whose packages (and with them the SDK) are seen too. Where the
recipe wants another version of Python, nothing below fits: then the SDK is linked in, and what it needs is installed.
"""

import collections
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from volant_core import errors
from volant_engine.launchers.process import recipes

MARK = "volant-environment.json"
"""In every environment, saying what it was made of; its time is that of the last use."""
_SDK = "volant"
_LOOK = """
import importlib.metadata, json, os, sys
def place(name):
    try:
        return os.path.dirname(__import__(name).__file__)
    except Exception:
        return ""
try:
    found = importlib.metadata.distribution("volant")
    requires, info = list(found.requires or ()), str(getattr(found, "_path", ""))
except importlib.metadata.PackageNotFoundError:
    requires, info = [], ""
print(json.dumps({
    "version": "%d.%d" % sys.version_info[:2],
    "folders": [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))],
    "requires": [one for one in requires if "extra ==" not in one],
    "links": [one for one in (place("volant"), place("volantidl"), info) if one],
}))
"""
_SAID_LINES = 25


@dataclasses.dataclass(frozen=True, slots=True)
class Base:
    """The interpreter for tasks: what environments stand on."""

    python: pathlib.Path
    version: str
    """major.minor."""
    folders: Sequence[str]
    """Where its packages are."""
    requires: Sequence[str]
    """What the SDK requires; empty where it has none."""
    links: Sequence[str]
    """The SDK's own folders."""
    uv: str | None
    """What installs, many times faster than pip; None: pip does."""

    @property
    def identity(self) -> str:
        """What an environment made on it depends on."""
        return json.dumps([str(self.python), self.version, sorted(self.requires)])


class Running:
    """The processes of the builds under way, so that a shutdown can end them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def call(self, command: Sequence[str], environment: Mapping[str, str], say: Callable[[str], None]) -> int:
        """Run a command and pass its lines on; gives its exit code."""
        with self._lock:
            if self._stopped:
                raise errors.UnavailableError("shutting down")
            process = subprocess.Popen(  # noqa: S603 - our own words
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._processes.add(process)
        try:
            with process:
                assert process.stdout is not None
                for line in process.stdout:
                    say(line.rstrip())
        finally:
            self._processes.discard(process)
        return process.returncode

    def stop(self) -> None:
        """End all, for good."""
        with self._lock:
            self._stopped = True
            for process in list(self._processes):
                with contextlib.suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)


def look_at(python: pathlib.Path, environment: Mapping[str, str]) -> Base:
    """Ask the interpreter for tasks what it has."""
    done = subprocess.run(  # noqa: S603 - the interpreter that the operator named
        [str(python), "-c", _LOOK], env=dict(environment), capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise errors.UnavailableError(f"the interpreter for tasks, {python}, can't be asked: {done.stderr[-500:]}")
    places = [str(python.parent), str(pathlib.Path(sys.executable).parent), environment.get("PATH", "")]
    uv = shutil.which("uv", path=os.pathsep.join(places))
    return Base(python=python, uv=uv, **json.loads(done.stdout.splitlines()[-1]))


def build(
    recipe: recipes.Recipe,
    base: Base,
    folder: pathlib.Path,
    environment: Mapping[str, str],
    running: Running,
    say: Callable[[str], None],
) -> None:
    """Make the environment in `folder`, whole or not at all. FailedPreconditionError, for the user, when it fails."""
    draft = folder.with_name(f"{folder.name}~{os.getpid()}-{os.urandom(4).hex()}")
    try:
        _make(recipe, base, draft, {**environment, **_for_uv(environment)}, running, say)
        _move_scripts(draft, folder)
        told = {"image": recipe.image, "words": recipe.words}
        (draft / MARK).write_text(json.dumps(told))
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _make(
    recipe: recipes.Recipe,
    base: Base,
    draft: pathlib.Path,
    environment: Mapping[str, str],
    running: Running,
    say: Callable[[str], None],
) -> None:
    _check_archives(recipe)
    wanted_version = ".".join(recipe.python_version.split(".")[:2])
    is_same = wanted_version in ("", base.version)
    python = base.python if is_same else _interpreter(wanted_version, recipe, base, environment)
    said: collections.deque[str] = collections.deque(maxlen=_SAID_LINES)

    def hear(line: str) -> None:
        said.append(line)
        say(line)

    def run(command: Sequence[str]) -> None:
        said.clear()
        code = running.call(command, environment, hear)
        if code:
            raise errors.FailedPreconditionError(_failure(recipe, command, code, said))

    run([str(python), "-m", "venv", "--without-pip", str(draft)])
    inside = draft / "bin" / "python"
    (packages,) = (draft / "lib").glob("python*/site-packages")
    (draft / "requirements.txt").write_text(recipe.requirements)
    # Whatever is installed, the SDK of the interpreter below must still find what it needs.
    (draft / "constraints.txt").write_text("".join(f"{one}\n" for one in base.requires))
    wanted = [*recipe.packages, *(path for path, _ in recipe.archives), *(() if is_same else base.requires)]
    if wanted or recipe.requirements.strip():
        run(
            [
                *_installer(base, inside),
                *("--constraint", str(draft / "constraints.txt")),
                *(("--requirement", str(draft / "requirements.txt")) if recipe.requirements.strip() else ()),
                *_index(recipe),
                *wanted,
            ]
        )
    if is_same:
        below = "; ".join(f"site.addsitedir({folder!r})" for folder in base.folders)
        (packages / "volant_below.pth").write_text(f"import site; {below}\n")
    else:
        for link in map(pathlib.Path, base.links):
            if not (packages / link.name).exists():
                (packages / link.name).symlink_to(link)


def _check_archives(recipe: recipes.Recipe) -> None:
    for path, digest in recipe.archives:
        try:
            found = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
        except OSError as error:
            raise errors.FailedPreconditionError(
                f"the image {recipe.image} wants the package {path}, which can't be read on the machine that runs "
                f"tasks ({error.strerror}). Put it there, or name a package of an index"
            ) from error
        if found != digest:
            raise errors.FailedPreconditionError(
                f"the image {recipe.image} wants the package {path}, which is no more what it was when the task was "
                "registered. Register the task again"
            )


def _interpreter(version: str, recipe: recipes.Recipe, base: Base, environment: Mapping[str, str]) -> pathlib.Path:
    """An interpreter of another version than the base's."""
    found = shutil.which(f"python{version}", path=environment.get("PATH"))
    if found is None:
        raise errors.FailedPreconditionError(
            f"the image {recipe.image} wants Python {recipe.python_version}, and there is no python{version} on the "
            f"machine that runs tasks (they run with {base.version}). Install it there, or leave python_version out"
        )
    if not base.links:
        raise errors.FailedPreconditionError(
            f"the image {recipe.image} wants Python {recipe.python_version}, but the interpreter for tasks, "
            f"{base.python}, has no {_SDK} that could be used with it. Install {_SDK} there"
        )
    return pathlib.Path(found)


def _installer(base: Base, inside: pathlib.Path) -> list[str]:
    """The beginning of the command that installs."""
    if base.uv is not None:
        return [base.uv, "pip", "install", "--python", str(inside), "--no-progress"]
    return [str(base.python), "-m", "pip", "--python", str(inside), "install", "--no-input", "--progress-bar", "off"]


def _index(recipe: recipes.Recipe) -> list[str]:
    words = ["--index-url", recipe.pip_index] if recipe.pip_index else []
    for extra in recipe.pip_extra_index_url:
        words += ["--extra-index-url", extra]
    return [*words, *shlex.split(recipe.pip_extra_args)]


def _for_uv(environment: Mapping[str, str]) -> dict[str, str]:
    """What was set for pip counts for uv too. A server downloads no interpreters behind its operator's back."""
    pairs = (
        ("PIP_INDEX_URL", "UV_INDEX_URL"),
        ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"),
        ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
        ("PIP_NO_INDEX", "UV_NO_INDEX"),
    )
    told = {uv: environment[pip] for pip, uv in pairs if environment.get(pip) and uv not in environment}
    return {**told, "UV_PYTHON_DOWNLOADS": "never", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _move_scripts(draft: pathlib.Path, folder: pathlib.Path) -> None:
    """Scripts name the folder in which they were installed: have them name the one where they will be."""
    for path in (draft / "bin").iterdir():
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if str(draft).encode() in data:
            path.write_bytes(data.replace(str(draft).encode(), str(folder).encode()))


def _failure(recipe: recipes.Recipe, command: Sequence[str], code: int, said: Sequence[str]) -> str:
    program = "uv" if command[0].endswith("uv") else "pip" if "pip" in command else "venv"
    lines = "\n".join(f"    {line}" for line in said) or "    (nothing)"
    return (
        f"the environment of the image {recipe.image} can't be made: {program} ended with code {code} while installing "
        f"{recipe.words}. The last that it said:\n{lines}\n"
        "Mend packages=, requirements= or the index (pip_index=) of the task's ImageSpec and register it again; if the "
        "index could not be reached, try again"
    )

"""What a task's command line and environment ask for. Pure: words in, a plan out."""

import dataclasses
import itertools
import pathlib
from collections.abc import Mapping, Sequence

_HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True, slots=True)
class Kit:
    """An SDK whose entry points can be run by fork: what its zygote loads beforehand."""

    scripts: tuple[str, ...]
    """Its console scripts."""
    fast: str
    """Its console script that unpacks code first; the launcher does that itself."""
    fast_waits: bool
    """Whether that script waits for the work, rather than becoming it."""
    preload: tuple[str, ...]
    """Modules beyond the entry points' own."""
    files: Mapping[str, str]
    """Our own files that are loaded into it: module name -> path."""
    rehearsal: Mapping[str, str]
    """The same, for what only makes forks quicker."""


KITS: Mapping[str, Kit] = {
    "flytekit": Kit(
        scripts=("pyflyte-execute", "pyflyte-map-execute"),
        fast="pyflyte-fast-execute",
        fast_waits=True,
        preload=(
            "flytekit",
            "flytekit.core.array_node_map_task",
            "flytekit.core.python_auto_container",
            "cloudpickle",
            "s3fs",
        ),
        files={
            "volant_folder_files": str(_HERE / "folder_files.py"),
            "volant_folder_s3": str(_HERE / "folder_s3.py"),
            "volant_fork": str(_HERE / "fork_flytekit.py"),
        },
        rehearsal={"volant_rehearsal": str(_HERE / "rehearsal_flytekit.py")},
    ),
    "volant": Kit(
        scripts=("volant-execute", "volant-map-execute"),
        fast="volant-fast-execute",
        fast_waits=False,
        preload=("volant",),
        files={},
        rehearsal={"volant_rehearsal": str(_HERE / "rehearsal_volant.py")},
    ),
}
_KIT_OF_SCRIPT = {script: name for name, kit in KITS.items() for script in kit.scripts}
_FAST = {kit.fast: kit for kit in KITS.values()}


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """How to run an attempt's command."""

    words: tuple[str, ...]
    """The command that does the work, without the one that unpacks code before it."""
    kit: str | None
    """The SDK whose entry point it is; None: any other command, run cold."""
    archive: str | None = None
    """URI of the code to unpack first."""
    modules: tuple[str, ...] = ()
    """The user's modules that the work needs, to be imported once."""
    is_waited_for: bool = False
    """A Python program before it would wait for it: of a signal N that kills it that makes 256 - N, a shell 128 + N."""

    @property
    def script(self) -> str:
        """The console script's name."""
        return script_of(self.words)


def script_of(words: Sequence[str]) -> str:
    """The program's name without its folder."""
    return words[0].rpartition("/")[2] if words else ""


def kit_of(script: str) -> str | None:
    """The SDK that a console script belongs to; None for any other command."""
    return _KIT_OF_SCRIPT.get(script)


def plan(words: Sequence[str]) -> Plan:
    """What a container's command and arguments ask for."""
    archive = None
    inner = list(words)
    fast = _FAST.get(script_of(words))
    if fast is not None:
        archive, destination, inner = _fast(words)
        if archive is not None:
            inner = _with_dynamic(inner, archive, destination)
    kit = kit_of(script_of(inner))
    return Plan(
        words=tuple(inner),
        kit=kit,
        archive=archive,
        modules=_modules(inner) if kit else (),
        is_waited_for=fast is not None and fast.fast_waits,
    )


def _fast(words: Sequence[str]) -> tuple[str | None, str, list[str]]:
    """Archive, destination and inner command of a fast-execute command line."""
    archive: str | None = None
    destination = "."
    position = 1
    while position < len(words):
        name, equals, value = words[position].partition("=")
        if name == "--":
            return archive, destination, list(words[position + 1 :])
        if name not in ("--additional-distribution", "--dest-dir"):
            break
        if not equals:
            position += 1
            value = words[position] if position < len(words) else ""
        if name == "--additional-distribution":
            archive = value or None
        else:
            destination = value or "."
        position += 1
    return archive, destination, list(words[position:])


def _with_dynamic(words: Sequence[str], archive: str, destination: str) -> list[str]:
    """Tell the entry point where its code came from, for the tasks that a dynamic one makes."""
    told: list[str] = []
    for word in words:
        if word == "--resolver":
            told += ["--dynamic-addl-distro", archive, "--dynamic-dest-dir", destination]
        told.append(word)
    return told


def _modules(words: Sequence[str]) -> tuple[str, ...]:
    """The values that follow "task-module" among the resolver's arguments."""
    after = words[words.index("--") + 1 :] if "--" in words else words
    return tuple(
        value for name, value in itertools.pairwise(after) if name == "task-module" and value not in ("", "__main__")
    )


# Ours, or another task's: never passed on to an attempt.
_OURS = ("VOLANT_", "GRPC_", "OTEL_", "PG", "FLYTE_INTERNAL_", "_F_", "_FSEC_", "COVERAGE_", "COV_CORE_", "PYTEST_")
# Different for each attempt of one version, so modules can't count on them while they are imported.
_PER_ATTEMPT = (
    "FLYTE_INTERNAL_",
    "FLYTE_ATTEMPT_NUMBER",
    "FLYTE_EXECUTION_URL",
    "FLYTE_K8S_ARRAY_INDEX",
    "FLYTE_SECRETS_",
    "BATCH_JOB_ARRAY_INDEX",
    "_F_",
    "VOLANT_ATTEMPT",
    "VOLANT_DRIVER_",
    "VOLANT_STORE_",
    "TMPDIR",
)
# Read when the interpreter or the loader starts: such a task needs an interpreter of its own.
_PER_INTERPRETER = ("PYTHON", "LD_", "MALLOC_", "GLIBC_", "LC_", "LANG", "TZ", "PROTOCOL_BUFFERS_")


@dataclasses.dataclass(frozen=True, slots=True)
class Environment:
    """An attempt's variables, by who must know them when."""

    interpreter: Mapping[str, str]
    """Before the interpreter starts."""
    declared: Mapping[str, str]
    """Before the user's modules are imported."""
    attempt: Mapping[str, str]
    """Only the attempt's own."""
    python_path: tuple[str, ...] | None
    """PYTHONPATH, where it is given."""


def split(environment: Mapping[str, str], base: Mapping[str, str], folder: str) -> Environment:
    """Sort an attempt's variables; what is the same in `base`, every zygote's environment, needs no mention.

    Paths below the attempt's own `folder` are the attempt's, whatever their variable is called.
    """
    interpreter: dict[str, str] = {}
    declared: dict[str, str] = {}
    attempt: dict[str, str] = {}
    python_path: tuple[str, ...] | None = None
    for name, value in environment.items():
        if name == "PYTHONPATH":
            python_path = tuple(part for part in value.split(":") if part)
        elif base.get(name) == value:
            continue
        elif name.startswith(_PER_ATTEMPT) or value.startswith(f"{folder}/"):
            attempt[name] = value
        elif name.startswith(_PER_INTERPRETER):
            interpreter[name] = value
        else:
            declared[name] = value
    return Environment(interpreter, declared, attempt, python_path)


def inheritable(environment: Mapping[str, str]) -> dict[str, str]:
    """What attempts get of the server's own environment."""
    return {name: value for name, value in environment.items() if not name.startswith(_OURS)}

"""Virtual environments of the flytekit releases that users still have, each with the packages of its own time.

    environments.py make [NAME…]     make those that are missing (all without names)
    environments.py compile [NAME…]  write requirements/NAME.txt anew

An environment lies in `.venv-clients/NAME` at the repository's root. Its requirements were resolved as of the day after
the release, so an old flytekit gets the protobuf, numpy and s3fs that it was made with. A Python that is not on the
machine and that uv cannot get leaves its environments out, with a reason.
"""

import argparse
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
FOLDER = ROOT / ".venv-clients"
REQUIREMENTS = HERE / "requirements"
UV = pathlib.Path(sys.executable).parent / "uv"


@dataclasses.dataclass(frozen=True)
class Client:
    """A flytekit release on a Python."""

    flytekit: str
    python: str
    as_of: str
    """The day as of which its requirements are resolved."""
    extras: tuple[str, ...] = ("numpy", "pandas", "pyarrow")
    """Packages beside flytekit's own requirements."""

    suffix: str = ""
    """What tells it from another of the same release and Python."""

    @property
    def name(self) -> str:
        """Names the environment and its requirements file."""
        return f"flytekit-{self.flytekit}-py{self.python}{self.suffix}"

    @property
    def minor(self) -> str:
        """The release line."""
        return ".".join(self.flytekit.split(".")[:2])

    @property
    def interpreter(self) -> pathlib.Path:
        """Its Python."""
        return FOLDER / self.name / "bin" / "python"


CLIENTS = (
    Client("1.10.7", "3.8", "2024-06-01"),
    Client("1.10.7", "3.11", "2024-06-01"),
    Client("1.12.3", "3.10", "2024-08-01"),
    Client("1.13.15", "3.11", "2025-02-01"),
    Client("1.14.9", "3.11", "2025-07-01"),
    Client("1.15.4", "3.12", "2025-07-01"),
    Client("1.16.31", "3.11", "2026-11-20"),
    Client("1.16.31", "3.12", "2026-11-20"),
)
"""The first and the last release lines of 1.10 to 1.16, the ends on two Pythons."""


NEWEST = CLIENTS[6]
"""Whose command line is tried out."""

_PLUGINS = (
    "deck-standard",
    "duckdb",
    "memray",
    "omegaconf",
    "optuna",
    "pandera",
    "papermill",
    "pod",
    "polars",
    "sqlalchemy",
)
PLUGINS = Client(
    NEWEST.flytekit,
    NEWEST.python,
    NEWEST.as_of,
    (
        *NEWEST.extras,
        *(f"flytekitplugins-{name}" for name in _PLUGINS),
        "ipykernel",
        "markdown",
        "plotly",
        "scikit-learn",
    ),
    "-plugins",
)
"""The newest with its plugins."""


class UnavailableError(Exception):
    """An environment cannot be had here."""


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    uv = str(UV) if UV.exists() else shutil.which("uv") or "uv"
    environment = {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"}
    return subprocess.run([uv, *arguments], env=environment, capture_output=True, text=True, check=False)


def _python(version: str) -> str:
    """What to tell uv: pyenv's own folder where uv does not look, else the version."""
    versions = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")) / "versions"
    for interpreter in sorted(versions.glob(f"{version}.*/bin/python")):
        return str(interpreter)
    return version


def compile_requirements(client: Client) -> None:
    """Resolve a client's requirements."""
    wanted = "\n".join([f"flytekit=={client.flytekit}", *client.extras]) + "\n"
    source = REQUIREMENTS / f"{client.name}.in"
    source.write_text(wanted)
    done = _uv(
        *("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"),
        *("--python-version", client.python, "--exclude-newer", client.as_of),
        *("--output-file", str(source.with_suffix(".txt")), str(source)),
    )
    source.unlink()
    if done.returncode:
        raise UnavailableError(done.stderr)


def make(client: Client) -> pathlib.Path:
    """Make a client's environment, unless it is there; its interpreter."""
    requirements = REQUIREMENTS / f"{client.name}.txt"
    stamp = FOLDER / client.name / ".ready"
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return client.interpreter
    done = _uv("venv", "--quiet", "--clear", "--python", _python(client.python), str(FOLDER / client.name))
    if done.returncode:
        raise UnavailableError(f"no Python {client.python}: {done.stderr.strip().splitlines()[-1]}")
    done = _uv("pip", "install", "--quiet", "--python", str(client.interpreter), "-r", str(requirements))
    if done.returncode:
        raise UnavailableError(f"its packages cannot be installed: {done.stderr.strip()[-2000:]}")
    stamp.write_text(requirements.read_text())
    return client.interpreter


def main() -> int:
    """Make or compile what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["make", "compile"])
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    failed = 0
    for client in (*CLIENTS, PLUGINS):
        if arguments.names and client.name not in arguments.names:
            continue
        try:
            if arguments.command == "compile":
                compile_requirements(client)
            else:
                make(client)
            print(f"{client.name}: ready")
        except UnavailableError as error:
            failed += 1
            print(f"{client.name}: {error}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

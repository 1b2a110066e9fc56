"""Run a program's whole command line against a platform, and write down what came.

    commands.py flytectl|pyflyte|grpcurl [--flyte HOST:PORT --project NAME] [--write]

Without --flyte a platform of our own is started. FLYTECTL and GRPCURL name the programs where they are not on the PATH.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import command_runs
import environments
import flytectl_steps
import grpcurl_steps
import page
import platform_up
import plugin_steps
import pyflyte_steps

HERE = pathlib.Path(__file__).parent


_SOURCES = {
    "flytectl": "`go build` in the folder flytectl of flyteorg/flyte makes it",
    "grpcurl": "`go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest` makes it",
}


def program(name: str) -> str | None:
    """Where a program is, if it is."""
    return os.environ.get(name.upper()) or shutil.which(name)


def needed(name: str) -> str:
    """Where a program is. SystemExit, with the way out, when it is not here."""
    found = program(name)
    if not found:
        sys.exit(f"{name} is neither on the PATH nor named by {name.upper()}: {_SOURCES[name]}")
    return found


def package(python: pathlib.Path, folder: pathlib.Path) -> None:
    """What flytectl registers: a package with its code beside it, one without, and one of its files alone."""
    pyflyte = python.parent / "pyflyte"
    for copy, name in (("all", "package.tgz"), ("none", "plain.tgz")):
        words = [str(pyflyte), "--pkgs", "command_flows", "package", "--copy", copy, "--force"]
        words += ["--image", "localhost/flytekit:1", "--output", str(folder / name)]
        subprocess.run(words, cwd=HERE / "flows", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with tarfile.open(folder / "package.tgz") as archive:
        member = next(one for one in archive.getnames() if one.endswith("simple.imaged_1.pb"))
        found = archive.extractfile(member)
        assert found is not None
        (folder / "one.pb").write_bytes(found.read())


def run_flytectl(python: pathlib.Path, endpoint: str, project: str, output_prefix: str) -> list[command_runs.Row]:
    """All of flytectl's steps, with packages made by the flytekit of `python`."""
    flytectl = needed("flytectl")
    with tempfile.TemporaryDirectory(prefix="flytectl-") as folder:
        home = pathlib.Path(folder)
        package(python, home)
        (home / "config.yaml").write_text(f"admin: {{endpoint: 'dns:///{endpoint}', insecure: true}}\n")
        runner = command_runs.Runner(
            home,
            {"flytectl": [flytectl, "--config", str(home / "config.yaml")]},
            {"HOME": folder},
            {"project": project, "endpoint": endpoint, "output_prefix": output_prefix},
        )
        return runner.run(flytectl_steps.STEPS)


def run_pyflyte(
    platform: platform_up.Platform,
    python: pathlib.Path,
    flows: str,
    steps: Sequence[command_runs.Step],
) -> list[command_runs.Row]:
    """Steps of the pyflyte beside `python`, in a folder with a copy of one package of the flows."""
    with tempfile.TemporaryDirectory(prefix="pyflyte-") as folder:
        home = pathlib.Path(folder)
        shutil.copytree(HERE / "flows" / flows, home / flows, ignore=shutil.ignore_patterns("__pycache__"))
        programs = {
            "pyflyte": [str(python.parent / "pyflyte")],
            "show": [str(python), str(HERE / "show_execution.py")],
        }
        variables = {"raw": "s3://volant/raw", "wait": "--wait --poll-interval 1", "unique": secrets.token_hex(3)}
        environment = {"HOME": folder, **platform.environment()}
        warm = command_runs.Warm(python.parent / "pyflyte", environment)
        try:
            return command_runs.Runner(home, programs, environment, variables, warm).run(steps)
        finally:
            warm.close()


def run_grpcurl(platform: platform_up.Platform) -> list[command_runs.Row]:
    """All of grpcurl's steps, and the description of each message that there is."""
    grpcurl = needed("grpcurl")
    with tempfile.TemporaryDirectory(prefix="grpcurl-") as folder:
        runner = command_runs.Runner(pathlib.Path(folder), {"grpcurl": [grpcurl]}, {}, {"endpoint": platform.grpc})
        return [*runner.run(grpcurl_steps.STEPS), _describe_all(grpcurl, platform.grpc)]


def _describe_all(grpcurl: str, endpoint: str) -> command_runs.Row:
    """Describe what the services' descriptions name, what those descriptions name, and so on."""
    seen: set[str] = set()
    waiting = list(grpcurl_steps.SERVICES)
    wrong = ""
    while waiting:
        batch = [name for name in dict.fromkeys(waiting) if name not in seen]
        waiting = []
        for name in batch:
            seen.add(name)
            words = [grpcurl, "-plaintext", endpoint, "describe", name]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                wrong = f"{name}: {done.stderr[-300:]}"
            waiting += re.findall(r"[ .(]\.((?:flyteidl|datacatalog)\.[\w.]+)", done.stdout)
    said = f"{len(seen)} services, messages and enums"
    return command_runs.Row("grpcurl -plaintext {endpoint} describe (each message)", 0, said, wrong)


def run(name: str, flyte: str | None, project: str) -> list[command_runs.Row]:
    """All steps of a program, against a Flyte or a platform of our own."""
    python = environments.make(environments.PLUGINS if name == "plugins" else environments.NEWEST)
    if flyte:
        return run_flytectl(python, flyte, project, "s3://my-s3-bucket/other")
    with platform_up.running(python) as platform:
        if name == "pyflyte":
            return run_pyflyte(platform, python, "command_flows", pyflyte_steps.STEPS)
        if name == "plugins":
            return run_pyflyte(platform, python, "plugin_flows", plugin_steps.STEPS)
        if name == "grpcurl":
            return run_grpcurl(platform)
        return run_flytectl(python, platform.http, project, "s3://volant/other")


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=["flytectl", "pyflyte", "grpcurl", "plugins"])
    parser.add_argument("--flyte")
    parser.add_argument("--project", default="clients")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", type=pathlib.Path)
    arguments = parser.parse_args()
    rows = run(arguments.program, arguments.flyte, arguments.project)
    told = [dataclasses.asdict(row) for row in rows]
    if arguments.keep:
        arguments.keep.write_text(json.dumps(told, indent=1))
    if arguments.write and not arguments.flyte:
        page.keep_rows(arguments.program, told)
        page.write()
    wrong = [row for row in rows if row.wrong]
    print(f"{len(rows)} commands, {len(wrong)} not as they must be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

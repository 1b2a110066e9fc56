"""Running a container task on this machine, where docker or podman works: data goes in and out as on a platform."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from volant import context, errors
from volant.types import transformer
from volant.types.files import Directory, File

if TYPE_CHECKING:
    from volant.authoring import containers

_INPUT = re.compile(r"\{\{\s*\.[iI]nputs\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_READ: Mapping[Any, Callable[[str], Any]] = {
    int: int,
    float: float,
    str: str,
    bool: lambda text: {"true": True, "false": False}[text.lower()],
    datetime.datetime: datetime.datetime.fromisoformat,
}


def execute(one: containers.ContainerTask, inputs: Mapping[str, Any]) -> Any:
    """Run the image; gives the outputs."""
    tool = _working_tool(one)
    folder = context.current_context().local_path("container")
    given, made = folder / "in", folder / "out"
    given.mkdir(parents=True)
    made.mkdir()
    texts = {name: _place(value, given / name, f"{one.input_data_dir}/{name}") for name, value in inputs.items()}
    (given / "inputs.json").write_text(json.dumps(texts))
    words = [tool, "run", "--rm"]
    if one.input_data_dir:
        words += ["--volume", f"{given}:{one.input_data_dir}"]
    if one.output_data_dir:
        words += ["--volume", f"{made}:{one.output_data_dir}"]
    for name, value in one.settings.environment.items():
        words += ["--env", f"{name}={value}"]
    filled = [_INPUT.sub(lambda found: texts[found.group(1)], word) for word in (*one.command, *one.arguments)]
    done = subprocess.run([*words, one.image_name, *filled], capture_output=True, text=True, check=False)  # noqa: S603
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if done.returncode:
        raise errors.TaskFailedError(
            f"{one.source}: {one.name}: the container ended with code {done.returncode}: {done.stderr.strip()[-2000:]}"
        )
    values = tuple(_output(one, name, kind, made / name) for name, kind in one.interface.outputs.items())
    return values[0] if len(values) == 1 else values or None


def _working_tool(one: containers.ContainerTask) -> str:
    tried = []
    for name in ("docker", "podman"):
        found = shutil.which(name)
        if found is None:
            tried.append(f"{name}: not installed")
        elif subprocess.run([found, "info"], check=False, capture_output=True).returncode:  # noqa: S603 - our own words
            tried.append(f"{name}: '{name} info' fails")
        else:
            return found
    raise errors.DefinitionError(
        f"{one.source}: {one.name} runs the image {one.image_name!r}, for which docker or podman is needed here "
        f"({'; '.join(tried)}). Install one, run it on a platform, or in tests replace it with volant.testing.patch"
    )


def _place(value: Any, target: pathlib.Path, inside: str) -> str:
    """Put a value where the container reads it; gives what stands for it in the command."""
    if isinstance(value, File):
        shutil.copyfile(os.fspath(value), target)
        return inside
    if isinstance(value, Directory):
        shutil.copytree(os.fspath(value), target)
        return inside
    text = value.isoformat() if isinstance(value, (datetime.datetime, datetime.date)) else str(value)
    target.write_text(text)
    return text


def _output(one: containers.ContainerTask, name: str, kind: Any, file: pathlib.Path) -> Any:
    if not file.exists():
        raise errors.TaskFailedError(
            f"{one.source}: {one.name} ended without the output {name!r}: it must write "
            f"{one.output_data_dir or '<output_data_dir>'}/{name}"
        )
    if kind in (File, Directory):
        return kind(file)
    text = file.read_text().strip()
    try:
        return _READ[kind](text)
    except (KeyError, ValueError) as cause:
        raise errors.TypeMismatchError(
            f"{one.source}: {one.name}, output {name!r}: expected {transformer.describe(kind)}, found the text "
            f"{transformer.excerpt(text)}"
        ) from cause

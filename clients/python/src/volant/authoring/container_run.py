"""Running a container task on this machine, where docker or podman works: data goes in and out as on a platform."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from volant import context, errors
from volant.copilot import inputs as copilot_inputs
from volant.copilot import outputs as copilot_outputs
from volant.types import engine
from volantidl.core import literals_pb2

if TYPE_CHECKING:
    from volant.authoring import containers

_INPUT = re.compile(r"\{\{\s*\.[iI]nputs\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


def execute(one: containers.ContainerTask, inputs: Mapping[str, Any]) -> Any:
    """Run the image; gives the outputs."""
    tool = _working_tool(one)
    current = context.current_context()
    folder = current.local_path("container")
    given, made = folder / "inputs", folder / "outputs"
    made.mkdir(parents=True)
    kinds = one.interface.inputs
    literals = {name: engine.to_literal(value, kinds[name]) for name, value in inputs.items()}
    placing = copilot_inputs.Placing(given, one.input_data_dir)
    placing.place(literals_pb2.LiteralMap(literals=literals), one.metadata_format)
    words = [tool, "run", "--rm"]
    if one.input_data_dir:
        words += ["--volume", f"{given}:{one.input_data_dir}"]
    if one.output_data_dir:
        words += ["--volume", f"{made}:{one.output_data_dir}"]
    for name, value in one.settings.environment.items():
        words += ["--env", f"{name}={value}"]

    def value_of(found: re.Match[str]) -> str:
        name = found.group(1)
        simple = literals[name].scalar.WhichOneof("value") == "primitive"
        return (given / name).read_text() if simple else f"{one.input_data_dir}/{name}"

    filled = [_INPUT.sub(value_of, word) for word in (*one.command, *one.arguments)]
    done = subprocess.run([*words, one.image_name, *filled], capture_output=True, text=True, check=False)  # noqa: S603
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    if done.returncode:
        raise errors.TaskFailedError(
            f"{one.source}: {one.name}: the container ended with code {done.returncode}: {done.stderr.strip()[-2000:]}"
        )
    types = {name: variable.type for name, variable in one.interface.typed.outputs.variables.items()}
    collecting = copilot_outputs.Collecting(made, one.output_data_dir, current.new_uri())
    try:
        literals = dict(collecting.collect(types).literals)
    except errors.TaskFailedError as wrong:
        raise errors.TaskFailedError(f"{one.source}: {one.name}: {wrong}") from wrong
    values = tuple(engine.to_python(literals[name], kind) for name, kind in one.interface.outputs.items())
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

"""Tasks that are not Python functions: containers, shell scripts, SQL, and the engine's own echo."""

from __future__ import annotations

import dataclasses
import datetime
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from volant import context, errors, user_code
from volant.authoring import interface, naming, task
from volant.storage import router
from volant.types.files import Directory, File

_QUERY_INPUT = re.compile(r"\{\{\s*\.[iI]nputs\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_PLACEHOLDER = re.compile(r"\{(inputs|outputs|ctx)\.([A-Za-z_][A-Za-z0-9_]*)\}")


def _signature(inputs: Mapping[str, Any] | None, outputs: Mapping[str, Any] | None) -> interface.Interface:
    return interface.Interface(inputs=dict(inputs or {}), outputs=dict(outputs or {}))


class VariableTask(task.Task):
    """A task that is a variable of a module and not a function: a task process finds it by that variable."""

    def __init__(self, name: str, signature: interface.Interface, settings: task.TaskSettings) -> None:
        self._module = _calling_module()
        self._line = user_code.caller_line()
        prefix = naming.module_of(self._module.__name__) if self._module is not None else ""
        super().__init__(f"{prefix}.{name}" if prefix else name, signature, settings)

    @property
    def source(self) -> str:
        """The file and line that define it."""
        return self._line

    @property
    def home_module(self) -> types.ModuleType | None:
        """The module that defines it."""
        return self._module

    def loader_arguments(self) -> list[str]:
        """The module and the variable that hold this task."""
        if self._module is not None:
            for variable, value in vars(self._module).items():
                if value is self:
                    return ["task-module", naming.module_of(self._module.__name__), "task-name", variable]
        raise errors.DefinitionError(
            f"{self._line}: {self.name} is no variable at the top level of a module, so no process can find it. Assign "
            f"it to one: {self.short_name.replace('-', '_')} = {type(self).__name__}(…)"
        )


def _calling_module() -> types.ModuleType | None:
    frame = sys._getframe(1)  # noqa: SLF001 - a task is named after the module that defines it
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "volant":
        frame = frame.f_back
    return sys.modules.get(frame.f_globals.get("__name__", ""))


class ContainerTask(task.Task):
    """Any image, run with a command; inputs and outputs are files in folders of the container.

    Args:
        name: The name to register under.
        image: The image.
        command: The program; `{{.inputs.x}}` stands for an input's value.
        inputs: The types of the inputs.
        outputs: The types of the outputs.
        arguments: The program's arguments.
        input_data_dir: The folder in which inputs are put.
        output_data_dir: The folder from which outputs are taken.
        metadata_format: JSON, YAML or PROTO: how the files of all inputs are written.
        options: As for `task`.
    """

    task_type: str = "raw-container"

    def __init__(
        self,
        name: str,
        image: Any,
        command: Sequence[str],
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        arguments: Sequence[str] = (),
        input_data_dir: str = "",
        output_data_dir: str = "",
        metadata_format: str = "JSON",
        **options: Any,
    ) -> None:
        self._line = user_code.caller_line()
        settings = task.settings_from(self._line, {**options, "container_image": image})
        super().__init__(name, _signature(inputs, outputs), settings)
        self.command: list[str] = list(command)
        self.arguments: list[str] = list(arguments)
        self.input_data_dir = input_data_dir
        self.output_data_dir = output_data_dir
        self.metadata_format = metadata_format

    def build_template(self, template: Any, settings: Any) -> None:
        """The container, and how data comes in and out."""
        from volant.serialization import tasks  # noqa: PLC0415 - serializing stands on top of authoring

        template.container.CopyFrom(tasks.container(self, settings, self.arguments))
        template.container.command.extend(self.command)
        if self.interface.inputs or self.interface.outputs:
            data = template.container.data_config
            data.enabled = True
            data.input_path, data.output_path = self.input_data_dir, self.output_data_dir
            data.format = type(data).LiteralMapFormat.Value(self.metadata_format)

    @property
    def source(self) -> str:
        """The file and line that define it."""
        return self._line

    @property
    def image_name(self) -> str:
        """The image."""
        given = self.settings.container_image
        return given if isinstance(given, str) else str(given.image_name())

    def execute(self, inputs: Mapping[str, Any]) -> Any:
        """Run the image here, where docker or podman works."""
        from volant.authoring import container_run  # noqa: PLC0415 - it stands on top of this module

        return container_run.execute(self, inputs)


class Echo(task.Task):
    """Does nothing, in the engine itself: its outputs are its inputs, in their order."""

    task_type: str = "echo"

    def __init__(self, name: str, inputs: Mapping[str, Any] | None = None, **options: Any) -> None:
        outputs = {f"o{number}": kind for number, kind in enumerate((inputs or {}).values())}
        super().__init__(name, _signature(inputs, outputs), task.settings_from(user_code.caller_line(), options))

    def build_template(self, template: Any, settings: Any) -> None:
        """Nothing: there's no container."""

    def execute(self, inputs: Mapping[str, Any]) -> Any:
        """The inputs."""
        values = tuple(inputs[name] for name in self.interface.inputs)
        return values[0] if len(values) == 1 else values or None


@dataclasses.dataclass(frozen=True)
class OutputLocation:
    """An output of a shell script: the file or directory that it writes."""

    var: str
    var_type: Any
    location: str | os.PathLike[str]
    """A path; `{inputs.x}` and `{ctx.working_directory}` are replaced in it."""


class ShellTask(VariableTask):
    """A shell script; `{inputs.x}`, `{outputs.y}` and `{ctx.working_directory}` are replaced in it.

    Args:
        name: The task's name, after its module's.
        script: The script, or None for `script_file`.
        script_file: A file with the script.
        inputs: The types of the inputs.
        output_locs: What the script writes.
        debug: Print the script before it runs.
        options: As for `task`.
    """

    def __init__(
        self,
        name: str,
        script: str | None = None,
        script_file: str | os.PathLike[str] | None = None,
        inputs: Mapping[str, Any] | None = None,
        output_locs: Sequence[OutputLocation] | None = None,
        debug: bool = False,
        **options: Any,
    ) -> None:
        line = user_code.caller_line()
        if (script is None) == (script_file is None):
            raise errors.DefinitionError(f"{line}: ShellTask {name!r} needs either script= or script_file=")
        self.output_locations: list[OutputLocation] = list(output_locs or ())
        for location in self.output_locations:
            if location.var_type not in {File, Directory}:
                raise errors.DefinitionError(
                    f"{line}: ShellTask {name!r}: output {location.var!r} must be a File or a Directory"
                )
        outputs = {location.var: location.var_type for location in self.output_locations}
        super().__init__(name, _signature(inputs, outputs), task.settings_from(line, options))
        self._script = pathlib.Path(script_file).read_text() if script_file is not None else str(script)
        self._debug = debug
        self._check_names()

    def _check_names(self) -> None:
        """Refuse names of nothing, in the script and in the places of outputs."""
        outputs = [location.var for location in self.output_locations]
        known = {"inputs": list(self.interface.inputs), "outputs": outputs, "ctx": ["working_directory"]}
        for text in (self._script, *(str(location.location) for location in self.output_locations)):
            for match in _PLACEHOLDER.finditer(text):
                kind, name = match.groups()
                if name not in known[kind]:
                    raise errors.DefinitionError(
                        f"{self._line}: ShellTask {self.short_name!r}: {match.group(0)} names nothing; {kind} has "
                        f"{', '.join(known[kind]) or 'none'}{user_code.near_miss(name, known[kind])}"
                    )

    def execute(self, inputs: Mapping[str, Any]) -> Any:
        """Run the script."""
        current = context.current_context()
        folder = pathlib.Path(current.working_directory)
        folder.mkdir(parents=True, exist_ok=True)
        values = {name: os.fspath(value) if isinstance(value, os.PathLike) else value for name, value in inputs.items()}
        places: dict[str, str] = {}
        names = {"inputs": values, "outputs": places, "ctx": {"working_directory": str(folder)}}
        for location in self.output_locations:
            places[location.var] = self._filled(str(location.location), names)
        script = self._filled(self._script, names)
        if self._debug:
            sys.stdout.write(f"{script}\n")
        done = subprocess.run(["/bin/bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
        if done.returncode:
            raise errors.TaskFailedError(
                f"the script of {self.name} ended with code {done.returncode}: {done.stderr.strip()[-2000:]}"
            )
        made = tuple(location.var_type(folder / places[location.var]) for location in self.output_locations)
        return made[0] if len(made) == 1 else made or None

    def _filled(self, text: str, names: Mapping[str, Mapping[str, Any]]) -> str:
        return _PLACEHOLDER.sub(lambda match: str(names[match.group(1)][match.group(2)]), text)


class SQLTask(VariableTask):
    """A query; `{{ .inputs.x }}` stands for an input's value. Subclasses say where it runs."""

    task_type: str = "sql"

    def __init__(
        self,
        name: str,
        query_template: str,
        inputs: Mapping[str, Any] | None = None,
        output_schema_type: Any = None,
        task_type: str | None = None,
        **options: Any,
    ) -> None:
        outputs = {"results": output_schema_type} if output_schema_type is not None else {}
        super().__init__(name, _signature(inputs, outputs), task.settings_from(user_code.caller_line(), options))
        self.query_template: str = " ".join(query_template.split())
        for wanted in _QUERY_INPUT.findall(self.query_template):
            if wanted not in self.interface.inputs:
                raise errors.DefinitionError(
                    f"{self.source}: {type(self).__name__} {self.short_name!r}: the query names {wanted!r}, which is "
                    f"no input; it has {', '.join(self.interface.inputs) or 'none'}"
                    f"{user_code.near_miss(wanted, self.interface.inputs)}"
                )
        if task_type is not None:
            self.task_type = task_type

    def query(self, inputs: Mapping[str, Any]) -> str:
        """The query for these inputs."""

        def value(match: re.Match[str]) -> str:
            found = inputs[match.group(1)]
            return found.isoformat() if isinstance(found, (datetime.datetime, datetime.date)) else str(found)

        return _QUERY_INPUT.sub(value, self.query_template)


@dataclasses.dataclass(frozen=True)
class SQLite3Config:
    """Where an SQLite database is."""

    uri: str
    """A path or URI of the database file; read only."""


class SQLite3Task(SQLTask):
    """A query on an SQLite database, whose rows become a data frame (pandas' by default)."""

    task_type: str = "python-task"

    def __init__(
        self,
        name: str,
        query_template: str,
        task_config: SQLite3Config,
        inputs: Mapping[str, Any] | None = None,
        output_schema_type: Any = None,
        **options: Any,
    ) -> None:
        if output_schema_type is None:
            import pandas as pd  # noqa: PLC0415 - the default frame, where none is named

            output_schema_type = pd.DataFrame
        super().__init__(name, query_template, inputs, output_schema_type, **options)
        self.config = task_config

    def execute(self, inputs: Mapping[str, Any]) -> Any:
        """Run the query."""
        import pandas as pd  # noqa: PLC0415 - rows become a frame

        with tempfile.TemporaryDirectory() as folder:
            local = pathlib.Path(folder, "database")
            router.download(self.config.uri, local)
            connection = sqlite3.connect(f"file:{local}?mode=ro", uri=True)
            try:
                cursor = connection.execute(self.query(inputs))
                columns = [column[0] for column in cursor.description or ()]
                frame = pd.DataFrame(cursor.fetchall(), columns=columns)
            except sqlite3.Error as cause:
                raise errors.TaskFailedError(f"{self.name}: {cause}") from cause
            finally:
                connection.close()
        return _converted(frame, self.interface.outputs["results"])


def _converted(frame: Any, wanted: Any) -> Any:
    module = str(getattr(wanted, "__module__", "")).partition(".")[0]
    converters: dict[str, Callable[[Any], Any]] = {"polars": _to_polars, "pyarrow": _to_arrow}
    return converters.get(module, lambda same: same)(frame)


def _to_polars(frame: Any) -> Any:
    import polars  # noqa: PLC0415 - only where a polars frame is wanted

    return polars.from_pandas(frame)


def _to_arrow(frame: Any) -> Any:
    import pyarrow  # noqa: PLC0415 - only where an arrow table is wanted

    return pyarrow.Table.from_pandas(frame)

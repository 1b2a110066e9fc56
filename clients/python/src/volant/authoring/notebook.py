"""Notebooks as tasks, by papermill: inputs become a cell, `record_outputs` gives outputs, what was executed is kept."""

from __future__ import annotations

import importlib
import math
import os
import pathlib
import re
import sys
from collections.abc import Mapping
from typing import Any

from volant import context, deck, errors, notebook, user_code
from volant.authoring import containers, interface, task
from volant.types.files import File

EXECUTED = "out_nb"
RENDERED = "out_rendered_nb"
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_PLAIN = (int, float, str, bool, type(None))
_NEEDS = "running a notebook as a task"


class NotebookTask(containers.VariableTask):
    """A notebook; its inputs are set in a cell behind the one that is tagged "parameters", or else in its first.

    The notebook gives outputs with `volant.notebook.record_outputs(name=value)`. Besides, there are the executed
    notebook (`out_nb`) and its HTML page (`out_rendered_nb`).

    Args:
        name: The task's name, after its module's.
        notebook_path: The file; a relative path starts at the folder of the module that defines the task.
        inputs: The types of the inputs.
        outputs: The types of the outputs.
        render_deck: Show the executed notebook as the task's deck, also when it fails.
        stream_logs: Write what the notebook prints into the task's log while it runs.
        output_notebooks: Give the executed notebook and its page as outputs.
        kernel_name: The kernel to run it with; the notebook's own by default.
        options: As for `task`.
    """

    def __init__(
        self,
        name: str,
        notebook_path: str | os.PathLike[str],
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        *,
        render_deck: bool = False,
        stream_logs: bool = False,
        output_notebooks: bool = True,
        kernel_name: str | None = None,
        **options: Any,
    ) -> None:
        line = user_code.caller_line()
        for reserved in (EXECUTED, RENDERED) if output_notebooks else ():
            if reserved in (outputs or {}):
                raise errors.DefinitionError(
                    f"{line}: NotebookTask {name!r}: the output {reserved!r} is made by the task itself; give yours "
                    f"another name, or output_notebooks=False"
                )
        self._names = list(outputs or {})
        more = (
            {EXECUTED: File.__class_getitem__("ipynb"), RENDERED: File.__class_getitem__("html")}
            if output_notebooks
            else {}
        )
        signature = interface.Interface(inputs=dict(inputs or {}), outputs={**(outputs or {}), **more})
        if render_deck:
            options["enable_deck"] = True
        super().__init__(name, signature, task.settings_from(line, options))
        self._given_path = pathlib.Path(notebook_path)
        self._render_deck = render_deck
        self._stream_logs = stream_logs
        self._output_notebooks = output_notebooks
        self._kernel_name = kernel_name

    @property
    def notebook_path(self) -> pathlib.Path:
        """The file."""
        home = getattr(self.home_module, "__file__", None)
        folder = pathlib.Path(home).parent if home else pathlib.Path.cwd()
        path = folder / self._given_path
        if not path.is_file():
            raise errors.DefinitionError(
                f"{self.source}: NotebookTask {self.short_name!r}: there is no notebook {path}. If it "
                f"is on your machine but not where the task runs, register with --copy all"
            )
        return path

    def execute(self, inputs: Mapping[str, Any]) -> Any:
        """Run the notebook."""
        folder = context.current_context().local_path("notebook")
        notebook.prepare(folder, dict(inputs))
        executed = folder / "executed.ipynb"
        prepared = folder / "prepared.ipynb"
        _need("nbformat", "papermill").write(self._with_inputs(inputs, folder), prepared)
        try:
            self._run(prepared, executed)
        finally:
            if self._render_deck and executed.exists():
                deck.Deck("Notebook", render(executed))
        values = self._outputs(notebook.recorded(folder))
        if self._output_notebooks:
            page = folder / "page.html"
            page.write_text(render(executed))
            values += [self.interface.outputs[EXECUTED](executed), self.interface.outputs[RENDERED](page)]
        return values[0] if len(values) == 1 else tuple(values) or None

    def _run(self, prepared: pathlib.Path, executed: pathlib.Path) -> None:
        papermill = _need("papermill", "papermill")
        streams = {"stdout_file": sys.stdout, "stderr_file": sys.stderr} if self._stream_logs else {}
        chosen = {"kernel_name": self._kernel_name} if self._kernel_name else {}
        try:
            papermill.execute_notebook(str(prepared), str(executed), progress_bar=False, **streams, **chosen)
        except papermill.PapermillExecutionError as cause:
            trace = "\n".join(_COLORS.sub("", line) for line in cause.traceback)
            message = f"{self.notebook_path}, In [{cause.exec_count}]: {cause.ename}: {cause.evalue}\n{trace}"
            kind = errors.RecoverableError if cause.ename == "RecoverableError" else errors.TaskFailedError
            raise kind(message) from cause
        except Exception as cause:
            if type(cause).__name__ != "NoSuchKernel":
                raise
            raise errors.DefinitionError(
                f"{self.notebook_path}: there is no kernel {getattr(cause, 'name', '')!r} here. For Python notebooks, "
                f"'pip install ipykernel' and kernel_name='python3' make one"
            ) from cause

    def _with_inputs(self, inputs: Mapping[str, Any], folder: pathlib.Path) -> Any:
        """The notebook with its inputs set in a cell of their own, which papermill does only for plain values."""
        nbformat = _need("nbformat", "papermill")
        found = nbformat.read(self.notebook_path, as_version=4)
        language = found.metadata.get("kernelspec", {}).get("language") or found.metadata.get("language_info", {}).get(
            "name", "python"
        )
        if language != "python":
            raise errors.DefinitionError(f"{self.notebook_path}: expected a Python notebook, found {language}")
        lines = [f"{name} = {_written(name, value)}" for name, value in inputs.items()]
        head = ["# Set by Volant for this run.", "import volant.notebook", f"volant.notebook.begin({str(folder)!r})"]
        cell = nbformat.v4.new_code_cell("\n".join([*head, *lines]))
        cell.metadata["tags"] = ["injected-parameters"]
        tags = [set(one.metadata.get("tags", ())) for one in found.cells]
        place = next((number + 1 for number, one in enumerate(tags) if "parameters" in one), 0)
        kept = [one for one, has in zip(found.cells, tags, strict=True) if "injected-parameters" not in has]
        found.cells = [*kept[:place], cell, *kept[place:]]
        return found

    def _outputs(self, recorded: Mapping[str, Any]) -> list[Any]:
        missing = [name for name in self._names if name not in recorded]
        if missing:
            raise errors.TypeMismatchError(
                f"{self.notebook_path} ended without the output {missing[0]!r} (it recorded "
                f"{', '.join(recorded) or 'none'}). Record it in a cell: "
                f"from volant.notebook import record_outputs; record_outputs({missing[0]}=…)"
            )
        return [recorded[name] for name in self._names]


def render(executed: pathlib.Path) -> str:
    """An executed notebook as a page."""
    body, _ = _need("nbconvert", "nbconvert").HTMLExporter().from_filename(str(executed))
    return str(body)


def _written(name: str, value: Any) -> str:
    """How an input stands in the cell: as it is, where that can be read, else by its name."""
    if _is_plain(value):
        return repr(value)
    return f"volant.notebook.load({name!r})"


def _is_plain(value: Any) -> bool:
    if type(value) is list:
        return all(_is_plain(one) for one in value)
    if type(value) is dict:
        return all(_is_plain(key) and _is_plain(one) for key, one in value.items())
    return type(value) in _PLAIN and (type(value) is not float or math.isfinite(value))


def _need(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as cause:
        raise errors.MissingDependencyError(package, _NEEDS) from cause

"""flytekitplugins-papermill: a notebook as a task."""

import pathlib

from flytekit import kwtypes, task, workflow
from flytekitplugins.papermill import NotebookTask

notebook = NotebookTask(
    name="plugin_flows.with_papermill.notebook",
    notebook_path=str(pathlib.Path(__file__).parent / "square.ipynb"),
    inputs=kwtypes(x=int),
    outputs=kwtypes(square=int),
)


@task
def check(square: int) -> str:
    return "right" if square == 49 else "wrong"


@workflow
def wf() -> str:
    return check(square=notebook(x=7).square)

"""Notebooks as tasks, run by the real papermill with a real kernel, here and on the platform."""

import pathlib

import pytest

from volant import NotebookTask, Remote, context
from volant.errors import DefinitionError, RecoverableError, TaskFailedError, TypeMismatchError
from volant.notebook import record_outputs

pytest.importorskip("papermill")
pytest.importorskip("ipykernel")
# Kernels and their clients, not what is tested.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
]


@pytest.fixture
def notebooks():
    import notebook_flows

    return notebook_flows


@pytest.fixture
def source(tmp_path):
    (tmp_path / "in.txt").write_text("from a file")
    return str(tmp_path / "in.txt")


def test_inputs_and_outputs(notebooks, source, capfd):
    """Inputs have their types in the notebook; outputs, the executed notebook and its page come back."""
    with context.using(context.Context()) as current:
        made = notebooks.summary(numbers=[1, 2, 3], title="Sum", origin=notebooks.Point(1, 2.5), source=source)
    total, heading, moved, executed, page = made
    assert (total, heading, moved) == (6, "Sum: from a file", notebooks.Point(2, 2.5))
    text = pathlib.Path(executed.path).read_text()
    assert "numbers = [1, 2, 3]" in text
    assert "origin = volant.notebook.load('origin')" in text
    assert "adding [1, 2, 3]" in text
    assert "<html" in pathlib.Path(page.path).read_text()
    assert [deck.name for deck in current.decks] == ["Notebook"]
    assert "adding [1, 2, 3]" in capfd.readouterr().out, "what it prints is in the task's log"


def test_a_failing_notebook(notebooks, source):
    """The error names the notebook, the cell and what went wrong there; the deck shows it too."""
    with (
        context.using(context.Context()) as current,
        pytest.raises(TaskFailedError, match=r"summary\.ipynb, In \[3\]: ValueError: as asked") as caught,
    ):
        notebooks.summary(numbers=[1], title="fail", origin=notebooks.Point(1, 1.0), source=source)
    assert 'raise ValueError("as asked")' in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert "as asked" in current.decks[0].html


def test_recoverable(notebooks, source):
    with pytest.raises(RecoverableError, match="later"):
        notebooks.summary(numbers=[1], title="retry", origin=notebooks.Point(1, 1.0), source=source)


def test_a_forgotten_output(notebooks, source):
    with pytest.raises(TypeMismatchError, match=r"without the output 'total' \(it recorded heading, moved\)"):
        notebooks.summary(numbers=[1], title="forget", origin=notebooks.Point(1, 1.0), source=source)


def test_what_can_not_be(tmp_path):
    with pytest.raises(DefinitionError, match="there is no notebook"):
        NotebookTask(name="none", notebook_path="none.ipynb")()
    with pytest.raises(DefinitionError, match="'out_nb' is made by the task itself"):
        NotebookTask(name="taken", notebook_path="x.ipynb", outputs={"out_nb": int})
    (tmp_path / "r.ipynb").write_text(
        '{"cells": [], "metadata": {"kernelspec": {"language": "R", "name": "ir", "display_name": "R"}}, '
        '"nbformat": 4, "nbformat_minor": 5}'
    )
    with pytest.raises(DefinitionError, match="expected a Python notebook, found R"):
        NotebookTask(name="r", notebook_path=tmp_path / "r.ipynb")()


def test_an_unknown_kernel(notebooks, source):
    other = NotebookTask(
        name="other",
        notebook_path=notebooks.summary.notebook_path,
        inputs=notebooks.summary.interface.inputs,
        kernel_name="no-such-kernel",
    )
    with pytest.raises(DefinitionError, match=r"no kernel 'no-such-kernel' here.*pip install ipykernel"):
        other(numbers=[1], title="x", origin=notebooks.Point(1, 1.0), source=source)


def test_by_hand():
    assert record_outputs(a=1) == {"a": 1}


def test_on_the_platform(platform_endpoint, notebooks, source):
    remote = Remote(platform_endpoint, insecure=True)
    execution = remote.execute(notebooks.summarized, {"numbers": [1, 2], "source": source}).wait(100)
    assert execution.is_successful, execution.error
    assert execution.outputs["o0"] == 3
    assert execution.outputs["o2"] == notebooks.Point(2, 2.5)

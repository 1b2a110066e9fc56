"""Containers whose data are files, on this machine: the same attempts as tests/kubernetes/launcher runs in pods."""

import sys

import copilot_tasks as tasks
import pytest
from launcher_worlds import ProcessWorld

from volant_core import errors
from volant_engine.launchers import port
from volantidl.core import execution_pb2, tasks_pb2

PHASE = port.AttemptPhase
KIND = execution_pb2.ExecutionError.ErrorKind


@pytest.fixture
async def world(tmp_path):
    made = ProcessWorld(tmp_path)
    await made.open()
    yield made
    await made.close()


async def run(world, attempt):
    await world.launcher.launch(attempt)
    return await world.news.end(attempt.name)


@pytest.mark.parametrize("form", ["JSON", "PROTO"])
async def test_each_kind_of_value(world, form):
    attempt = await tasks.everything(world, "a", form)
    update = await run(world, attempt)
    assert update.phase is PHASE.SUCCEEDED, update.error
    await tasks.check_everything(world, attempt)


async def test_a_missing_output(world):
    attempt = tasks.attempt(world, "a", "true", y="integer")
    assert (await run(world, attempt)).phase is PHASE.SUCCEEDED
    document = await tasks.error_of(world, attempt)
    assert (document.code, document.origin) == ("OutputUploadFailed", KIND.USER)
    assert "the output 'y' is missing: the program ended without /var/out/y" in document.message


async def test_a_program_that_fails(world):
    attempt = tasks.attempt(world, "a", "echo oh >&2; echo 1 >/var/out/y; exit 3", y="integer")
    update = await run(world, attempt)
    assert update.error.kind == KIND.USER
    assert "exit code (3)" in update.error.message
    assert "oh" in update.error.message
    assert await tasks.error_of(world, attempt) is None


async def test_an_input_that_is_not_there(world):
    attempt = tasks.attempt(world, "a", "true", y="integer", inputs={"x": "integer"})
    assert (await run(world, attempt)).phase is PHASE.SUCCEEDED
    document = await tasks.error_of(world, attempt)
    assert (document.code, document.origin) == ("InputDownloadFailed", KIND.USER)
    assert attempt.input_uri in document.message


async def test_it_is_ended_with_its_program(world):
    world.prepare("a")
    script = f"{sys.executable} -c \"import launcher_acts as acts; acts.wait({str(world.marks)!r}, 'a')\""
    attempt = tasks.attempt(world, "a", script, y="integer")
    await world.launcher.launch(attempt)
    await world.news.until("a", PHASE.RUNNING)
    await world.launcher.stop("a", "enough")
    assert not world.news.ends("a")
    assert await tasks.error_of(world, attempt) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda task: setattr(task.container.data_config, "output_path", "out"), "has the output_path 'out'"),
        (lambda task: setattr(task.container.data_config, "input_path", "/"), "has the input_path '/'"),
        (
            lambda task: task.interface.outputs.variables["y"].type.collection_type.SetInParent(),
            r"the output 'y' of the task t is of a kind \(collection_type\) that can't be read from files",
        ),
    ],
)
async def test_what_cannot_be_files(world, change, words):
    attempt = tasks.attempt(world, "a", "true", y="integer")
    change(attempt.task)
    with pytest.raises(errors.InvalidArgumentError, match=words):
        await world.launcher.launch(attempt)


async def test_a_task_without_data_needs_none(world):
    attempt = tasks.attempt(world, "a", "test ! -e /var/out")
    assert attempt.task.container.data_config == tasks_pb2.DataLoadingConfig(
        enabled=True, input_path="/var/in", output_path="/var/out"
    )
    assert (await run(world, attempt)).phase is PHASE.SUCCEEDED
    assert not (world.settings.attempts / "a" / "data").exists()

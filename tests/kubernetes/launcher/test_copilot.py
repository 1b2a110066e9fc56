"""Containers whose data are files, as pods: the image of VOLANT_TEST_TASK_IMAGE brings and takes them."""

import asyncio
import dataclasses
import os
import pathlib
import time
import uuid

import copilot_tasks as tasks
import pytest
from kubernetes_world import KubernetesWorld, kubectl
from platform_process import PHASES, PlatformProcess
from test_failures import PATIENCE, SYSTEM, USER

import volant
import volantidl
from volant_engine.launchers import port
from volantidl.admin import execution_pb2

PHASE = port.AttemptPhase
IMAGE = os.environ.get("VOLANT_TEST_TASK_IMAGE", "localhost/volant-task:test")
SOURCES = [str(pathlib.Path(package.__file__).parents[1]) for package in (volant, volantidl)]
"""The SDK as it is here goes before the image's."""


@pytest.fixture
async def world(tmp_path):
    made = KubernetesWorld(
        tmp_path,
        copilot_image=IMAGE,
        image_seconds=10.0,
        copilot_security_context={"runAsUser": 0},
        stop_seconds=None,
        keep_failed_seconds=600.0,
        keep_succeeded_seconds=600.0,
    )
    volumes = [{"name": f"sdk{number}", "hostPath": {"path": path}} for number, path in enumerate(SOURCES)]
    mounts = [{"name": f"sdk{number}", "mountPath": path} for number, path in enumerate(SOURCES)]
    mounts.append({"name": "marks", "mountPath": str(tmp_path)})
    pod = dict(made.settings.pod)
    pod["volumes"] = [*pod["volumes"], *volumes]
    pod["initContainers"] = [{"name": "default-init", "volumeMounts": mounts}]
    environment = {
        "PYTHONPATH": ":".join(SOURCES),
        "VOLANT_STORE_ROOT": str(tmp_path / "objects"),
        "VOLANT_STORE_BUCKET": "volant",
    }
    made.settings = dataclasses.replace(made.settings, pod=pod, environment=environment)
    made.renew()
    await made.open()
    yield made
    await made.close()


async def run(world, attempt):
    await world.launcher.launch(attempt)
    return await world.news.end(attempt.name, patience=PATIENCE)


@pytest.mark.parametrize("form", ["JSON", "PROTO"])
async def test_each_kind_of_value(world, form):
    attempt = await tasks.everything(world, "a", form)
    update = await run(world, attempt)
    assert update.phase is PHASE.SUCCEEDED, update.error
    await tasks.check_everything(world, attempt)


async def test_a_missing_and_a_malformed_output(world):
    missing = tasks.attempt(world, "a", "true", y="integer")
    malformed = tasks.attempt(world, "b", "echo four >/var/out/y", y="integer")
    errors = [update.error for update in await asyncio.gather(run(world, missing), run(world, malformed))]
    assert [(error.code, error.kind) for error in errors] == [("OutputUploadFailed", USER)] * 2
    assert errors[0].message.startswith("the output 'y' is missing: the program ended without /var/out/y")
    assert errors[1].message.startswith("the output 'y': /var/out/y must hold an integer, such as 42, and holds 'four")


async def test_a_program_that_fails(world):
    attempt = tasks.attempt(world, "a", "echo oh >&2; exit 3", y="integer")
    error = (await run(world, attempt)).error
    assert (error.code, error.kind) == ("Error", USER)
    assert "exit code (3)" in error.message
    assert "oh" in error.message
    assert "volant-upload" not in error.message


async def test_an_input_that_is_not_there(world):
    attempt = tasks.attempt(world, "a", "touch /var/out/y", y="string", inputs={"x": "integer"})
    update = await run(world, attempt)
    assert (update.error.code, update.error.kind) == ("InputDownloadFailed", USER)
    assert attempt.input_uri in update.error.message


async def test_inputs_alone_and_outputs_alone(world):
    await world.blobs.put("s3://volant/metadata/inputs.pb", b"")
    taking = tasks.attempt(world, "a", "test -s /var/in/inputs.json && test ! -e /var/out", inputs={"x": "integer"})
    making = tasks.attempt(world, "b", "echo 7 >/var/out/y && test ! -e /var/in", y="integer")
    for update in await asyncio.gather(run(world, taking), run(world, making)):
        assert update.phase is PHASE.SUCCEEDED, update.error


async def test_a_large_output(world):
    attempt = tasks.attempt(world, "a", "head -c 50000000 /dev/zero >/var/out/y", y="file")
    update = await run(world, attempt)
    assert update.phase is PHASE.SUCCEEDED, update.error
    assert (await world.blobs.head(f"{attempt.raw_output_prefix}/y")).size == 50_000_000


async def test_outputs_that_cannot_be_stored(world):
    """The store is away when the program ends."""
    script = f"echo 7 >/var/out/y; mv {world.folder}/objects {world.folder}/away; touch {world.folder}/objects"
    error = (await run(world, tasks.attempt(world, "a", script, y="integer"))).error
    assert (error.code, error.kind) == ("OutputUploadFailed", SYSTEM)
    assert "objects" in error.message


async def test_an_abort_gives_the_programs_grace_and_not_the_uploads(world):
    script = "trap 'touch /var/out/y' TERM; echo up >/var/out/x; sleep 600 & wait; sleep 600"
    attempt = tasks.attempt(world, "a", script, y="string")
    await world.launcher.launch(attempt)
    await world.news.until("a", PHASE.RUNNING, patience=PATIENCE)
    began = time.monotonic()
    await world.launcher.stop("a", "enough")
    await asyncio.to_thread(kubectl, "-n", world.namespace, "wait", "--for=delete", "pod/a", "--timeout=120s")
    assert time.monotonic() - began < 60
    assert not world.news.ends("a")


async def test_the_engine_goes_away_and_comes_back(world):
    attempt = tasks.attempt(world, "a", "sleep 5; echo 7 >/var/out/y", y="integer")
    await world.launcher.launch(attempt)
    await world.news.until("a", PHASE.RUNNING, patience=PATIENCE)
    await world.close(end_attempts=False)
    await world.reopen()
    update = await run(world, attempt)
    assert update.phase is PHASE.SUCCEEDED, update.error


def test_stock_flytekits_container_tasks(tmp_path):
    """With the image as it is, and the object store by HTTP."""
    project = f"kube-a-{uuid.uuid4().hex[:6]}"
    platform = PlatformProcess(tmp_path, project, VOLANT_KUBERNETES__COPILOT_IMAGE=IMAGE)
    platform.start()
    try:
        platform.wait_ready()
        found = platform.wait(platform.run("by_files", "--size", "50000000"))
        assert found.closure.phase == PHASES.SUCCEEDED, found.closure.error
        request = execution_pb2.WorkflowExecutionGetDataRequest(id=found.id)
        outputs = platform.call("GetExecutionData", request).full_outputs
        assert outputs.literals["o0"].scalar.primitive.integer == 50_000_007
    finally:
        platform.stop()

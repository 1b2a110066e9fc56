"""Warm workers on a real cluster: growth and its bound, idle removal, every way in which a worker or its fork ends."""
# ruff: noqa: ASYNC110 (the cluster is asked, files are small)

import asyncio
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from kubernetes_world import kubectl
from warm_world import WarmWorld

from volant_engine.launchers import port
from volantidl.core import execution_pb2, security_pb2

PHASE = port.AttemptPhase
ERROR = execution_pb2.ExecutionError


@pytest.fixture
async def world(tmp_path):
    made = WarmWorld(tmp_path)
    await made.open()
    yield made
    await made.close()


async def until(condition, seconds=60.0):
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.1)


async def run(world, name, code, **more):
    await world.launcher.launch(world.entry(name, "code", code, **more))
    return await world.news.end(name)


async def said(world, name):
    return (await world.blobs.get(f"s3://volant/metadata/{name}/n0/data/0/log.txt")).decode()


async def test_outputs_and_log_reach_the_object_store(world):
    update = await run(world, "a", "print('hello'); outputs(**{'outputs.pb': 'so', 'deck.html': '<p>'})")
    assert update.phase is PHASE.SUCCEEDED
    assert await world.blobs.get("s3://volant/metadata/a/n0/data/0/outputs.pb") == b"so"
    assert await world.blobs.get("s3://volant/metadata/a/n0/data/0/deck.html") == b"<p>"
    await until(lambda: pathlib.Path(world.folder, "objects/volant/metadata~/a~/n0~/data~/0~/log.txt").exists())
    assert "hello" in await said(world, "a")


async def test_the_log_can_be_read_while_it_runs(world):
    world.prepare("a")
    code = f"import launcher_acts; print('hello', flush=True); launcher_acts.wait({str(world.marks)!r}, 'a')"
    await world.launcher.launch(world.entry("a", "code", code))
    await until(lambda: pathlib.Path(world.folder, "objects/volant/metadata~/a~/n0~/data~/0~/log.txt").exists())
    assert "hello" in await said(world, "a")
    world.release("a")
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED


async def test_a_pool_grows_to_its_bound_and_goes_when_idle(tmp_path):
    world = WarmWorld(tmp_path, warm_idle_seconds=2.0)
    await world.open()
    try:
        names = [f"a{number}" for number in range(4)]
        for name in names:
            world.prepare(name)
            await world.launcher.launch(world.attempt(name, "wait"))
        await until(lambda: sum(world.runs(name) for name in names) == 2)
        assert len(world.workers()) == 2
        for name in names:
            world.release(name)
        for name in names:
            assert (await world.news.end(name)).phase is PHASE.SUCCEEDED
            assert world.runs(name) == 1
        await until(lambda: not world.workers())
    finally:
        await world.close()


async def test_what_does_not_fit_has_a_pod_of_its_own(world):
    made = world.entry("secret", "code", "pass")
    made.task.security_context.secrets.append(security_pb2.Secret(group="g", key="k"))
    await world.launcher.launch(made)
    await world.launcher.launch(world.run("plain", ["true"]))
    assert (await world.news.end("plain")).phase is PHASE.SUCCEEDED
    await until(lambda: any(pod["metadata"]["name"] == "secret" for pod in world.pods()))
    assert world.workers() == []


async def test_how_forks_end_is_what_containers_say(world):
    update = await run(world, "exits", "import sys; print('this went wrong'); sys.exit(3)")
    assert (update.error.kind, update.error.code) == (ERROR.USER, "Error")
    assert "[exits] terminated with exit code (3). Reason [Error]" in update.error.message
    assert "this went wrong" in update.error.message
    update = await run(world, "killed", "import os; os.kill(os.getpid(), 9)")
    assert (update.error.kind, update.error.code) == (ERROR.SYSTEM, "Interrupted")
    update = await run(world, "crashes", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert (update.error.kind, update.error.code) == (ERROR.USER, "Error")
    assert "(139)" in update.error.message
    assert len(world.workers()) == 1  # it outlived them all


async def test_out_of_memory(world):
    update = await run(world, "a", "x = bytearray(300 << 20); print(len(x))", memory="120Mi")
    assert (update.error.kind, update.error.code) == (ERROR.USER, "OOMKilled")
    assert update.retryable
    assert (await run(world, "b", "pass", memory="120Mi")).phase is PHASE.SUCCEEDED


async def test_what_a_task_leaves_behind_ends_with_it(world):
    code = (
        "import subprocess, sys, time\n"
        "subprocess.Popen(['sh', '-c', 'setsid sleep 1234 & sleep 1234'], start_new_session=True)\n"
        "time.sleep(0.3)"
    )
    assert (await run(world, "a", code)).phase is PHASE.SUCCEEDED
    worker = world.workers()[0]
    listing = kubectl(
        "-n", world.namespace, "exec", worker, "--", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    )
    assert "1234" not in listing.replace("cat /proc", "")


async def test_an_abort_ends_the_worker_and_the_next_attempt_has_another(world):
    world.prepare("a")
    await world.launcher.launch(world.attempt("a", "wait"))
    await world.news.until("a", PHASE.RUNNING)
    before = world.workers()
    await world.launcher.stop("a", "the test says so")
    await until(lambda: not set(before) & set(world.workers()))
    assert (await run(world, "b", "pass")).phase is PHASE.SUCCEEDED
    assert not world.news.ends("a")


async def test_a_worker_that_is_deleted_while_it_works(world):
    world.prepare("a")
    await world.launcher.launch(world.attempt("a", "wait"))
    await world.news.until("a", PHASE.RUNNING)
    await asyncio.to_thread(kubectl, "-n", world.namespace, "delete", "pod", *world.workers(), "--wait=false")
    update = await world.news.end("a")
    assert update.phase is PHASE.FAILED
    assert update.error.kind == ERROR.SYSTEM
    assert update.error.code in {"UnexpectedObjectDeletion", "ResourceDeletedExternally"}
    assert (await run(world, "b", "pass")).phase is PHASE.SUCCEEDED


async def test_an_image_that_is_not_there(tmp_path):
    world = WarmWorld(tmp_path, image_seconds=1.0)
    await world.open()
    try:
        for name in ("a", "b"):
            made = world.entry(name, "code", "pass")
            made.task.container.image = "localhost/no-such-image:1"
            await world.launcher.launch(made)
        for name in ("a", "b"):
            update = await world.news.end(name)
            assert (update.error.kind, update.error.code) == (ERROR.USER, "ContainersNotReady|ImagePullBackOff")
    finally:
        await world.close()


async def test_an_engine_that_is_killed(tmp_path):
    """Its attempt runs on, and the next engine hears of its end; its idle worker is taken over."""
    world = WarmWorld(tmp_path)
    world.prepare("a")
    program = pathlib.Path(__file__).parent / "warm_engine.py"
    words = [sys.executable, str(program), str(tmp_path), world.namespace]
    engine = await asyncio.to_thread(subprocess.Popen, words, stdout=subprocess.PIPE)
    with engine.stdout:
        while (line := await asyncio.to_thread(engine.stdout.readline)) != b"running\n":
            assert line, "the engine has ended"
        os.kill(engine.pid, signal.SIGKILL)
        await asyncio.to_thread(engine.wait)
    await world.open()
    try:
        await until(lambda: "a" in world.launcher.leftovers())
        await world.launcher.launch(world.attempt("a", "wait"))
        await world.news.until("a", PHASE.RUNNING)
        world.release("a")
        assert (await world.news.end("a")).phase is PHASE.SUCCEEDED
        assert world.runs("a") == 1
        before = world.workers()
        assert (await run(world, "b", "pass")).phase is PHASE.SUCCEEDED
        assert world.workers() == before
    finally:
        await world.close()


async def test_what_a_killed_engine_left_and_nobody_wants(tmp_path):
    """Its execution is over: the next engine ends it."""
    world = WarmWorld(tmp_path)
    await world.open()
    world.prepare("a")
    await world.launcher.launch(world.attempt("a", "wait"))
    await until(lambda: world.runs("a"))
    await world.close(end_attempts=False)
    await world.reopen()
    await until(lambda: "a" in world.launcher.leftovers())
    await world.launcher.stop("a", "its execution is over")
    await world.launcher.forget("a")
    await until(lambda: not world.workers())
    assert "a" not in world.launcher.leftovers()
    await world.close()


async def test_two_engines_and_one_takes_an_attempt_over(tmp_path):
    """The other one, which lives, has let go of it: it runs once, and its worker stays where it is."""
    world = WarmWorld(tmp_path)
    await world.open()
    world.prepare("a")
    await world.launcher.launch(world.attempt("a", "wait"))
    await until(lambda: world.runs("a"))
    first = world.launcher
    await world.reopen()
    try:
        first.release("a")
        await world.launcher.launch(world.attempt("a", "wait"))
        await world.news.until("a", PHASE.RUNNING)
        world.release("a")
        assert (await world.news.end("a")).phase is PHASE.SUCCEEDED
        await world.launcher.forget("a")
        assert world.runs("a") == 1
        workers = set(world.workers())
        assert (await run(world, "b", "pass")).phase is PHASE.SUCCEEDED
        assert workers <= set(world.workers())
    finally:
        await first.close(end_attempts=True)
        await world.close()


async def test_an_attempt_that_was_meant_for_a_worker_and_never_ran_there(world):
    """An engine has died between the two: the attempt is barred from that worker, and runs on another."""
    world.prepare("busy")
    await world.launcher.launch(world.attempt("busy", "wait"))
    await world.news.until("busy", PHASE.RUNNING)
    (worker,) = world.workers()
    assert await world.blobs.create("s3://volant/metadata/a/n0/data/0/worker", worker.encode())
    await world.launcher.launch(world.attempt("a", "succeed"))
    assert (await world.news.end("a")).phase is PHASE.SUCCEEDED
    assert world.runs("a") == 1
    other = (await world.blobs.get("s3://volant/metadata/a/n0/data/0/worker1")).decode()
    assert other != worker
    world.release("busy")
    assert (await world.news.end("busy")).phase is PHASE.SUCCEEDED


async def test_a_worker_that_rests_and_is_deleted(world):
    assert (await run(world, "a", "pass")).phase is PHASE.SUCCEEDED
    before = world.workers()
    await asyncio.to_thread(kubectl, "-n", world.namespace, "delete", "pod", *before, "--wait=false")
    assert (await run(world, "b", "pass")).phase is PHASE.SUCCEEDED
    assert not set(before) & set(world.workers())


async def test_workers_without_an_engine_end_by_themselves(tmp_path):
    world = WarmWorld(tmp_path, warm_idle_seconds=3.0)
    await world.open()
    assert (await run(world, "a", "pass")).phase is PHASE.SUCCEEDED
    await world.close(end_attempts=False)
    await until(lambda: [pod["status"]["phase"] for pod in world.pods()] == ["Succeeded"])
    await world.reopen()
    await until(lambda: not world.pods())
    await world.close()

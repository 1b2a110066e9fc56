"""What every launcher promises (volant_engine.launchers.port), checked on each."""

import asyncio
import datetime

import pytest
from connector_world import ConnectorWorld
from kubernetes_world import KUBECONFIG, KubernetesWorld
from launcher_worlds import TERMINAL, FakeWorld, ProcessWorld
from warm_world import WarmWorld

from volant_engine.launchers import port

PHASE = port.AttemptPhase
WORLDS = {
    "connectors": ConnectorWorld,
    "process": ProcessWorld,
    "fake": FakeWorld,
    "kubernetes": KubernetesWorld,
    "warm": WarmWorld,
}
NO_CLUSTER = pytest.mark.skipif(not KUBECONFIG, reason="no cluster: KUBECONFIG is not set")


@pytest.fixture(
    params=[
        "connectors",
        "fake",
        "process",
        *(pytest.param(name, marks=[NO_CLUSTER, pytest.mark.timeout(400)]) for name in ("kubernetes", "warm")),
    ],
)
async def world(request, tmp_path):
    made = WORLDS[request.param](tmp_path, slots=2)
    await made.open()
    yield made
    await made.close()


async def test_an_attempt_that_succeeds(world):
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    await world.launcher.launch(world.attempt("a", "succeed"))
    update = await world.news.end("a")
    assert update.phase is PHASE.SUCCEEDED
    assert update.error is None
    assert update.at > before
    assert world.news.phases("a")[-2:] == [PHASE.RUNNING, PHASE.SUCCEEDED]
    assert world.runs("a") == 1


async def test_an_attempt_that_fails(world):
    await world.launcher.launch(world.attempt("a", "fail"))
    update = await world.news.end("a")
    assert update.phase is PHASE.FAILED
    assert update.error is not None
    assert update.error.message
    assert update.retryable


async def test_launching_twice_runs_once(world):
    world.prepare("a")
    await world.launcher.launch(world.attempt("a", "wait"))
    await world.news.until("a", PHASE.RUNNING)
    await world.launcher.launch(world.attempt("a", "wait"))
    world.release("a")
    await world.news.end("a")
    await world.launcher.launch(world.attempt("b", "succeed"))
    await world.news.end("b")
    assert len(world.news.ends("a")) == 1
    assert world.runs("a") == 1


async def test_launching_what_has_ended_tells_its_end_again(world):
    await world.launcher.launch(world.attempt("a", "fail"))
    first = await world.news.end("a")
    await world.launcher.launch(world.attempt("a", "fail"))
    second = await world.news.end("a", count=2)
    assert (second.phase, second.error) == (first.phase, first.error)
    assert world.runs("a") == 1


async def test_no_news_after_a_stop(world):
    world.prepare("a")
    await world.launcher.launch(world.attempt("a", "wait"))
    await world.news.until("a", PHASE.RUNNING)
    await world.launcher.stop("a", "the test says so")
    told = len(world.news.of("a"))
    await world.launcher.launch(world.attempt("b", "succeed"))
    await world.news.end("b")
    assert len(world.news.of("a")) == told
    assert not world.news.ends("a")


async def test_stopping_what_nobody_knows(world):
    await world.launcher.stop("nobody", "the test says so")


async def test_stopping_what_waits_for_a_slot(world):
    for name in ("a", "b", "c"):
        world.prepare(name)
        await world.launcher.launch(world.attempt(name, "wait"))
    await world.news.until("b", PHASE.RUNNING)
    await world.launcher.stop("c", "the test says so")
    for name in ("a", "b"):
        world.release(name)
        await world.news.end(name)
    await world.launcher.launch(world.attempt("d", "succeed"))
    await world.news.end("d")
    assert world.runs("c") == 0


async def test_slots_bound_what_runs_and_the_first_comes_first(world):
    names = [f"a{number}" for number in range(5)]
    for name in names:
        world.prepare(name)
        await world.launcher.launch(world.attempt(name, "wait"))
    for position, name in enumerate(names):
        await world.news.until(name, PHASE.RUNNING)
        running = {other for other in names if PHASE.RUNNING in world.news.phases(other) and not world.news.ends(other)}
        assert len(running) <= 2
        assert running <= set(names[position : position + 2])
        world.release(name)
        await world.news.end(name)


async def test_eager_attempts_hold_no_slot(world):
    for name in ("e1", "e2", "e3"):
        world.prepare(name)
        await world.launcher.launch(world.attempt(name, "wait", is_eager=True))
    for name in ("e1", "e2", "e3"):
        await world.news.until(name, PHASE.RUNNING)
    await world.launcher.launch(world.attempt("a", "succeed"))
    await world.news.end("a")
    for name in ("e1", "e2", "e3"):
        world.release(name)
        await world.news.end(name)


async def test_what_runs_on_is_adopted(world):
    world.prepare("runs")
    await world.launcher.launch(world.attempt("runs", "wait"))
    await world.news.until("runs", PHASE.RUNNING)
    await world.close(end_attempts=False)
    await world.reopen()
    await world.launcher.launch(world.attempt("runs", "wait"))
    await world.news.until("runs", PHASE.RUNNING)
    world.release("runs")
    update = await world.news.end("runs")
    assert update.phase is PHASE.SUCCEEDED
    assert world.runs("runs") == 1


async def test_what_ended_meanwhile_is_told(world):
    await world.launcher.launch(world.attempt("ended", "succeed"))
    await world.news.end("ended")
    await world.close(end_attempts=False)
    await world.reopen()
    await world.launcher.launch(world.attempt("ended", "succeed"))
    assert (await world.news.end("ended")).phase is PHASE.SUCCEEDED
    assert world.runs("ended") == 1


async def test_many_side_by_side(world):
    names = [f"a{number}" for number in range(30)]
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(world.launcher.launch(world.attempt(name, "succeed")))
    for name in names:
        await world.news.end(name)
        assert len(world.news.ends(name)) == 1
        phases = world.news.phases(name)
        assert phases[-1] in TERMINAL
        assert phases[-2] is PHASE.RUNNING
        await world.launcher.forget(name)

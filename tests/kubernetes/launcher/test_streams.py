"""The watch: cut, refused, too late. What happens meanwhile is learnt all the same, and nothing runs twice."""

import asyncio
import dataclasses
import pathlib

import pytest
from cutting import Proxy
from kubernetes_world import KUBECONFIG, KubernetesWorld, kubectl
from test_failures import PATIENCE, SYSTEM, ended, shell, started

from volant_core import errors
from volant_engine.launchers import port

PHASE = port.AttemptPhase


@pytest.fixture
async def proxy(tmp_path):
    made = Proxy(pathlib.Path(KUBECONFIG))
    made.file = await made.start(tmp_path)
    yield made
    await made.stop()


@pytest.fixture
async def world(tmp_path, proxy):
    made = KubernetesWorld(tmp_path, kubeconfig=proxy.file)
    await made.open()
    yield made
    proxy.accepts = True
    await made.close()


async def test_streams_that_are_cut(world, proxy):
    names = [f"a{number}" for number in range(6)]
    for name in names:
        world.prepare(name)
        await world.launcher.launch(world.attempt(name, "wait"))
    for name in names:
        await world.news.until(name, PHASE.RUNNING, patience=PATIENCE)
        proxy.cut()
    for name in names:
        await asyncio.to_thread(world.release, name)
        proxy.cut()
    for name in names:
        assert (await world.news.end(name, patience=PATIENCE)).phase is PHASE.SUCCEEDED
    for name in names:
        assert len(world.news.ends(name)) == 1
        assert world.runs(name) == 1


async def test_pods_are_made_in_the_end_and_once(world, proxy):
    proxy.accepts = False
    proxy.cut()
    await world.launcher.launch(world.attempt("a", "succeed"))
    await world.news.reason("a", "does not answer", PATIENCE)
    proxy.accepts = True
    assert (await world.news.end("a", patience=PATIENCE)).phase is PHASE.SUCCEEDED
    assert world.runs("a") == 1


async def test_an_answer_that_is_lost(world):
    """The pod is made, but nobody hears that it is: the second call finds it."""
    api = world.launcher._api
    make, calls = api.create, []

    async def make_and_lose(path, manifest):
        made = await make(path, manifest)
        calls.append(made)
        raise errors.UnavailableError("the answer is lost")

    api.create = make_and_lose
    await world.launcher.launch(world.attempt("a", "succeed"))
    assert (await world.news.end("a", patience=PATIENCE)).phase is PHASE.SUCCEEDED
    assert len(calls) == 1
    assert world.runs("a") == 1


async def test_a_watch_that_comes_too_late(world, proxy):
    """410: as after a long time away, with pods that ended and one that was deleted meanwhile."""
    for name in ("ends", "goes"):
        world.prepare(name)
        await world.launcher.launch(world.attempt(name, "wait"))
        await world.news.until(name, PHASE.RUNNING, patience=PATIENCE)
    proxy.accepts = False
    proxy.cut()
    await asyncio.to_thread(world.release, "ends")
    await asyncio.to_thread(kubectl, "-n", world.namespace, "delete", "pod", "goes", "--force", "--grace-period=0")
    informer = world.launcher._informers._informers["Pod"]
    informer._version = "1"  # etcd has forgotten that
    proxy.accepts = True
    assert (await world.news.end("ends", patience=PATIENCE)).phase is PHASE.SUCCEEDED
    error = await ended(world, "goes")
    assert (error.code, error.kind) == ("ResourceDeletedExternally", SYSTEM)
    assert int(informer._version) > 1


async def test_what_vanished_while_nobody_looked(world):
    attempt = shell(world, "a", "sleep 600")
    await world.launcher.launch(attempt)
    await started(world, "a")
    await world.close(end_attempts=False)
    await asyncio.to_thread(kubectl, "-n", world.namespace, "delete", "pod", "a", "--force", "--grace-period=0")
    await world.reopen()
    await world.launcher.launch(dataclasses.replace(attempt, was_running=True))
    error = await ended(world, "a")
    assert (error.code, error.kind, error.worker) == ("ResourceDeletedExternally", SYSTEM, "retryable")
    assert "a" not in await asyncio.to_thread(kubectl, "-n", world.namespace, "get", "pods", "-o", "name")


async def test_two_launchers_share_a_cluster(world, tmp_path):
    """Each hears of what it has launched, ends nothing of the other's, and can take it over."""
    other = KubernetesWorld(tmp_path / "other" if (tmp_path / "other").mkdir() is None else tmp_path)
    other.namespace, other.settings, other.marks = world.namespace, world.settings, world.marks
    other.renew()
    await other.open()
    try:
        for mine, name in ((world, "a"), (other, "b")):
            world.prepare(name)
            await mine.launcher.launch(world.attempt(name, "wait"))
            await mine.news.until(name, PHASE.RUNNING, patience=PATIENCE)
        assert set(world.launcher.leftovers()) == {"b"}
        assert set(other.launcher.leftovers()) == {"a"}
        assert not world.news.of("b")
        # The first lets go of what it has, the second takes it over.
        world.launcher.release("a")
        await other.launcher.launch(world.attempt("a", "wait"))
        await other.news.until("a", PHASE.RUNNING, patience=PATIENCE)
        told = len(world.news.of("a"))
        await asyncio.to_thread(world.release, "a")
        await asyncio.to_thread(world.release, "b")
        for name in ("a", "b"):
            assert (await other.news.end(name, patience=PATIENCE)).phase is PHASE.SUCCEEDED
            assert world.runs(name) == 1
        assert len(world.news.of("a")) == told
    finally:
        await other.launcher.close(end_attempts=False)


async def test_what_waits_is_not_made_once_it_is_let_go(world):
    await world.launcher.launch(shell(world, "first", "sleep 600"))
    await started(world, "first")
    await asyncio.to_thread(kubectl, "-n", world.namespace, "create", "quota", "q", "--hard=pods=1")
    await asyncio.sleep(1)
    await world.launcher.launch(shell(world, "second", "true"))
    await world.news.reason("second", "exceeded quota", PATIENCE)
    world.launcher.release("second")
    await asyncio.to_thread(kubectl, "-n", world.namespace, "delete", "quota", "q")
    await asyncio.sleep(world.settings.quota_seconds[0] * 2)
    assert "second" not in await asyncio.to_thread(kubectl, "-n", world.namespace, "get", "pods", "-o", "name")

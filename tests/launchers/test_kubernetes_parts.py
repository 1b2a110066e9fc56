"""The parts of the Kubernetes launcher that need no cluster."""

import asyncio
import json
import pathlib
import random
import time

import pytest

pytest.importorskip("kubernetes_asyncio")

from volant_core import clock, errors
from volant_core import settings as core_settings
from volant_engine.launchers.kubernetes import cluster, informer, kinds, logs, making, merging, resources, settings
from volant_server.settings import ServerSettings

SETTINGS = settings.KubernetesSettings()


def test_settings_come_from_file_and_environment(tmp_path):
    file = tmp_path / "volant.toml"
    file.write_text(
        """
[kubernetes]
namespace = "tasks"
limits = { cpu = "4" }
[kubernetes.pod]
tolerations = [{ key = "a", tolerationSeconds = 5 }]
[kubernetes.resource_tolerations]
"nvidia.com/gpu" = [{ key = "gpu" }]
"""
    )
    environment = {
        "VOLANT_TASKS__LAUNCHER": "kubernetes",
        "VOLANT_KUBERNETES__INTERRUPTIBLE_POD": json.dumps({"nodeSelector": {"spot": "true"}}),
        "VOLANT_KUBERNETES__NODE_GRACE_SECONDS": "30",
        "VOLANT_KUBERNETES__IMAGE_PULL_SECRETS": "a,b",
    }
    found = core_settings.load(ServerSettings, file=file, environment=environment)
    assert found.tasks.launcher == "kubernetes"
    told = found.kubernetes
    assert told.pod == {"tolerations": [{"key": "a", "tolerationSeconds": 5}]}
    assert told.interruptible_pod == {"nodeSelector": {"spot": "true"}}
    assert told.resource_tolerations == {"nvidia.com/gpu": ({"key": "gpu"},)}
    assert (told.node_grace_seconds, told.image_pull_secrets, told.limits) == (30, ("a", "b"), {"cpu": "4"})


async def test_without_a_cluster_it_says_how_to_name_one(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(errors.FailedPreconditionError, match=r"kubernetes\.kubeconfig"):
        await cluster.Cluster(SETTINGS).open()
    told = settings.KubernetesSettings(kubeconfig=tmp_path / "nowhere")
    with pytest.raises(errors.FailedPreconditionError, match="nowhere"):
        await cluster.Cluster(told).open()


async def test_an_api_server_that_is_away(tmp_path):
    file = tmp_path / "kubeconfig"
    file.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )
    api = cluster.Cluster(settings.KubernetesSettings(kubeconfig=pathlib.Path(file)))
    await api.open()
    try:
        with pytest.raises(errors.UnavailableError, match="does not answer"):
            await api.list_objects("/api/v1/pods", "a=b")
    finally:
        await api.close()


async def test_leave_is_given_at_a_rate():
    bucket = making.Bucket(100.0, 5, clock.SystemClock())
    begin = time.monotonic()
    await asyncio.gather(*(bucket.take() for _ in range(25)))
    took = time.monotonic() - begin
    assert took >= 0.19
    bucket.close_for(0.3)
    begin = time.monotonic()
    await bucket.take()
    assert time.monotonic() - begin >= 0.29


@pytest.mark.parametrize(
    ("told", "hopeless"),
    [
        ("exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1", False),
        ("exceeded quota: q, requested: limits.cpu=2,pods=1, used: limits.cpu=0, limited: limits.cpu=1500m", True),
        ("exceeded quota: q, requested: limits.memory=1Gi, used: limits.memory=1Gi, limited: limits.memory=1Gi", False),
        ("exceeded quota", False),
    ],
)
def test_quotas_that_can_never_be_met(told, hopeless):
    assert making._is_hopeless(told) is hopeless


def test_excerpts_keep_both_ends():
    short = logs.Excerpt(100)
    short.add(b"abc")
    short.add(b"def")
    assert short.text() == b"abcdef"
    long = logs.Excerpt(20)
    for number in range(1000):
        long.add(b"%04d\n" % number)
    assert long.text() == b"0000\n0001\n\n[...]\n0998\n0999\n"
    at_once = logs.Excerpt(20)
    at_once.add(b"x" * 100)
    assert at_once.text() == b"x" * 10 + b"\n[...]\n" + b"x" * 10


def test_merging_joins_lists_and_replaces_values():
    base = {"a": {"x": 1, "y": 2}, "list": [1], "kept": True}
    over = {"a": {"y": 3}, "list": [2], "none": None}
    assert merging.merged(base, over) == {"a": {"x": 1, "y": 3}, "list": [1, 2], "kept": True}
    assert base == {"a": {"x": 1, "y": 2}, "list": [1], "kept": True}


def test_memory_grows_up_to_a_bound():
    assert resources.grown("1Gi", 2.0, "") == str(2 << 30)
    assert resources.grown("1Gi", 1.5, "1200Mi") == "1200Mi"


class _Busy:
    """An API server that refuses so often before it lists."""

    def __init__(self, status: int, times: int) -> None:
        self.status, self.times = status, times

    async def list_objects(self, path: str, selector: str) -> tuple[list[cluster.Object], str]:
        self.times -= 1
        if self.times >= 0:
            raise cluster.RefusedError(self.status, "", "storage is (re)initializing")
        return [], "7"


def listing(busy: _Busy, **changes: float) -> informer.Informer:
    told = settings.KubernetesSettings(retry_seconds=(0.01, 0.02), **changes)
    return informer.Informer(kinds.PODS, busy, told, random.Random(1), lambda *_: None)


async def test_a_busy_server_is_asked_again_what_there_is():
    busy = _Busy(429, 3)
    await listing(busy).start()
    assert busy.times == -1


async def test_a_server_that_stays_busy_is_away():
    with pytest.raises(errors.UnavailableError, match=r"does not list pods: storage is \(re\)initializing"):
        await listing(_Busy(503, 1000), call_seconds=0.1).start()


async def test_a_server_that_refuses_is_asked_once():
    busy = _Busy(403, 3)
    with pytest.raises(cluster.RefusedError):
        await listing(busy).start()
    assert busy.times == 2

"""Every way in which a pod fails, provoked on the cluster, and what is said of it."""

import asyncio
import json

import pytest
from google.protobuf import json_format, struct_pb2
from kubernetes_world import IMAGE, KubernetesWorld, kubectl

from volant_engine.launchers import port
from volantidl.core import execution_pb2, tasks_pb2

PHASE = port.AttemptPhase
USER, SYSTEM = execution_pb2.ExecutionError.USER, execution_pb2.ExecutionError.SYSTEM
R = tasks_pb2.Resources
PATIENCE = 300.0


@pytest.fixture
async def world(tmp_path):
    made = KubernetesWorld(tmp_path, image_seconds=2.0, gone_seconds=2.0)
    await made.open()
    yield made
    await made.close()


def shell(world: KubernetesWorld, name: str, script: str, **more) -> port.Attempt:
    return world.run(name, ["sh", "-c", script], **more)


def limited(world: KubernetesWorld, name: str, script: str, resource: int, amount: str) -> port.Attempt:
    made = shell(world, name, script)
    made.task.container.resources.limits.append(R.ResourceEntry(name=resource, value=amount))
    return made


def of_image(world: KubernetesWorld, name: str, image: str) -> port.Attempt:
    made = shell(world, name, "true")
    made.task.container.image = image
    return made


def pod(world: KubernetesWorld, name: str, script: str, **spec) -> port.Attempt:
    """A pod task whose main container runs a script."""
    main = {"name": "main", "image": IMAGE, "command": ["sh", "-c"], "args": [script], **spec.pop("main", {})}
    described = {"containers": [main], **spec}
    task = tasks_pb2.TaskTemplate(
        type="sidecar",
        task_type_version=2,
        config={"primary_container_name": "main"},
        k8s_pod=tasks_pb2.K8sPod(pod_spec=json_format.ParseDict(described, struct_pb2.Struct())),
    )
    return world.run(name, ["sh", "-c", script], task=task)


async def started(world: KubernetesWorld, name: str) -> None:
    await world.news.until(name, PHASE.RUNNING, patience=PATIENCE)


async def ended(world: KubernetesWorld, name: str) -> execution_pb2.ExecutionError:
    update = await world.news.end(name, patience=PATIENCE)
    assert update.phase is PHASE.FAILED, name
    assert update.error is not None
    update.error.worker = "retryable" if update.retryable else "permanent"
    return update.error


MISSING = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "nowhere", "key": "x"}}}


async def test_what_goes_wrong_in_a_pod(world):
    cases = [
        (shell(world, "exit", "echo out; echo last words >&2; exit 3"), USER, "Error", "retryable", "last words"),
        (shell(world, "killed", "exit 137"), SYSTEM, "Interrupted", "retryable", "137"),
        (world.run("start", ["/no/such/program"]), USER, "StartError", "retryable", "no such file"),
        (
            limited(world, "oom", "exec python3 -c 'x = bytearray(300 << 20); print(x[:9])'", R.MEMORY, "48Mi"),
            USER,
            "OOMKilled",
            "retryable",
            "OOMKilled",
        ),
        (
            limited(world, "disk", "head -c 30000000 /dev/zero > /tmp/x; sleep 300", R.EPHEMERAL_STORAGE, "1Mi"),
            USER,
            "Evicted",
            "retryable",
            "ephemeral",
        ),
        (of_image(world, "badname", "Not An Image"), USER, "ContainersNotReady|InvalidImageName", "permanent", "Image"),
        (
            of_image(world, "pull", "localhost:1/nowhere:1"),
            USER,
            "ContainersNotReady|ImagePullBackOff",
            "retryable",
            "Grace period [2s] exceeded",
        ),
        (
            pod(world, "config", "true", main={"env": [MISSING]}),
            USER,
            "ContainersNotReady|CreateContainerConfigError",
            "permanent",
            "nowhere",
        ),
        (
            pod(
                world,
                "init",
                "true",
                initContainers=[{"name": "i", "image": IMAGE, "command": ["sh", "-c", "echo no disk; exit 4"]}],
            ),
            USER,
            "Error",
            "retryable",
            "no disk",
        ),
    ]
    for attempt, *_ in cases:
        await world.launcher.launch(attempt)
    for attempt, kind, code, again, words in cases:
        error = await ended(world, attempt.name)
        said = f"{attempt.name}: {error}"
        assert (error.kind, error.code, error.worker) == (kind, code, again), said
        assert words in error.message, said


async def test_the_main_container_decides(world):
    await world.launcher.launch(
        pod(
            world,
            "with-companions",
            "sleep 1; echo done",
            containers=[
                {"name": "main", "image": IMAGE, "command": ["sh", "-c"], "args": ["x"]},
                {"name": "bad", "image": IMAGE, "command": ["sh", "-c", "exit 1"]},
                {"name": "endless", "image": IMAGE, "command": ["sleep", "3600"]},
            ],
        )
    )
    update = await world.news.end("with-companions", patience=PATIENCE)
    assert update.phase is PHASE.SUCCEEDED
    await world.launcher.forget("with-companions")
    await asyncio.to_thread(
        kubectl, "-n", world.namespace, "wait", "--for=delete", "pod/with-companions", f"--timeout={PATIENCE}s"
    )


@pytest.mark.parametrize("how", ["delete", "force", "evict"])
async def test_ended_from_outside(world, how):
    await world.launcher.launch(shell(world, "a", "trap 'exit 7' TERM; sleep 600 & wait"))
    await started(world, "a")
    if how == "evict":
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}
        path = f"/api/v1/namespaces/{world.namespace}/pods/a/eviction"
        await asyncio.to_thread(kubectl, "create", "--raw", path, "-f", "-", given=json.dumps(eviction))
    else:
        force = ["--force", "--grace-period=0"] if how == "force" else ["--wait=false"]
        await asyncio.to_thread(kubectl, "-n", world.namespace, "delete", "pod", "a", *force)
    error = await ended(world, "a")
    assert error.kind == SYSTEM
    assert error.worker == "retryable"
    assert error.code in {"UnexpectedObjectDeletion", "ResourceDeletedExternally"}
    if how == "evict":
        assert "EvictionByEvictionAPI" in error.message


async def test_what_was_deleted_after_it_had_left_its_outputs_has_succeeded(world):
    attempt = shell(world, "a", "sleep 600")
    await world.launcher.launch(attempt)
    await started(world, "a")
    await world.blobs.put(f"{attempt.output_prefix}/outputs.pb", b"")
    await asyncio.to_thread(kubectl, "-n", world.namespace, "delete", "pod", "a", "--force", "--grace-period=0")
    assert (await world.news.end("a", patience=PATIENCE)).phase is PHASE.SUCCEEDED


async def test_what_does_not_fit_waits_and_says_why(world):
    attempt = shell(world, "big", "true")
    attempt.task.container.resources.requests.append(R.ResourceEntry(name=R.CPU, value="1000"))
    await world.launcher.launch(attempt)
    await world.news.reason("big", "Insufficient cpu", PATIENCE)
    assert world.news.phases("big")[-1] is PHASE.QUEUED
    await world.launcher.stop("big", "the test says so")
    assert not world.news.ends("big")


async def test_pending_for_too_long(tmp_path):
    world = KubernetesWorld(tmp_path, pending_seconds=2.0)
    await world.open()
    try:
        attempt = shell(world, "big", "true")
        attempt.task.container.resources.requests.append(R.ResourceEntry(name=R.CPU, value="1000"))
        await world.launcher.launch(attempt)
        error = await ended(world, "big")
        assert (error.code, error.kind) == ("PodPendingTimeout", USER)
        assert "Insufficient cpu" in error.message
    finally:
        await world.close()


async def test_a_quota_is_waited_for(world):
    await world.launcher.launch(shell(world, "first", "sleep 600"))
    await started(world, "first")
    await asyncio.to_thread(
        kubectl, "-n", world.namespace, "create", "quota", "q", "--hard=pods=1,requests.memory=100Mi"
    )
    await asyncio.sleep(1)  # the quota controller counts what is there
    await world.launcher.launch(shell(world, "second", "true"))
    await world.news.reason("second", "exceeded quota", PATIENCE)
    assert world.news.phases("second") == [PHASE.QUEUED] * len(world.news.phases("second"))
    hopeless = limited(world, "hopeless", "true", R.MEMORY, "200Mi")
    await world.launcher.launch(hopeless)
    error = await ended(world, "hopeless")
    assert (error.code, error.kind, error.worker) == ("ResourceRequestsExceedLimits", USER, "permanent")
    await world.launcher.stop("first", "there must be room")
    update = await world.news.end("second", patience=PATIENCE)
    assert update.phase is PHASE.SUCCEEDED


async def test_a_pod_that_kubernetes_refuses(world):
    attempt = pod(world, "bad", "true", dnsPolicy="Nonsense")
    await world.launcher.launch(attempt)
    error = await ended(world, "bad")
    assert (error.code, error.kind, error.worker) == ("BadTaskFormat", USER, "permanent")
    assert "dnsPolicy" in error.message

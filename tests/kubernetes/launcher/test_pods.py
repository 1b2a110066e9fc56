"""What pods are given, seen from within them: secrets, templates, resources, accelerators, namespaces, logs."""

import asyncio
import contextlib
import json

import pytest
from kubernetes_world import IMAGE, KubernetesWorld, kubectl
from test_failures import PATIENCE, SYSTEM, USER, ended, limited, pod, shell, started

from volant_core import errors
from volant_engine.launchers import port
from volantidl.core import security_pb2, tasks_pb2

PHASE = port.AttemptPhase
R = tasks_pb2.Resources


@pytest.fixture
async def world(tmp_path):
    made = KubernetesWorld(tmp_path, pod_template="everyone", own_namespace="", keep_failed_seconds=600.0)
    await made.open()
    await asyncio.to_thread(kubectl, "create", "namespace", made.namespace)
    yield made
    await made.close()


def applied(world: KubernetesWorld, *objects: dict) -> None:
    for one in objects:
        one["metadata"].setdefault("namespace", world.namespace)
    kubectl("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


async def said(world: KubernetesWorld, attempt: port.Attempt, last: str = "") -> str:
    """What an attempt printed, from where it is kept."""
    update = await world.news.end(attempt.name, patience=PATIENCE)
    assert update.phase is PHASE.SUCCEEDED, update.error
    (link,) = update.logs
    return await kept(world, link.uri, last)


async def kept(world: KubernetesWorld, uri: str, last: str = "") -> str:
    """A log, once it is there and ends like that: while a pod runs, its log is stored piece by piece."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(errors.NotFoundError):
                text = (await world.blobs.get(uri)).decode()
                if text.endswith(last):
                    return text
            await asyncio.sleep(0.1)


async def test_secrets(world):
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db"},
        "stringData": {"Pass": "hush", "c": "cert"},
    }
    await asyncio.to_thread(applied, world, secret)
    mount = security_pb2.Secret.MountType
    attempt = shell(world, "a", "env | grep -E 'FSEC|SECRETS|MY_' | sort; cat /etc/flyte/secrets/db/c; cat $MY_FILE")
    attempt.task.security_context.secrets.extend(
        [
            security_pb2.Secret(group="db", key="Pass", mount_requirement=mount.ENV_VAR, env_var="MY_PASS"),
            security_pb2.Secret(group="db", key="c", mount_requirement=mount.FILE),
            security_pb2.Secret(group="db", key="Pass", mount_requirement=mount.ANY, env_var="MY_FILE"),
        ]
    )
    await world.launcher.launch(attempt)
    assert (await said(world, attempt, "hush")).splitlines() == [
        "FLYTE_SECRETS_DEFAULT_DIR=/etc/flyte/secrets",
        "FLYTE_SECRETS_ENV_PREFIX=_FSEC_",
        "FLYTE_SECRETS_FILE_PREFIX=",
        "MY_FILE=/etc/flyte/secrets/db/pass",
        "MY_PASS=hush",
        "_FSEC_DB_PASS=hush",
        "certhush",
    ]


def template(name: str, value: str, **spec) -> dict:
    containers = [{"name": "primary", "image": "none", "env": [{"name": "TEMPLATE", "value": value}]}]
    pod_spec = {"containers": containers, **spec}
    metadata = {"labels": {"from": name}}
    return {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"name": name},
        "template": {"metadata": metadata, "spec": pod_spec},
    }


async def test_pod_templates(world):
    special = template("special", "special", terminationGracePeriodSeconds=3)
    await asyncio.to_thread(applied, world, template("everyone", "everyone"), special)
    plain = shell(world, "plain", "echo $TEMPLATE")
    named = shell(world, "named", "echo $TEMPLATE")
    named.task.metadata.pod_template_name = "special"
    for attempt in (plain, named):
        await world.launcher.launch(attempt)
    assert await said(world, plain, "\n") == "everyone\n"
    assert await said(world, named, "\n") == "special\n"
    unknown = shell(world, "unknown", "true")
    unknown.task.metadata.pod_template_name = "nowhere"
    with pytest.raises(errors.InvalidArgumentError, match="PodTemplate 'nowhere' does not exist"):
        await world.launcher.launch(unknown)


async def test_resources_shared_memory_and_accounts(world):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "trainer"}}
    await asyncio.to_thread(applied, world, account)
    attempt = limited(world, "a", "df -k /shared | tail -1; sleep 600", R.MEMORY, "96Mi")
    attempt.task.container.resources.limits.append(R.ResourceEntry(name=R.EPHEMERAL_STORAGE, value="50Mi"))
    attempt.task.extended_resources.shared_memory.mount_name = "shm"
    attempt.task.extended_resources.shared_memory.mount_path = "/shared"
    attempt.task.extended_resources.shared_memory.size_limit = "8Mi"
    attempt.task.security_context.run_as.k8s_service_account = "trainer"
    await world.launcher.launch(attempt)
    await started(world, "a")
    found = json.loads(await asyncio.to_thread(kubectl, "-n", world.namespace, "get", "pod", "a", "-o", "json"))
    amounts = {"cpu": "20m", "memory": "96Mi", "ephemeral-storage": "50Mi"}
    assert found["spec"]["containers"][0]["resources"] == {"limits": amounts, "requests": amounts}
    assert found["spec"]["serviceAccountName"] == "trainer"
    text = await kept(world, f"{attempt.output_prefix}/log.txt", "/shared\n")  # it is followed while the pod runs
    assert text.split()[1] == "8192", text
    await world.launcher.stop("a", "the test is over")


async def test_a_missing_account_is_named(tmp_path):
    world = KubernetesWorld(tmp_path, account_seconds=1.0)
    await world.open()
    try:
        attempt = shell(world, "a", "true")
        attempt.task.security_context.run_as.k8s_service_account = "nobody"
        await world.launcher.launch(attempt)
        error = await ended(world, "a")
        assert (error.code, error.kind) == ("RuntimeFailure", USER)
        assert "nobody" in error.message
    finally:
        await world.close()


async def test_accelerators_find_their_nodes(world):
    attempt = shell(world, "a", "true")
    attempt.task.container.resources.requests.append(R.ResourceEntry(name=R.GPU, value="1"))
    attempt.task.extended_resources.gpu_accelerator.device = "nvidia-of-the-test"
    await world.launcher.launch(attempt)
    await world.news.reason("a", "node affinity", PATIENCE)
    await world.launcher.stop("a", "there are no such nodes")


async def test_namespaces_by_project_and_domain(tmp_path):
    world = KubernetesWorld(tmp_path, namespace="{project}-{domain}")
    await world.open()
    project = world.namespace
    try:
        attempt = shell(world, "a", "true")
        attempt.execution.project, attempt.execution.domain = project, "development"
        await world.launcher.launch(attempt)
        assert (await world.news.end("a", patience=PATIENCE)).phase is PHASE.SUCCEEDED
        found = await asyncio.to_thread(kubectl, "get", "namespace", f"{project}-development", "-o", "name")
        assert found
    finally:
        await world.close()
        await asyncio.to_thread(kubectl, "delete", "namespace", f"{project}-development", "--wait=false", check=False)


async def test_a_namespace_that_must_not_be_made(tmp_path):
    world = KubernetesWorld(tmp_path, create_namespaces=False)
    await world.open()
    try:
        await world.launcher.launch(shell(world, "a", "true"))
        error = await ended(world, "a")
        assert error.code == "NamespaceMissing"
        assert world.namespace in error.message
    finally:
        await world.close()


async def test_more_memory_after_running_out_of_it(tmp_path):
    world = KubernetesWorld(tmp_path, oom_factor=4.0, oom_most="1Gi")
    await world.open()
    try:
        script = "exec python3 -c 'x = bytearray(100 << 20); print(len(x))'"
        first = limited(world, "first", script, R.MEMORY, "48Mi")
        await world.launcher.launch(first)
        assert (await ended(world, "first")).code == "OOMKilled"
        second = limited(world, "second", script, R.MEMORY, "48Mi")
        second = port.Attempt(
            **{
                **{name: getattr(second, name) for name in port.Attempt.__slots__},
                "number": 1,
                "output_prefix": first.output_prefix[:-1] + "1",
            }
        )
        await world.launcher.launch(second)
        assert await said(world, second, "\n") == f"{100 << 20}\n"
    finally:
        await world.close()


async def test_the_last_words_are_in_the_error_whatever_the_pod_says_of_them(world):
    main = {"terminationMessagePolicy": "File"}
    await world.launcher.launch(pod(world, "a", "echo only here; exit 9", main=main))
    error = await ended(world, "a")
    assert "only here" in error.message


async def test_long_logs_keep_their_ends(tmp_path):
    world = KubernetesWorld(tmp_path, log_limit=1000)
    await world.open()
    try:
        # Some containerd loses what it has not read when a container exits, for `kubectl logs` too: hence the pause.
        attempt = shell(world, "a", "echo first; seq 100000; echo last; sleep 2")
        await world.launcher.launch(attempt)
        text = await said(world, attempt, "last\n")
        assert text.startswith("first\n1\n2\n")
        assert "\n[...]\n" in text
        assert text.endswith("100000\nlast\n")
        assert len(text) <= 1010
    finally:
        await world.close()


async def test_what_an_abort_leaves(world):
    attempt = shell(world, "a", "echo so far; sleep 600")
    await world.launcher.launch(attempt)
    await started(world, "a")
    await asyncio.sleep(1)
    await world.launcher.stop("a", "the test says so")
    assert await kept(world, f"{attempt.output_prefix}/log.txt", "\n") == "so far\n"
    await asyncio.to_thread(kubectl, "-n", world.namespace, "wait", "--for=delete", "pod/a", f"--timeout={PATIENCE}s")
    assert not world.news.ends("a")


async def test_ended_pods_are_kept_and_removed_as_settings_say(world):
    good, bad = shell(world, "good", "true"), shell(world, "bad", "exit 1")
    for attempt in (good, bad):
        await world.launcher.launch(attempt)
    await world.news.end("good", patience=PATIENCE)
    await world.news.end("bad", patience=PATIENCE)
    for attempt in (good, bad):
        await world.launcher.forget(attempt.name)
    await asyncio.to_thread(
        kubectl, "-n", world.namespace, "wait", "--for=delete", "pod/good", f"--timeout={PATIENCE}s"
    )
    left = await asyncio.to_thread(kubectl, "-n", world.namespace, "get", "pods", "-o", "name")
    assert "pod/bad" in left
    assert not world.launcher.leftovers()


async def test_a_foreign_pod_of_the_same_name_is_left_alone(world):
    foreign = {"name": "a", "image": IMAGE, "command": ["sleep", "600"]}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [foreign]}}
    await asyncio.sleep(1)
    await asyncio.to_thread(applied, world, manifest)
    await world.launcher.launch(shell(world, "a", "true"))
    error = await ended(world, "a")
    assert error.code == "PodNameTaken"
    assert "pod/a" in await asyncio.to_thread(kubectl, "-n", world.namespace, "get", "pods", "-o", "name")


async def test_a_pod_with_an_accelerator_that_is_preempted(world):
    """The node is said to have one GPU; the attempt gets it, and loses it to a pod that counts for more."""
    (node,) = (await asyncio.to_thread(kubectl, "get", "nodes", "-o", "name")).split()
    label, path = "k8s.amazonaws.com/accelerator", "/status/capacity/nvidia.com~1gpu"
    gpu = json.dumps([{"op": "add", "path": path, "value": "1"}])
    high = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "value": 1000,
        "metadata": {"name": world.namespace},
    }
    limits = {"cpu": "10m", "memory": "16Mi", "nvidia.com/gpu": "1"}
    container = {"name": "a", "image": IMAGE, "command": ["sleep", "1"], "resources": {"limits": limits}}
    rival = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "rival", "namespace": world.namespace},
        "spec": {"priorityClassName": world.namespace, "restartPolicy": "Never", "containers": [container]},
    }
    try:
        await asyncio.to_thread(kubectl, "label", node, f"{label}=of-the-test")
        await asyncio.to_thread(kubectl, "patch", node, "--subresource=status", "--type=json", "-p", gpu)
        await asyncio.to_thread(kubectl, "create", "-f", "-", given=json.dumps(high))
        attempt = shell(world, "a", "sleep 600")
        attempt.task.container.resources.requests.append(R.ResourceEntry(name=R.GPU, value="1"))
        attempt.task.extended_resources.gpu_accelerator.device = "of-the-test"
        await world.launcher.launch(attempt)
        await started(world, "a")
        await asyncio.to_thread(kubectl, "create", "-f", "-", given=json.dumps(rival))
        error = await ended(world, "a")
        assert (error.kind, error.worker) == (SYSTEM, "retryable")
        assert "PreemptionByScheduler" in error.message
    finally:
        await asyncio.to_thread(kubectl, "label", node, f"{label}-", check=False)
        gone = json.dumps([{"op": "remove", "path": path}])
        await asyncio.to_thread(kubectl, "patch", node, "--subresource=status", "--type=json", "-p", gone, check=False)
        await asyncio.to_thread(kubectl, "delete", "priorityclass", world.namespace, check=False)

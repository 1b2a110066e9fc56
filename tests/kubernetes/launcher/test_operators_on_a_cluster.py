"""Tasks as custom resources, of the operators' real definitions. The tests play the operators: they write statuses."""

import asyncio
import dataclasses
import json
import pathlib
from typing import Any

import cutting
import operator_crds
import operator_tasks
import pytest
from kubernetes_world import IMAGE, KUBECONFIG, KubernetesWorld, kubectl

from volant_core import errors
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes.operators import jobs
from volantidl.core import execution_pb2

PHASE = port.AttemptPhase
USER, SYSTEM = execution_pb2.ExecutionError.USER, execution_pb2.ExecutionError.SYSTEM
PATIENCE = 60.0


def condition(kind: str, at: int, **more: str) -> dict[str, str]:
    when = f"2026-11-23T11:00:0{at}Z"
    return {"type": kind, "status": "True", "reason": f"Job{kind}", "message": "", "lastTransitionTime": when, **more}


def conditions(*told: dict[str, str], **replicas: dict[str, int]) -> dict[str, Any]:
    return {"conditions": list(told), "replicaStatuses": replicas}


CREATED, RUNS, SUSPENDED = condition("Created", 1), condition("Running", 2), condition("Suspended", 2)
WENT = {"executorState": {}, "sparkApplicationId": "spark-1"}


def spark(state: str, message: str = "") -> dict[str, Any]:
    return {
        **WENT,
        "applicationState": {"state": state, "errorMessage": message},
        "driverInfo": {"podName": "leader", "webUIIngressAddress": "spark.example.org/ui"},
        "lastSubmissionAttemptTime": None,
        "terminationTime": None,
    }


@dataclasses.dataclass(frozen=True)
class Play:
    """What an operator does."""

    task: str
    waiting: tuple[tuple[dict[str, Any], port.AttemptPhase, str], ...]
    """Statuses before it runs, each with the phase and words that it means."""
    running: dict[str, Any]
    succeeded: dict[str, Any]
    failed: dict[str, Any]
    code: str
    message: str
    leader: str
    """The pod whose log is the job's."""
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    link: str = ""
    kind: execution_pb2.ExecutionError.ErrorKind.ValueType = USER


FAILED = condition("Failed", 4, reason="BackoffLimit", message="exit 1")
TRAINING = {
    "waiting": (
        (conditions(CREATED), PHASE.QUEUED, "JobCreated"),
        (conditions(CREATED, SUSPENDED), PHASE.QUEUED, "Suspended"),
    ),
    "succeeded": conditions(CREATED, {**RUNS, "status": "False"}, condition("Succeeded", 3)),
    "failed": conditions(CREATED, {**RUNS, "status": "False"}, FAILED),
    "code": "DownstreamSystemError",
    "message": "Job failed:\n\tBackoffLimit - exit 1",
}
RAY_ENDED = {"jobId": "j-1", "jobStatus": "FAILED", "reason": "AppFailed", "message": "exit 1"}
PLAYS = {
    "spark": Play(
        "spark",
        ((spark("SUBMITTED"), PHASE.INITIALIZING, "the job is submitted"),),
        spark("RUNNING"),
        spark("COMPLETED"),
        spark("FAILED", "driver container failed with ExitCode: 1"),
        "DownstreamSystemError",
        "Spark Job Failed with Error: driver container failed with ExitCode: 1",
        "leader",
        link="https://spark.example.org/ui",
    ),
    "ray": Play(
        "ray",
        (
            ({"jobDeploymentStatus": "Initializing"}, PHASE.INITIALIZING, "cluster is creating"),
            ({"jobDeploymentStatus": "Suspended"}, PHASE.QUEUED, "Suspended"),
        ),
        {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING", "jobId": "j-1", "dashboardURL": "head:8265"},
        {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED", "jobId": "j-1"},
        {"jobDeploymentStatus": "Failed", **RAY_ENDED},
        "TaskFailedWithError",
        "Failed to run Ray job j-1 with error: [AppFailed] exit 1",
        "any",
        labels={"job-name": "{name}"},
        link="http://head:8265",
        kind=SYSTEM,
    ),
    "dask": Play(
        "dask",
        (
            ({"jobStatus": "JobCreated"}, PHASE.INITIALIZING, "job created"),
            ({"jobStatus": "ClusterCreated", "clusterName": "c"}, PHASE.INITIALIZING, "cluster created"),
        ),
        {"jobStatus": "Running", "jobRunnerPodName": "leader"},
        {"jobStatus": "Successful", "jobRunnerPodName": "leader"},
        {"jobStatus": "Failed", "jobRunnerPodName": "leader"},
        "DownstreamSystemError",
        "Dask Job failed",
        "leader",
    ),
    "pytorch": Play(
        "pytorch",
        running=conditions(CREATED, RUNS, Master={"active": 1}, Worker={"active": 2}),
        leader="{name}-master-0",
        **TRAINING,
    ),
    "tensorflow": Play(
        "tensorflow",
        running=conditions(CREATED, RUNS, Chief={"active": 1}, Worker={"active": 2}),
        leader="{name}-chief-0",
        **TRAINING,
    ),
    "mpi": Play(
        "mpi",
        running=conditions(CREATED, RUNS, Launcher={"active": 1}),
        leader="{name}-launcher",
        **TRAINING,
    ),
}


class Operated:
    """A world with operators, and the hand of one of them."""

    def __init__(self, world: KubernetesWorld, play: Play) -> None:
        self.world = world
        self.play = play
        task = operator_tasks.read(play.task)
        self.kind = jobs.JOBS[task.type]
        self.resource = f"{self.kind.plural}.{self.kind.group}"

    def attempt(self, name: str, **more: Any) -> port.Attempt:
        prefix = f"s3://volant/metadata/{name}/n0/data/0"
        return operator_tasks.attempt(operator_tasks.read(self.play.task), name, output_prefix=prefix, **more)

    async def kubectl(self, *words: str, **more: Any) -> str:
        return await asyncio.to_thread(kubectl, "-n", self.world.namespace, *words, **more)

    async def object(self, name: str) -> dict[str, Any]:
        """The attempt's; waited for, as it is made in the background."""
        selector = f"volant/attempt={name}"
        async with asyncio.timeout(PATIENCE):
            while True:
                found = json.loads(await self.kubectl("get", self.resource, "-l", selector, "-o", "json"))["items"]
                if found:
                    return found[0]
                assert not self.world.news.ends(name), self.world.news.ends(name)
                await asyncio.sleep(0.1)

    async def say(self, name: str, status: dict[str, Any]) -> None:
        """The operator writes a status."""
        called = self.kind.name_of(name)
        patch = json.dumps({"status": status})
        await self.kubectl("patch", self.resource, called, "--subresource=status", "--type=merge", "-p", patch)

    async def lead(self, name: str) -> str:
        """The operator makes the pod that leads the job; it says something and ends."""
        made = await self.object(name)
        called = self.kind.name_of(name)
        pod = self.play.leader.format(name=called)
        container = self.kind.log_place(self.attempt(name), {"status": self.play.running}).container
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": pod,
                "labels": {key: value.format(name=called) for key, value in self.play.labels.items()},
                "ownerReferences": [
                    {
                        "apiVersion": self.kind.api,
                        "kind": self.kind.name,
                        "name": called,
                        "uid": made["metadata"]["uid"],
                    }
                ],
            },
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": container,
                        "image": IMAGE,
                        "command": ["sh", "-c", "echo here is the leader"],
                        "resources": {"requests": {"cpu": "10m"}},
                    }
                ],
            },
        }
        await self.kubectl("create", "-f", "-", given=json.dumps(manifest))
        await self.kubectl("wait", f"pod/{pod}", "--for=jsonpath={.status.phase}=Succeeded", f"--timeout={PATIENCE}s")
        return pod

    async def gone(self, *what: str) -> None:
        await self.kubectl("wait", "--for=delete", *what, f"--timeout={PATIENCE}s")

    async def run(self, name: str) -> None:
        """Launch an attempt, and have it run."""
        await self.world.launcher.launch(self.attempt(name))
        await self.object(name)
        await self.say(name, self.play.running)
        await self.world.news.until(name, PHASE.RUNNING, patience=PATIENCE)


@pytest.fixture(scope="module")
def definitions():
    """What of the operators' definitions is there, or why it is not."""
    made, missing = [], {}
    for name in operator_crds.SOURCES:
        try:
            if operator_crds.install(name):
                made.append(name)
        except operator_crds.MissingError as wrong:
            missing[name] = str(wrong)
    yield missing
    for name in made:
        operator_crds.remove(name)


@pytest.fixture(params=PLAYS)
async def operated(request, tmp_path, definitions):
    play = PLAYS[request.param]
    job = jobs.JOBS[request.param]
    why = definitions.get(f"{job.plural}.{job.group}")
    if why:
        pytest.skip(why)
    world = KubernetesWorld(tmp_path, operators=(request.param,), gone_seconds=2.0)
    await world.open()
    yield Operated(world, play)
    await world.close()


async def test_a_job_runs_to_its_end(operated):
    world, play = operated.world, operated.play
    await world.launcher.launch(operated.attempt("a"))
    await operated.lead("a")
    for status, phase, words in play.waiting:
        await operated.say("a", status)
        told = await world.news.until("a", phase, patience=PATIENCE)
        await world.news.reason("a", words, patience=PATIENCE)
        assert told.phase is phase
    assert world.launcher.running == 0
    await operated.say("a", play.running)
    began = await world.news.until("a", PHASE.RUNNING, patience=PATIENCE)
    assert began.started_at is not None
    assert world.launcher.running == 1
    await operated.say("a", play.succeeded)
    end = await world.news.end("a", patience=PATIENCE)
    assert end.phase is PHASE.SUCCEEDED
    assert end.at >= began.at
    assert [link.uri for link in end.logs][1:] == ([play.link] if play.link else [])
    assert world.launcher.running == 0
    await world.launcher.forget("a")
    # Its pods go with it, as they are its own.
    await operated.gone(f"{operated.resource}/{operated.kind.name_of('a')}")
    await operated.gone("pods", "--all")
    assert b"here is the leader" in await world.blobs.get(end.logs[0].uri)


async def test_a_job_fails(operated):
    world, play = operated.world, operated.play
    await operated.run("a")
    await operated.lead("a")
    await operated.say("a", play.failed)
    end = await world.news.end("a", patience=PATIENCE)
    assert (end.error.code, end.error.kind, end.retryable) == (play.code, play.kind, True)
    assert end.error.message == f"{play.message} The last that it said:\nhere is the leader"
    await world.launcher.forget("a")
    await operated.gone(f"{operated.resource}/{operated.kind.name_of('a')}")


async def test_a_job_is_aborted(operated):
    world = operated.world
    await operated.run("a")
    pod = await operated.lead("a")
    await world.launcher.stop("a", "someone said so")
    await operated.gone(f"{operated.resource}/{operated.kind.name_of('a')}")
    await operated.gone(f"pod/{pod}")
    assert not world.news.ends("a")
    assert world.launcher.running == 0


async def test_a_job_is_deleted_from_outside(operated):
    world = operated.world
    await operated.run("a")
    await operated.kubectl("delete", operated.resource, operated.kind.name_of("a"))
    end = await world.news.end("a", patience=PATIENCE)
    assert (end.error.code, end.error.kind, end.retryable) == ("ResourceDeletedExternally", SYSTEM, True)


async def test_another_engine_adopts(operated):
    world = operated.world
    await operated.run("runs")
    await operated.run("ends")
    await world.launcher.launch(operated.attempt("waits"))
    uids = {name: (await operated.object(name))["metadata"]["uid"] for name in ("runs", "ends", "waits")}
    await world.close(end_attempts=False)
    await operated.say("ends", operated.play.succeeded)
    await world.reopen()
    assert set(world.launcher.leftovers()) == set(uids)
    for name in uids:
        await world.launcher.launch(operated.attempt(name, was_running=name != "waits"))
    assert (await world.news.end("ends", patience=PATIENCE)).phase is PHASE.SUCCEEDED
    await world.news.until("runs", PHASE.RUNNING, patience=PATIENCE)
    assert world.launcher.running == 1
    for name in ("runs", "waits"):
        assert (await operated.object(name))["metadata"]["uid"] == uids[name]
        await operated.say(name, operated.play.succeeded)
        assert (await world.news.end(name, patience=PATIENCE)).phase is PHASE.SUCCEEDED
    # One that had run, and of which nothing is left, is lost and not run again.
    await world.launcher.launch(operated.attempt("lost", was_running=True))
    assert (await world.news.end("lost", patience=PATIENCE)).error.code == "ResourceDeletedExternally"


async def test_a_job_that_its_definition_refuses(operated):
    """The API server says which field is wrong, and it is the user's failure."""
    world = operated.world
    attempt = operated.attempt("a")
    main = {"name": "primary", "image": IMAGE, "args": ["true"]}
    spec = {"containers": [main], "tolerations": [{"key": "tasks", "tolerationSeconds": "soon"}]}
    attempt.task.config["primary_container_name"] = "primary"
    attempt.task.k8s_pod.pod_spec.update(spec)  # instead of a container
    await world.launcher.launch(attempt)
    end = await world.news.end("a", patience=PATIENCE)
    assert (end.error.code, end.error.kind, end.retryable) == ("BadTaskFormat", USER, False)
    assert "tolerations[0].tolerationSeconds: Invalid value" in end.error.message
    assert await operated.kubectl("get", operated.resource, "-o", "name") == ""


async def test_a_watch_that_is_cut_and_comes_too_late(tmp_path, definitions):
    """As for pods: what happens to jobs meanwhile is learnt all the same."""
    if definitions.get("daskjobs.kubernetes.dask.org"):
        pytest.skip(definitions["daskjobs.kubernetes.dask.org"])
    proxy = cutting.Proxy(pathlib.Path(KUBECONFIG))
    world = KubernetesWorld(tmp_path, operators=("dask",), kubeconfig=await proxy.start(tmp_path))
    await world.open()
    operated = Operated(world, PLAYS["dask"])
    try:
        for name in ("ends", "goes"):
            await operated.run(name)
        proxy.accepts = False
        proxy.cut()
        await operated.say("ends", operated.play.succeeded)
        await operated.kubectl("delete", operated.resource, "goes")
        informer = world.launcher._informers._informers["DaskJob"]
        informer._version = "1"  # etcd has forgotten that
        proxy.accepts = True
        assert (await world.news.end("ends", patience=PATIENCE)).phase is PHASE.SUCCEEDED
        assert (await world.news.end("goes", patience=PATIENCE)).error.code == "ResourceDeletedExternally"
        assert int(informer._version) > 1
    finally:
        proxy.accepts = True
        await world.close()
        await proxy.stop()


async def test_a_kind_that_the_settings_do_not_name(tmp_path, definitions):
    world = KubernetesWorld(tmp_path)
    await world.open()
    try:
        for play in PLAYS.values():
            with pytest.raises(errors.InvalidArgumentError, match=r"kubernetes\.operators"):
                await world.launcher.launch(operator_tasks.attempt(operator_tasks.read(play.task)))
    finally:
        await world.close()

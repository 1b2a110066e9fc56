"""Custom resources, as they are made of what stock flytekit writes, and what their operators' words mean.

Each case is compared with the object in its file of `jobs`. VOLANT_TEST_WRITE=1 writes that anew.
"""

import dataclasses
import datetime
import json
import os
import random
import shlex

import operator_tasks
import pytest
from google.protobuf import json_format, struct_pb2

from volant_core import errors
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import kinds, settings
from volant_engine.launchers.kubernetes.operators import jobs
from volantidl.core import execution_pb2, tasks_pb2

PHASE = port.AttemptPhase
USER, SYSTEM = execution_pb2.ExecutionError.USER, execution_pb2.ExecutionError.SYSTEM
SETTINGS = settings.KubernetesSettings(
    operators=tuple(jobs.JOBS),
    spark_conf={"spark.eventLog.dir": "s3a://logs", "spark.executor.memory": "1g"},
    interruptible_pod={"nodeSelector": {"spot": "true"}},
    pod={"tolerations": [{"key": "tasks", "operator": "Exists"}]},
)
NOW = datetime.datetime(2026, 11, 23, 12, 0, 0, tzinfo=datetime.UTC)


def build(task: tasks_pb2.TaskTemplate, **more) -> dict:
    attempt = operator_tasks.attempt(task, **more)
    return kinds.of_attempt(attempt, SETTINGS.operators).build(attempt, SETTINGS, None, "")


@pytest.mark.parametrize("name", operator_tasks.NAMES)
def test_objects(name):
    file = operator_tasks.FILES / f"{name}.json"
    told = json.loads(file.read_text())
    task = operator_tasks.read(name)
    before = task.SerializeToString(deterministic=True)
    made = json.loads(json.dumps(build(task, interruptible=True)))
    if os.environ.get("VOLANT_TEST_WRITE"):
        file.write_text(json.dumps({"task": told["task"], "object": made}, indent=1, sort_keys=True) + "\n")
        told["object"] = made
    assert made == told["object"]
    assert task.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("name", operator_tasks.NAMES)
def test_only_the_object_itself_is_an_attempt(name):
    """Its pods are its operator's: no informer takes them for attempts."""
    made = build(operator_tasks.read(name))
    labels = made["metadata"].pop("labels")
    assert labels["volant/attempt"] == "abc-n0-0"
    assert "volant/" not in json.dumps(made)
    assert "primary_container_name" not in json.dumps(made)


def test_every_role_has_what_pods_have():
    made = build(operator_tasks.read("pytorch"), environment={"A": "b"})
    for role in made["spec"]["pytorchReplicaSpecs"].values():
        (container,) = role["template"]["spec"]["containers"]
        assert {"name": "A", "value": "b"} in container["env"]
        assert role["template"]["metadata"]["labels"]["execution-id"] == "abc"
        assert role["template"]["spec"]["tolerations"] == [{"key": "tasks", "operator": "Exists"}]


def test_a_feature_of_spark():
    """A task asks for what the platform's people have called so; what they have not is Spark's to know."""
    task = operator_tasks.read("spark")
    task.custom["sparkConf"].update({"spark.flyteorg.lake.enabled": "True", "spark.flyte.other.enabled": "true"})
    attempt = operator_tasks.attempt(task)
    told = dataclasses.replace(SETTINGS, spark_features={"lake": {"spark.lake": "on"}})
    conf = jobs.JOBS["spark"].build(attempt, told, None, "")["spec"]["sparkConf"]
    assert conf["spark.lake"] == "on"
    assert "spark.flyteorg.lake.enabled" not in conf
    assert conf["spark.flyte.other.enabled"] == "true"


def test_a_ray_job_with_a_long_name():
    name = "a" * 30 + "-n0-very-long-node-0"
    long = build(operator_tasks.read("ray"), name=name)
    assert len(long["metadata"]["name"]) == 47
    assert long["metadata"]["labels"]["volant/attempt"] == name
    assert build(operator_tasks.read("ray"), name=name) == long
    assert build(operator_tasks.read("ray"), name=name[:-1] + "1")["metadata"]["name"] != long["metadata"]["name"]


def test_a_ray_jobs_words_survive_a_shell():
    words = ["pyflyte-execute", "--resolver", "", "a b", "$HOME"]
    assert shlex.split(build(operator_tasks.read("ray"), arguments=words)["spec"]["entrypoint"]) == words


def test_the_older_forms_of_kubeflow_tasks():
    def old(name, custom, config=()):
        task = operator_tasks.read(name)
        task.task_type_version = 0
        task.custom.Clear()
        task.custom.update(custom)
        task.config.update(config)
        return build(task)["spec"]

    assert old("pytorch", {"workers": 2})["pytorchReplicaSpecs"]["Worker"]["replicas"] == 2
    tensorflow = old("tensorflow", {"workers": 2, "psReplicas": 1})["tfReplicaSpecs"]
    assert {role: spec["replicas"] for role, spec in tensorflow.items()} == {"Worker": 2, "PS": 1}
    mpi = old("mpi", {"numWorkers": 2, "slots": 4}, {"worker_spec_command": "sleep infinity"})
    assert mpi["slotsPerWorker"] == 4
    (worker,) = mpi["mpiReplicaSpecs"]["Worker"]["template"]["spec"]["containers"]
    assert worker["args"] == ["sleep", "infinity"]


@pytest.mark.parametrize(
    ("name", "custom", "words"),
    [
        ("spark", {}, "neither a main application file nor a main class"),
        ("mpi", {"launcherReplicas": {"replicas": 1}}, "number of workers must be greater than 0"),
        ("tensorflow", {}, "number of workers must be greater than 0"),
        ("pytorch", {"elasticConfig": {"minReplicas": 1}}, "number of workers must be greater than 0"),
        ("dask", {"workers": 3}, "is no DaskJob"),
        ("ray", {"runtimeEnv": "no base 64!"}, "no JSON in base 64"),
    ],
)
def test_what_a_task_cannot_be(name, custom, words):
    task = operator_tasks.read(name)
    task.custom.CopyFrom(json_format.ParseDict(custom, struct_pb2.Struct()))
    with pytest.raises(errors.InvalidArgumentError, match=words):
        build(task)


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        ({"containers": "x"}, "containers must be a list of objects"),
        ({"volumes": ["x"]}, "volumes must be a list of objects"),
        (
            {"containers": [{"name": "primary", "env": [{"value": "x"}]}]},
            r"each of containers\[0\]\.env must have a name",
        ),
    ],
)
def test_a_pod_that_is_none(pod, words):
    task = operator_tasks.read("spark")
    task.custom["driverPod"]["podSpec"] = pod
    with pytest.raises(errors.InvalidArgumentError, match=words):
        build(task)
    sidecar = tasks_pb2.TaskTemplate(type="sidecar", config={"primary_container_name": "primary"})
    sidecar.k8s_pod.pod_spec.update({"containers": [{"name": "primary"}], **pod})
    with pytest.raises(errors.InvalidArgumentError, match=words):
        build(sidecar)


def test_a_policy_that_nobody_knows():
    task = operator_tasks.read("pytorch")
    task.custom["runPolicy"]["cleanPodPolicy"] = 17
    with pytest.raises(errors.InvalidArgumentError, match="17 is no clean pod policy"):
        build(task)


def test_a_version_that_nobody_knows():
    task = operator_tasks.read("mpi")
    task.task_type_version = 7
    with pytest.raises(errors.InvalidArgumentError, match="version 7"):
        build(task)


def test_a_type_whose_operator_is_not_named():
    attempt = operator_tasks.attempt(operator_tasks.read("spark"))
    with pytest.raises(errors.InvalidArgumentError, match=r"kubernetes\.operators .* does not name 'spark'"):
        kinds.of_attempt(attempt, ("ray",))
    assert kinds.of_attempt(operator_tasks.attempt(tasks_pb2.TaskTemplate(type="python-task")), ()) is kinds.PODS


def told(kind: str, status: dict, **metadata) -> dict:
    own = {"name": "abc-n0-0", "namespace": "s", "creationTimestamp": "2026-11-23T11:00:00Z", **metadata}
    return {"kind": jobs.JOBS[kind].name, "metadata": own, "status": status, "changed": "2026-11-23T11:59:00Z"}


def condition(*kinds_: str, **more) -> dict:
    return {
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": f"2026-11-23T11:0{at}:00Z", **more}
            for at, kind in enumerate(kinds_)
        ]
    }


@pytest.mark.parametrize(
    ("kind", "status", "phase"),
    [
        ("spark", {}, PHASE.QUEUED),
        ("spark", {"applicationState": {"state": "SUBMITTED"}}, PHASE.INITIALIZING),
        ("spark", {"applicationState": {"state": "RUNNING"}}, PHASE.RUNNING),
        ("spark", {"applicationState": {"state": "PENDING_RERUN"}}, PHASE.RUNNING),
        ("spark", {"applicationState": {"state": "SUSPENDED"}}, PHASE.QUEUED),
        ("spark", {"applicationState": {"state": "COMPLETED"}}, PHASE.SUCCEEDED),
        ("ray", {"jobStatus": "PENDING"}, PHASE.QUEUED),
        ("ray", {"jobDeploymentStatus": "Initializing"}, PHASE.INITIALIZING),
        ("ray", {"jobDeploymentStatus": "Running"}, PHASE.RUNNING),
        ("ray", {"jobDeploymentStatus": "Retrying"}, PHASE.RUNNING),
        ("ray", {"jobDeploymentStatus": "Suspended"}, PHASE.QUEUED),
        ("ray", {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}, PHASE.SUCCEEDED),
        ("dask", {"jobStatus": "JobCreated"}, PHASE.INITIALIZING),
        ("dask", {"jobStatus": "ClusterCreated"}, PHASE.INITIALIZING),
        ("dask", {"jobStatus": "Running"}, PHASE.RUNNING),
        ("dask", {"jobStatus": "Successful"}, PHASE.SUCCEEDED),
        ("pytorch", {"conditions": []}, PHASE.QUEUED),
        ("pytorch", condition("Created"), PHASE.QUEUED),
        ("tensorflow", condition("Created", "Running"), PHASE.RUNNING),
        ("mpi", condition("Created", "Running", "Restarting"), PHASE.RUNNING),
        ("mpi", condition("Created", "Suspended"), PHASE.QUEUED),
        ("pytorch", condition("Created", "Running", "Succeeded"), PHASE.SUCCEEDED),
    ],
)
def test_phases(kind, status, phase):
    verdict = jobs.JOBS[kind].judge(told(kind, status), NOW, SETTINGS)
    assert verdict.phase is phase
    assert verdict.at == datetime.datetime(2026, 11, 23, 11, 59, tzinfo=datetime.UTC)
    assert jobs.JOBS[kind].is_over(told(kind, status)) is (phase is PHASE.SUCCEEDED)


@pytest.mark.parametrize(
    ("kind", "status", "code", "error_kind", "message", "is_over"),
    [
        (
            "spark",
            {"applicationState": {"state": "FAILED", "errorMessage": "driver lost"}},
            "DownstreamSystemError",
            USER,
            "Spark Job Failed with Error: driver lost",
            True,
        ),
        (
            "spark",
            {"applicationState": {"state": "SUBMISSION_FAILED", "errorMessage": "no room"}},
            "DownstreamSystemError",
            USER,
            "Spark Job Submission Failed with Error: no room",
            False,
        ),
        (
            "ray",
            {"jobDeploymentStatus": "Failed", "jobId": "abc-x", "reason": "AppFailed", "message": "exit 1"},
            "TaskFailedWithError",
            SYSTEM,
            "Failed to run Ray job abc-x with error: [AppFailed] exit 1",
            True,
        ),
        ("dask", {"jobStatus": "Failed"}, "DownstreamSystemError", USER, "Dask Job failed", True),
        (
            "mpi",
            condition("Created", "Running", "Failed", reason="MPIJobFailed", message="launcher died"),
            "DownstreamSystemError",
            USER,
            "Job failed:\n\tMPIJobFailed - launcher died",
            True,
        ),
    ],
)
def test_failures(kind, status, code, error_kind, message, is_over):
    verdict = jobs.JOBS[kind].judge(told(kind, status), NOW, SETTINGS)
    assert verdict.phase is PHASE.FAILED
    assert (verdict.error.code, verdict.error.kind, verdict.error.message) == (code, error_kind, message)
    assert verdict.retryable
    assert jobs.JOBS[kind].is_over(told(kind, status)) is is_over


def test_a_job_that_its_operator_refuses():
    told_ = told("ray", {"jobDeploymentStatus": "ValidationFailed", "message": "no head"})
    verdict = jobs.JOBS["ray"].judge(told_, NOW, SETTINGS)
    assert (verdict.error.code, verdict.retryable) == ("BadTaskSpecification", False)


def test_a_job_that_nobody_takes_up():
    patient = dataclasses.replace(SETTINGS, pending_seconds=7200.0)
    waiting = jobs.JOBS["dask"].judge(told("dask", {}), NOW, patient)
    assert (waiting.phase, waiting.reason) == (PHASE.INITIALIZING, "no operator has taken it up yet")
    assert waiting.again == datetime.datetime(2026, 11, 23, 13, 0, tzinfo=datetime.UTC)
    over = jobs.JOBS["dask"].judge(told("dask", {}), waiting.again, patient)
    assert (over.error.code, over.error.message) == ("PodPendingTimeout", "no operator has taken it up yet")


def test_a_job_that_someone_deletes():
    told_ = told("ray", {"jobDeploymentStatus": "Running"}, deletionTimestamp="2026-11-23T11:59:30Z")
    leaving = jobs.JOBS["ray"].judge(told_, NOW, SETTINGS)
    assert (leaving.phase, leaving.again) == (PHASE.RUNNING, NOW + datetime.timedelta(seconds=30))
    late = jobs.JOBS["ray"].judge(told_, leaving.again, SETTINGS)
    assert (late.error.code, late.error.kind) == ("UnexpectedObjectDeletion", SYSTEM)
    assert jobs.JOBS["ray"].gone(told_, NOW, SETTINGS).error.code == "ResourceDeletedExternally"


@pytest.mark.parametrize(
    ("kind", "status", "pod", "container"),
    [
        ("spark", {}, "abc-n0-0-driver", "spark-kubernetes-driver"),
        ("spark", {"driverInfo": {"podName": "other"}}, "other", "spark-kubernetes-driver"),
        ("dask", {}, "abc-n0-0-runner", "job-runner"),
        ("ray", {}, "job-name=abc-n0-0", "ray-submit"),
        ("pytorch", {}, "abc-n0-0-master-0", "pytorch"),
        ("pytorch", {"replicaStatuses": {"Worker": {"active": 2}}}, "abc-n0-0-worker-0", "pytorch"),
        ("tensorflow", {"replicaStatuses": {"Chief": {}, "Worker": {}}}, "abc-n0-0-chief-0", "tensorflow"),
        ("mpi", {}, "abc-n0-0-launcher", "mpi"),
    ],
)
def test_whose_log_it_is(kind, status, pod, container):
    attempt = operator_tasks.attempt(tasks_pb2.TaskTemplate(type=kind))
    place = jobs.JOBS[kind].log_place(attempt, told(kind, status))
    assert (place.pod or place.selector, place.container) == (pod, container)


@pytest.mark.parametrize(
    ("kind", "status", "uri"),
    [
        (
            "spark",
            {"applicationState": {"state": "RUNNING"}, "driverInfo": {"webUIIngressAddress": "x/y"}},
            "https://x/y",
        ),
        ("ray", {"jobDeploymentStatus": "Running", "dashboardURL": "head:8265"}, "http://head:8265"),
    ],
)
def test_links(kind, status, uri):
    assert [link.uri for link in jobs.JOBS[kind].links(told(kind, status))] == [uri]


async def test_an_operator_that_comes_later_than_the_engine():
    from volant_engine.launchers.kubernetes import cluster, informer  # costs a second

    class Api:
        """Has pods; has Ray jobs after a while."""

        has_ray = False

        async def list_objects(self, path, selector):
            if "ray.io" in path and not self.has_ray:
                raise cluster.RefusedError(404, "NotFound", "the server could not find the requested resource")
            return [], "1"

        async def watch(self, path, selector, version):
            raise errors.UnavailableError("away")
            yield

    api = Api()
    told_ = dataclasses.replace(SETTINGS, operators=("ray",), retry_seconds=(60.0, 60.0))
    informers = informer.Informers(api, told_, random.Random(1), lambda *_: None)
    await informers.start()
    try:
        with pytest.raises(errors.FailedPreconditionError, match=r"has no rayjobs\.ray\.io: the operator"):
            await informers.watch(jobs.JOBS["ray"])
        api.has_ray = True
        await informers.watch(jobs.JOBS["ray"])
        job = {**told("ray", {}, uid="u", resourceVersion="2"), "metadata": {}}
        job["metadata"] = {"name": "j", "namespace": "s", "uid": "u", "resourceVersion": "2"}
        job["metadata"]["labels"] = {"volant/attempt": "abc-n0-0"}
        informers.see(jobs.JOBS["ray"], job)
        assert informers.objects["abc-n0-0"]["kind"] == "RayJob"
    finally:
        await informers.close()

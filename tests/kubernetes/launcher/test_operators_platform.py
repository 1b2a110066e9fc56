"""The platform with operators: the tests play them, and make the very pods that the custom resources describe."""

import contextlib
import json
import time
import uuid
from typing import Any

import operator_crds
import pytest
from kubernetes_world import kubectl
from platform_process import PHASES, PlatformProcess

from volantidl.admin import execution_pb2
from volantidl.core import execution_pb2 as core_execution_pb2

RESOURCES = {"DaskJob": "daskjobs.kubernetes.dask.org", "RayJob": "rayjobs.ray.io"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    settings = {"VOLANT_KUBERNETES__OPERATORS": "dask,ray"}
    platform = PlatformProcess(tmp_path_factory.mktemp("platform"), f"kube-a-{uuid.uuid4().hex[:6]}", **settings)
    with contextlib.ExitStack() as left:
        for name in RESOURCES.values():
            try:
                if operator_crds.install(name):
                    left.callback(operator_crds.remove, name)
            except operator_crds.MissingError as wrong:
                pytest.skip(str(wrong))
        left.callback(platform.stop)
        platform.start()
        platform.wait_ready()
        yield platform


class Hand:
    """The operator's, on the job of one execution."""

    def __init__(self, platform: PlatformProcess, execution: str, kind: str) -> None:
        self.resource = RESOURCES[kind]
        self.namespace = f"{platform.project}-development"
        self.execution = execution
        deadline = time.monotonic() + 120
        while not (found := self.jobs()):
            assert time.monotonic() < deadline, platform.get(execution).closure
            time.sleep(0.2)
        (self.job,) = found
        self.name = self.job["metadata"]["name"]

    def jobs(self) -> list[dict[str, Any]]:
        words = ("get", self.resource, "-l", f"execution-id={self.execution}", "-o", "json")
        return json.loads(kubectl("-n", self.namespace, *words))["items"]

    def pod(self, name: str, template: dict[str, Any], **labels: str) -> None:
        metadata = self.job["metadata"]
        owner = {key: self.job[key] for key in ("apiVersion", "kind")} | {"name": self.name, "uid": metadata["uid"]}
        own = {"name": name, "labels": labels, "ownerReferences": [owner]}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": own, "spec": template["spec"]}
        kubectl("-n", self.namespace, "create", "-f", "-", given=json.dumps(manifest))

    def wait(self, pod: str, phase: str) -> None:
        kubectl(
            "-n", self.namespace, "wait", f"pod/{pod}", f"--for=jsonpath={{.status.phase}}={phase}", "--timeout=180s"
        )

    def say(self, **status: str) -> None:
        patch = json.dumps({"status": status})
        words = ("patch", self.resource, self.name, "--subresource=status", "--type=merge", "-p", patch)
        kubectl("-n", self.namespace, *words)


def test_a_dask_job_outlives_its_engine(platform):
    name = platform.run("double", "--x", "3", file="jobs.py")
    hand = Hand(platform, name, "DaskJob")
    hand.pod(f"{hand.name}-runner", hand.job["spec"]["job"])
    hand.say(jobStatus="Running", jobRunnerPodName=f"{hand.name}-runner")
    platform.processes[-1].kill()
    platform.processes[-1].wait()
    platform.start()
    platform.wait_ready()
    hand.wait(f"{hand.name}-runner", "Succeeded")
    hand.say(jobStatus="Successful")
    found = platform.wait(name)
    assert found.closure.phase == PHASES.SUCCEEDED, found.closure.error
    request = execution_pb2.WorkflowExecutionGetDataRequest(id=found.id)
    outputs = platform.call("GetExecutionData", request).full_outputs
    assert outputs.literals["o0"].scalar.primitive.integer == 6
    assert [one["metadata"]["uid"] for one in hand.jobs()] == [hand.job["metadata"]["uid"]]


def test_a_ray_job_whose_code_fails(platform):
    """The code says so beside its outputs; its process ends well, and so does the job."""
    name = platform.run("check", "--x", "3", file="jobs.py")
    hand = Hand(platform, name, "RayJob")
    spec = hand.job["spec"]
    head = spec["rayClusterSpec"]["headGroupSpec"]["template"]
    # Ray would run the entry point in the head.
    head["spec"]["containers"][0] |= {"command": ["sh", "-c"], "args": [spec["entrypoint"]]}
    hand.pod(f"{hand.name}-head", head)
    hand.say(jobDeploymentStatus="Running", jobStatus="RUNNING")
    hand.wait(f"{hand.name}-head", "Succeeded")
    hand.say(jobDeploymentStatus="Complete", jobStatus="SUCCEEDED")
    found = platform.wait(name)
    assert found.closure.phase == PHASES.FAILED
    assert found.closure.error.kind == core_execution_pb2.ExecutionError.USER
    assert "ValueError: 3 is not what was asked for" in found.closure.error.message.replace("\n", " ")


def test_an_abort_deletes_the_job(platform):
    name = platform.run("double", "--x", "4", file="jobs.py")
    hand = Hand(platform, name, "DaskJob")
    request = execution_pb2.ExecutionTerminateRequest(id=platform.get(name).id, cause="the test says so")
    platform.call("TerminateExecution", request)
    assert platform.wait(name, 60).closure.phase == PHASES.ABORTED
    kubectl("-n", hand.namespace, "wait", "--for=delete", f"{hand.resource}/{hand.name}", "--timeout=60s")

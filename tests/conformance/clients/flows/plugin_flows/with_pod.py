"""flytekitplugins-pod, and flytekit's own pod templates: the task is in a Kubernetes pod's spec."""

from flytekit import PodTemplate, task, workflow
from flytekitplugins.pod import Pod
from kubernetes.client.models import V1Container, V1EnvVar, V1PodSpec


def _spec(value: str) -> V1PodSpec:
    return V1PodSpec(containers=[V1Container(name="primary", env=[V1EnvVar(name="PLUGIN_FLOWS", value=value)])])


@task(task_config=Pod(pod_spec=_spec("pod")))
def by_plugin() -> str:
    import os

    return os.environ.get("PLUGIN_FLOWS", "nothing")


@task(pod_template=PodTemplate(pod_spec=_spec("template"), labels={"a": "b"}))
def by_template() -> str:
    import os

    return os.environ.get("PLUGIN_FLOWS", "nothing")


@task
def check(one: str, two: str) -> str:
    return "right" if (one, two) == ("pod", "template") else f"wrong: {one} {two}"


@workflow
def wf() -> str:
    return check(one=by_plugin(), two=by_template())

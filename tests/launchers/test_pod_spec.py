"""Pods, as they are made: each case is compared with a file in `pods`. VOLANT_TEST_WRITE=1 writes the files anew."""

import dataclasses
import json
import os
import pathlib

import pytest
from google.protobuf import json_format, struct_pb2

from volant_core import errors
from volant_core.model import naming
from volant_engine.decide import graphs
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import pod_spec, settings
from volantidl.core import identifier_pb2, security_pb2, tasks_pb2, types_pb2, workflow_pb2

FILES = pathlib.Path(__file__).parent / "pods"
R = tasks_pb2.Resources
Entry = R.ResourceEntry
SETTINGS = settings.KubernetesSettings()


def made(task: tasks_pb2.TaskTemplate, **more) -> port.Attempt:
    given = {
        "name": "abc-n0-0-fexecution-fattempt",
        "execution": identifier_pb2.WorkflowExecutionIdentifier(project="shop", domain="development", name="abc"),
        "node_id": "n0",
        "number": 0,
        "task": task,
        "arguments": ["pyflyte-execute", "--inputs", "s3://b/inputs.pb"],
        "environment": {"FLYTE_INTERNAL_EXECUTION_ID": "abc", "FLYTE_ATTEMPT_NUMBER": "0"},
        "input_uri": "s3://b/inputs.pb",
        "output_prefix": "s3://b/n0/data/0",
        "raw_output_prefix": "s3://b/raw",
        "workflow_name": "shop.flows.Train",
        **more,
    }
    return port.Attempt(**given)


def container(**more) -> tasks_pb2.TaskTemplate:
    target = tasks_pb2.Container(
        image="shop:1",
        args=["pyflyte-execute", "--inputs", "{{.input}}"],
        resources=R(requests=[Entry(name=R.CPU, value="500m")], limits=[Entry(name=R.MEMORY, value="2Gi")]),
    )
    identifier = identifier_pb2.Identifier(project="shop", domain="development", name="shop.tasks.train", version="1")
    return tasks_pb2.TaskTemplate(id=identifier, type="python-task", container=target, **more)


def struct(value) -> struct_pb2.Struct:
    return json_format.ParseDict(value, struct_pb2.Struct())


POD = {
    "containers": [
        {
            "name": "main",
            "image": "shop:1",
            "command": ["pyflyte-execute"],
            "args": ["--inputs", "{{.input}}"],
            "env": [{"name": "FLYTE_ATTEMPT_NUMBER", "value": "9"}, {"name": "MINE", "value": "1"}],
            "ports": [{"containerPort": 8080}],
        },
        {"name": "beside", "image": "beside:1", "resources": {"limits": {"cpu": "9", "memory": "64Mi"}}},
    ],
    "initContainers": [{"name": "before", "image": "before:1"}],
    "tolerations": [{"key": "mine", "operator": "Exists"}],
    "terminationGracePeriodSeconds": 5,
}
TEMPLATE = {
    "metadata": {"name": "gpu"},
    "template": {
        "metadata": {"labels": {"team": "vision"}, "annotations": {"note": "from the template"}},
        "spec": {
            "nodeSelector": {"pool": "a"},
            "tolerations": [{"key": "pool", "operator": "Exists"}],
            "hostNetwork": True,
            "containers": [
                {"name": "default", "image": "none", "env": [{"name": "ALL", "value": "1"}], "tty": True},
                {"name": "primary", "image": "none", "resources": {"limits": {"cpu": "3", "memory": "3Gi"}}},
                {"name": "beside", "image": "none", "workingDir": "/beside"},
                {"name": "nobody", "image": "none"},
            ],
            "initContainers": [{"name": "default-init", "image": "none", "env": [{"name": "INIT", "value": "1"}]}],
        },
    },
}


def pod_task(**more) -> tasks_pb2.TaskTemplate:
    target = tasks_pb2.K8sPod(
        pod_spec=struct(POD),
        metadata=tasks_pb2.K8sObjectMetadata(labels={"mine": "yes"}, annotations={"mine": "too"}),
        primary_container_name="main",
    )
    identifier = identifier_pb2.Identifier(project="shop", domain="development", name="shop.tasks.pod", version="1")
    return tasks_pb2.TaskTemplate(id=identifier, type="sidecar", task_type_version=2, k8s_pod=target, **more)


def secret(group: str, key: str, mount: int, env_var: str = "") -> security_pb2.Secret:
    return security_pb2.Secret(group=group, key=key, mount_requirement=mount, env_var=env_var)


def plain():
    return pod_spec.build(made(container()), SETTINGS)


def told_everything():
    task = container(
        extended_resources=tasks_pb2.ExtendedResources(
            gpu_accelerator=tasks_pb2.GPUAccelerator(device="nvidia-a100", partition_size="1g.5gb"),
            shared_memory=tasks_pb2.SharedMemory(mount_name="shm", mount_path="/dev/shm", size_limit="1Gi"),
        ),
        metadata=tasks_pb2.TaskMetadata(metadata=tasks_pb2.K8sObjectMetadata(labels={"of": "task"})),
    )
    task.container.resources.requests.append(Entry(name=R.GPU, value="2"))
    task.container.resources.requests.append(Entry(name=R.EPHEMERAL_STORAGE, value="10Gi"))
    run_as = security_pb2.Identity(k8s_service_account="trainer", iam_role="arn:role")
    attempt = made(
        task,
        interruptible=True,
        security_context=security_pb2.SecurityContext(run_as=run_as),
        labels={"of": "execution"},
        annotations={"why": "not"},
        resource_limits={"cpu": "2", "memory": "1Gi", "gpu": "1"},
    )
    told = settings.KubernetesSettings(
        service_account="default-account",
        iam_role_annotation="iam.amazonaws.com/role",
        image_pull_policy="IfNotPresent",
        image_pull_secrets=("registry",),
        environment={"FLYTE_AWS_ENDPOINT": "http://s3", "FLYTE_ATTEMPT_NUMBER": "never"},
        environment_secrets=("keys",),
        environment_config_maps=("site",),
        labels={"site": "here"},
        pod={
            "nodeSelector": {"pool": "tasks"},
            "securityContext": {"runAsNonRoot": True},
            "containers": [{"name": "default", "securityContext": {"allowPrivilegeEscalation": False}}],
        },
        interruptible_pod={"tolerations": [{"key": "spot", "operator": "Exists"}], "nodeSelector": {"spot": "true"}},
        uninterruptible_pod={"nodeSelector": {"spot": "false"}},
        resource_tolerations={"nvidia.com/gpu": ({"key": "nvidia.com/gpu", "operator": "Exists"},)},
        node_grace_seconds=60,
    )
    return pod_spec.build(attempt, told)


def pod_with_template():
    return pod_spec.build(made(pod_task(config={"primary_container_name": "main"})), SETTINGS, TEMPLATE)


def container_with_template():
    return pod_spec.build(made(container()), SETTINGS, TEMPLATE)


def with_secrets():
    mount = security_pb2.Secret.MountType
    task = container(
        security_context=security_pb2.SecurityContext(
            secrets=[
                secret("Db", "Password", mount.ENV_VAR, "DB_PASSWORD"),
                secret("Db", "Cert", mount.FILE),
                secret("Db", "Key", mount.ANY, "KEY_FILE"),
                secret("other", "token", mount.ANY),
            ]
        )
    )
    return pod_spec.build(made(task), SETTINGS)


def sidecar_of_old():
    task = tasks_pb2.TaskTemplate(
        id=identifier_pb2.Identifier(name="old"),
        type="sidecar",
        custom=struct(
            {"podSpec": POD, "primaryContainerName": "main", "annotations": {"a": "b"}, "labels": {"l": "m"}}
        ),
    )
    return pod_spec.build(made(task), SETTINGS)


def files(**paths) -> tasks_pb2.TaskTemplate:
    """A task whose inputs and outputs are files."""
    told = container()
    told.type = "raw-container"
    told.container.command.append("sh")
    told.container.data_config.CopyFrom(
        tasks_pb2.DataLoadingConfig(enabled=True, format=tasks_pb2.DataLoadingConfig.YAML, **paths)
    )
    told.interface.inputs.variables["x"].type.simple = types_pb2.INTEGER
    told.interface.outputs.variables["y"].type.blob.format = "csv"
    return told


def data_in_files():
    told = dataclasses.replace(
        SETTINGS, copilot_image="volant-task:1", environment={"A": "1"}, environment_secrets=("keys",)
    )
    under = {"template": {"spec": {"terminationGracePeriodSeconds": 60}}}
    attempt = made(files(input_path="/var/in/", output_path="/var/in/out"), environment={"PYTHONPATH": "/theirs"})
    return pod_spec.build(attempt, told, under)


def after_running_out_of_memory():
    return pod_spec.build(made(container()), SETTINGS, memory="4294967296")


def overridden_by_its_node():
    override = tasks_pb2.K8sPod(pod_spec=struct(POD), primary_container_name="main")
    changes = workflow_pb2.TaskNodeOverrides(
        pod_template=override,
        container_image="shop:2",
        resources=R(requests=[Entry(name=R.CPU, value="250m"), Entry(name=R.GPU, value="1")]),
        extended_resources=tasks_pb2.ExtendedResources(gpu_accelerator=tasks_pb2.GPUAccelerator(device="t4")),
    )
    task = graphs.with_overrides(container(), changes)
    return pod_spec.build(made(task), SETTINGS)


CASES = [
    plain,
    told_everything,
    pod_with_template,
    container_with_template,
    with_secrets,
    sidecar_of_old,
    data_in_files,
    after_running_out_of_memory,
    overridden_by_its_node,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_pods(case):
    file = FILES / f"{case.__name__}.json"
    text = json.dumps(case(), indent=1) + "\n"
    if os.environ.get("VOLANT_TEST_WRITE"):
        file.write_text(text)
    assert json.loads(text) == json.loads(file.read_text())


def test_a_pod_is_made_the_same_each_time():
    task = pod_task(config={"primary_container_name": "main"})
    before = task.SerializeToString(deterministic=True)
    first = pod_spec.build(made(task), SETTINGS, TEMPLATE)
    assert pod_spec.build(made(task), SETTINGS, TEMPLATE) == first
    assert task.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (tasks_pb2.TaskTemplate(type="spark"), "runs only through a connector"),
        (tasks_pb2.TaskTemplate(container=tasks_pb2.Container(args=["x"])), "names no container image"),
        (pod_task(config={"primary_container_name": "other"}), "primary container [other] not defined"),
        (tasks_pb2.TaskTemplate(k8s_pod=tasks_pb2.K8sPod(pod_spec=struct(POD))), "must name the main container"),
        (tasks_pb2.TaskTemplate(k8s_pod=tasks_pb2.K8sPod(primary_container_name="a")), "without a pod spec"),
        (
            container(
                extended_resources=tasks_pb2.ExtendedResources(shared_memory=tasks_pb2.SharedMemory(mount_name="m"))
            ),
            "needs a mount name and a mount path",
        ),
        (
            container(security_context=security_pb2.SecurityContext(secrets=[secret("group", "", 1)])),
            "both are needed",
        ),
    ],
)
def test_what_cannot_be_a_pod(task, words):
    with pytest.raises(errors.InvalidArgumentError, match=words.replace("[", r"\[").replace("]", r"\]")):
        pod_spec.build(made(task), SETTINGS)


def test_files_that_nobody_needs_are_no_hindrance():
    """flytekit asks for them for each ContainerTask."""
    task = container()
    task.container.data_config.enabled = True
    assert pod_spec.build(made(task), SETTINGS) == pod_spec.build(made(container()), SETTINGS)


def test_data_in_files_of_a_pod():
    """Its companions have to end too: only then Kubernetes tells the uploader that it is time."""
    task = pod_task(config={"primary_container_name": "main"})
    task.k8s_pod.data_config.enabled = True
    task.interface.outputs.variables["y"].type.simple = types_pb2.INTEGER
    pod = pod_spec.build(made(task), dataclasses.replace(SETTINGS, copilot_image="volant-task:1"))
    assert "primary_container_name" not in pod["metadata"]["annotations"]
    names = [one["name"] for one in pod["spec"]["initContainers"]]
    assert (names[0], names[-1]) == ("volant-upload", "volant-download")
    mounts = {one["name"]: one.get("volumeMounts") or [] for one in pod["spec"]["containers"]}
    assert {"name": "volant-data", "mountPath": "/var/flyte/outputs", "subPath": "outputs"} in mounts.pop("main")
    assert all(mount["name"] != "volant-data" for others in mounts.values() for mount in others)


def test_data_in_one_folder():
    told = dataclasses.replace(SETTINGS, copilot_image="volant-task:1")
    pod = pod_spec.build(made(files(input_path="/data", output_path="/data/")), told)
    (mount,) = pod["spec"]["containers"][0]["volumeMounts"]
    assert mount == {"name": "volant-data", "mountPath": "/data", "subPath": "inputs"}


def test_data_in_files_without_an_image_for_the_copilot():
    with pytest.raises(errors.InvalidArgumentError, match=r"in the setting kubernetes\.copilot_image"):
        pod_spec.build(made(files()), SETTINGS)


def test_a_malformed_amount():
    task = container()
    task.container.resources.requests[0].value = "lots"
    with pytest.raises(errors.InvalidArgumentError, match="malformed"):
        pod_spec.build(made(task), SETTINGS)


def test_labels_are_fit():
    assert naming.label_value("A.B_c/" + "x" * 80) == "a-b-c-" + "x" * 57
    assert naming.label_value("..") == ""

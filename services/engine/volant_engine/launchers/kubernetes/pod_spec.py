"""From an attempt to its pod. Pure: the same attempt and settings give the same pod.

The order in which a pod comes about is Flyte's (contract rows 2.113 to 2.128): what the task says, then what the
platform adds to every container, all of it laid over the templates, then accelerators, shared memory and secrets.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf import json_format, struct_pb2

from volant_core import compiler, errors
from volant_core.model import naming
from volant_engine.launchers import copilot, port, refusals
from volant_engine.launchers.kubernetes import data_containers, merging, pod_shape, resources, secrets
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volantidl.core import tasks_pb2

INSTALLATION = "volant/installation"
"""The label by which an installation knows its pods."""
ATTEMPT = "volant/attempt"
"""The label with the attempt's name."""
PRIMARY = "primary_container_name"
"""The annotation that says whose end is the pod's end."""
_UNREADY = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
Spec = dict[str, Any]


@dataclasses.dataclass(slots=True)
class _Draft:
    """A pod as its author wrote it."""

    spec: Spec
    primary: str
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    annotations: dict[str, str] = dataclasses.field(default_factory=dict)


def build(
    attempt: port.Attempt,
    settings: kubernetes_settings.KubernetesSettings,
    template: Mapping[str, Any] | None = None,
    memory: str = "",
) -> dict[str, Any]:
    """The pod of an attempt.

    Args:
        attempt: what is to run.
        settings: what pods have here.
        template: the PodTemplate that applies, as it is in the cluster.
        memory: asked for and allowed instead of the task's own, where that was too little.

    Raises:
        InvalidArgumentError: the task can't be a pod as it is.
    """
    draft = _draft(attempt, settings)
    # Containers are taken apart before anything is added: the task's message may be used for other attempts.
    template = template or {}
    template_spec = template.get("template", {}).get("spec") or {}
    template_metadata = template.get("template", {}).get("metadata") or {}
    under = _under(attempt, settings, template_spec)
    _complete_containers(draft, attempt, settings, under, memory)
    _add_files(draft, attempt, settings, under)
    if not draft.spec.get("serviceAccountName"):
        draft.spec["serviceAccountName"] = _service_account(attempt) or under.get("serviceAccountName", "")
    draft.spec["serviceAccountName"] = draft.spec["serviceAccountName"] or settings.service_account
    if not draft.spec["serviceAccountName"]:
        del draft.spec["serviceAccountName"]
    draft.spec.setdefault("restartPolicy", "Never")
    _tolerate(draft.spec, settings)
    spec = merging.on_template(under, draft.spec, draft.primary)
    _accelerate(spec, attempt.task.extended_resources.gpu_accelerator, settings)
    _share_memory(spec, draft.primary, attempt.task.extended_resources)
    requested = list(attempt.task.security_context.secrets)
    if attempt.security_context is not None:
        requested += attempt.security_context.secrets
    secrets.inject(requested, spec)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": attempt.name,
            "namespace": namespace_of(attempt, settings),
            "labels": _labels(draft, attempt, settings, template_metadata.get("labels") or {}),
            "annotations": _annotations(draft, attempt, settings, spec, template_metadata.get("annotations") or {}),
        },
        "spec": spec,
    }


def namespace_of(attempt: port.Attempt, settings: kubernetes_settings.KubernetesSettings) -> str:
    """Where an attempt's pod runs."""
    return settings.namespace.format(project=attempt.execution.project, domain=attempt.execution.domain)


def main_container(attempt: port.Attempt) -> str:
    """The name of the container whose end is the attempt's."""
    task = attempt.task
    if task.WhichOneof("target") == "container":
        return attempt.name
    told: str = task.config.get(PRIMARY, "") or task.k8s_pod.primary_container_name
    fields = task.custom.fields
    return told or ("primaryContainerName" in fields and fields["primaryContainerName"].string_value) or ""


# What the author wrote


def _draft(attempt: port.Attempt, settings: kubernetes_settings.KubernetesSettings) -> _Draft:
    task = attempt.task
    target = task.WhichOneof("target")
    if task.type == "sidecar" and target != "k8s_pod":
        return _sidecar(attempt)
    if target == "k8s_pod":
        return _pod(attempt)
    if target == "container":
        return _Draft({"containers": [_container(attempt, settings)]}, attempt.name)
    raise refusals.not_runnable(task)


def _container(attempt: port.Attempt, settings: kubernetes_settings.KubernetesSettings) -> dict[str, Any]:
    told = attempt.task.container
    image = told.image or settings.default_image
    if not image:
        raise errors.InvalidArgumentError(f"the task {attempt.task.id.name} names no container image")
    # As many of the arguments are the command as the task wrote there: an image's own entry point counts otherwise.
    command = list(attempt.arguments[: len(told.command)])
    arguments = list(attempt.arguments[len(told.command) :])
    container: dict[str, Any] = {
        "name": attempt.name,
        "image": image,
        "command": command,
        "args": arguments,
        "resources": resources.of_task(told.resources),
    }
    if told.ports:
        container["ports"] = [{"containerPort": port_.container_port} for port_ in told.ports]
    return {name: value for name, value in container.items() if value}


def _pod(attempt: port.Attempt) -> _Draft:
    pod = attempt.task.k8s_pod
    primary = attempt.task.config.get(PRIMARY, "") or pod.primary_container_name
    if not pod.HasField("pod_spec"):
        raise errors.InvalidArgumentError(f"the task {attempt.task.id.name} is a pod without a pod spec")
    if not primary:
        raise errors.InvalidArgumentError(
            f"the task {attempt.task.id.name} is a pod; its config must name the main container as {PRIMARY!r}"
        )
    metadata = pod.metadata
    return _primed(attempt, _Draft(plain(pod.pod_spec), primary, dict(metadata.labels), dict(metadata.annotations)))


def _sidecar(attempt: port.Attempt) -> _Draft:
    """The two older forms of a pod task, in the task's custom part."""
    custom = plain(attempt.task.custom)
    if attempt.task.task_type_version:
        primary = attempt.task.config.get(PRIMARY, "")
        draft = _Draft(custom, primary)
    else:
        spec = custom.get("podSpec")
        draft = _Draft(
            spec if isinstance(spec, dict) else {},
            custom.get("primaryContainerName", ""),
            custom.get("labels") or {},
            custom.get("annotations") or {},
        )
    if not draft.primary or not draft.spec.get("containers"):
        raise errors.InvalidArgumentError(
            f"the sidecar task {attempt.task.id.name} needs a pod spec with containers and the name of the main one"
        )
    return _primed(attempt, draft)


def _primed(attempt: port.Attempt, draft: _Draft) -> _Draft:
    """The draft, its main container running the attempt's own words."""
    pod_shape.check(draft.spec, attempt.task)
    for container in draft.spec.get("containers") or []:
        if container.get("name") == draft.primary:
            count = len(container.get("command") or [])
            if attempt.arguments:
                _set(container, "command", list(attempt.arguments[:count]))
                _set(container, "args", list(attempt.arguments[count:]))
            return draft
    raise errors.InvalidArgumentError(
        f"invalid TaskSpecification, primary container [{draft.primary}] not defined in the pod of "
        f"{attempt.task.id.name}"
    )


def _set(container: dict[str, Any], name: str, words: list[str]) -> None:
    if words:
        container[name] = words
    else:
        container.pop(name, None)


def plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A struct as plain values; its numbers are all floats, which Kubernetes refuses where it wants integers."""
    result: dict[str, Any] = _whole(json_format.MessageToDict(struct))
    return result


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


# What stands under it


def _under(
    attempt: port.Attempt, settings: kubernetes_settings.KubernetesSettings, template: Mapping[str, Any]
) -> dict[str, Any]:
    """The templates, one over the other: the platform's, the cluster's, the one for this way of being interrupted."""
    result = merging.merged(settings.pod, template)
    wanted = settings.interruptible_pod if attempt.interruptible else settings.uninterruptible_pod
    result = merging.merged(result, wanted)
    if settings.image_pull_secrets:
        mine = [{"name": name} for name in settings.image_pull_secrets]
        result["imagePullSecrets"] = [*(result.get("imagePullSecrets") or []), *mine]
    return result


def _service_account(attempt: port.Attempt) -> str:
    context = attempt.security_context
    if context is not None and context.run_as.k8s_service_account:
        return context.run_as.k8s_service_account
    return attempt.task.security_context.run_as.k8s_service_account


def _complete_containers(
    draft: _Draft,
    attempt: port.Attempt,
    settings: kubernetes_settings.KubernetesSettings,
    under: Mapping[str, Any],
    memory: str,
) -> None:
    variables = {**settings.environment, **attempt.environment}
    platform = _platform(attempt, settings)
    sources = _sources(settings)
    for kind, container in _containers(draft.spec):
        is_primary = container.get("name") == draft.primary and kind == "containers"
        own = [one for one in container.get("env") or [] if one.get("name") not in attempt.environment]
        named = {one.get("name") for one in own}
        container["env"] = own + [
            {"name": name, "value": value} for name, value in variables.items() if name not in named
        ]
        if sources:
            container["envFrom"] = [*(container.get("envFrom") or []), *sources]
        container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
        if settings.image_pull_policy:
            container.setdefault("imagePullPolicy", settings.image_pull_policy)
        template = merging.resources_of(under, kind, str(container.get("name", "")), draft.primary)
        own_resources = container.get("resources") or {}
        if is_primary and memory:
            own_resources = merging.merged(
                own_resources, {"requests": {"memory": memory}, "limits": {"memory": memory}}
            )
        container["resources"] = resources.resolve(
            own_resources, template, platform, is_main=is_primary or kind == "initContainers"
        )


def _sources(settings: kubernetes_settings.KubernetesSettings) -> list[dict[str, Any]]:
    """Where variables of every container come from besides."""
    given = [{"secretRef": {"name": name, "optional": True}} for name in settings.environment_secrets]
    return given + [{"configMapRef": {"name": name, "optional": True}} for name in settings.environment_config_maps]


def _add_files(
    draft: _Draft,
    attempt: port.Attempt,
    settings: kubernetes_settings.KubernetesSettings,
    under: Mapping[str, Any],
) -> None:
    """What brings inputs as files and takes outputs, where the task wants that."""
    files = copilot.wanted(attempt.task)
    if files is None:
        return
    grace = draft.spec.get("terminationGracePeriodSeconds", under.get("terminationGracePeriodSeconds"))
    if grace is not None:
        draft.spec["terminationGracePeriodSeconds"] = grace
    if files.has_outputs:
        draft.annotations[data_containers.STOP_SECONDS] = str(data_containers.stop_seconds(draft.spec))
    data_containers.add(draft.spec, attempt, files, draft.primary, settings, _sources(settings))


def _platform(attempt: port.Attempt, settings: kubernetes_settings.KubernetesSettings) -> resources.Platform:
    defaults = {"cpu": settings.cpu, "memory": settings.memory, **attempt.resource_defaults}
    return resources.Platform(defaults, {**settings.limits, **attempt.resource_limits}, settings.gpu_resource)


def _containers(spec: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or []:
            yield kind, container


# What the platform adds


def _tolerate(spec: Spec, settings: kubernetes_settings.KubernetesSettings) -> None:
    asked = {
        name
        for _, container in _containers(spec)
        for kind in ("requests", "limits")
        for name in (container.get("resources") or {}).get(kind) or {}
    }
    tolerations = [dict(one) for name in sorted(asked) for one in settings.resource_tolerations.get(name, ())]
    if settings.node_grace_seconds is not None:
        tolerations += [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": settings.node_grace_seconds}
            for key in _UNREADY
        ]
    if tolerations:
        spec["tolerations"] = [*tolerations, *(spec.get("tolerations") or [])]


def _accelerate(
    spec: Spec, accelerator: tasks_pb2.GPUAccelerator, settings: kubernetes_settings.KubernetesSettings
) -> None:
    """Place a pod that asks for GPUs on nodes that have the right ones."""
    if not any(
        settings.gpu_resource in (container.get("resources") or {}).get("limits", {})
        for _, container in _containers(spec)
    ):
        return
    if accelerator.device:
        _require(spec, {"key": settings.gpu_device_label, "operator": "In", "values": [accelerator.device]})
        _tolerate_value(spec, settings.gpu_device_label, accelerator.device)
    kind = accelerator.WhichOneof("partition_size_value")
    if kind == "unpartitioned" and accelerator.unpartitioned:
        _require(spec, {"key": settings.gpu_partition_label, "operator": "DoesNotExist"})
    elif kind == "partition_size":
        size = accelerator.partition_size
        _require(spec, {"key": settings.gpu_partition_label, "operator": "In", "values": [size]})
        _tolerate_value(spec, settings.gpu_partition_label, size)


def _require(spec: Spec, requirement: Mapping[str, Any]) -> None:
    """Narrow the nodes down, in each of the alternatives that there are."""
    affinity = dict(spec.get("affinity") or {})
    node = dict(affinity.get("nodeAffinity") or {})
    required = dict(node.get("requiredDuringSchedulingIgnoredDuringExecution") or {})
    terms: Sequence[Mapping[str, Any]] = required.get("nodeSelectorTerms") or [{}]
    required["nodeSelectorTerms"] = [
        {**term, "matchExpressions": [*(term.get("matchExpressions") or []), requirement]} for term in terms
    ]
    node["requiredDuringSchedulingIgnoredDuringExecution"] = required
    spec["affinity"] = {**affinity, "nodeAffinity": node}


def _tolerate_value(spec: Spec, key: str, value: str) -> None:
    toleration = {"key": key, "operator": "Equal", "value": value, "effect": "NoSchedule"}
    spec["tolerations"] = [*(spec.get("tolerations") or []), toleration]


def _share_memory(spec: Spec, primary: str, extended: tasks_pb2.ExtendedResources) -> None:
    """A folder in memory that processes of the main container share."""
    if not extended.HasField("shared_memory"):
        return
    wanted = extended.shared_memory
    if not wanted.mount_name or not wanted.mount_path:
        raise errors.InvalidArgumentError("shared memory needs a mount name and a mount path")
    volume: dict[str, Any] = {"medium": "Memory"}
    if wanted.size_limit:
        try:
            compiler.parse_quantity(wanted.size_limit)
        except ValueError as wrong:
            raise errors.InvalidArgumentError(f"the size limit of the shared memory is malformed: {wrong}") from wrong
        volume["sizeLimit"] = wanted.size_limit
    container = next(one for one in spec["containers"] if one["name"] == primary)
    mounts = container.get("volumeMounts") or []
    if any(one.get("name") == wanted.mount_name for one in itertools.chain(spec.get("volumes") or [], mounts)):
        raise errors.InvalidArgumentError(f"a volume is already named {wanted.mount_name}")
    if any(one.get("mountPath") == wanted.mount_path for one in mounts):
        raise errors.InvalidArgumentError(f"{wanted.mount_path} is already mounted in the main container")
    container["volumeMounts"] = [*mounts, {"name": wanted.mount_name, "mountPath": wanted.mount_path}]
    spec["volumes"] = [*(spec.get("volumes") or []), {"name": wanted.mount_name, "emptyDir": volume}]


# Metadata


def _labels(
    draft: _Draft,
    attempt: port.Attempt,
    settings: kubernetes_settings.KubernetesSettings,
    template: Mapping[str, str],
) -> dict[str, str]:
    execution = attempt.execution
    return {
        **settings.labels,
        **template,
        **draft.labels,
        **attempt.task.metadata.metadata.labels,
        **attempt.labels,
        "execution-id": execution.name,
        "project": execution.project,
        "domain": execution.domain,
        "workflow-name": naming.label_value(attempt.workflow_name),
        "node-id": naming.label_value(attempt.node_id),
        "task-name": naming.label_value(attempt.task.id.name),
        "interruptible": "true" if attempt.interruptible else "false",
        INSTALLATION: settings.installation,
        ATTEMPT: attempt.name,
    }


def _annotations(
    draft: _Draft,
    attempt: port.Attempt,
    settings: kubernetes_settings.KubernetesSettings,
    spec: Spec,
    template: Mapping[str, str],
) -> dict[str, str]:
    result = {
        **settings.annotations,
        **template,
        **draft.annotations,
        **attempt.task.metadata.metadata.annotations,
        **attempt.annotations,
    }
    context = attempt.security_context
    if settings.iam_role_annotation and context is not None and context.run_as.iam_role:
        result[settings.iam_role_annotation] = context.run_as.iam_role
    # Else all containers have to end, and to end well.
    single = len(spec["containers"]) == 1 and attempt.task.type != "raw-container"
    if (attempt.task.type == "sidecar" or single) and not _takes_files(spec):
        result[PRIMARY] = draft.primary
    return result


def _takes_files(spec: Spec) -> bool:
    """Whether the pod ends only when its outputs are stored."""
    return any(one["name"] == data_containers.UPLOADER for one in spec.get("initContainers") or [])

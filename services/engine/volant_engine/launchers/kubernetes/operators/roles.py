"""The pods of a job's roles (driver, worker…): each is the attempt's own pod, with its role's differences. Pure."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf import json_format, message

from volant_core import errors
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import merging, pod_shape, pod_spec
from volant_engine.launchers.kubernetes import resources as pod_resources
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volantidl.core import tasks_pb2

_OURS = frozenset({pod_spec.INSTALLATION, pod_spec.ATTEMPT})
"""The labels that make an object an attempt's, which a job's pods are not."""
_CONTAINERS = ("containers", "initContainers")
_M = TypeVar("_M", bound=message.Message)
Object = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """What a job is made of."""

    attempt: port.Attempt
    settings: kubernetes_settings.KubernetesSettings
    name: str
    """The custom resource's."""
    template: Mapping[str, Any] | None = None
    """The PodTemplate that applies."""


@dataclasses.dataclass(frozen=True, slots=True)
class Role:
    """A role's pod template."""

    pod: Object
    """`metadata` (labels, annotations) and `spec`."""
    name: str
    """Of the main container."""

    @property
    def spec(self) -> Object:
        """The pod spec."""
        spec: Object = self.pod["spec"]
        return spec

    @property
    def container(self) -> Object:
        """The main container, to be changed in place."""
        return next(one for one in self.spec["containers"] if one["name"] == self.name)


def details(task: tasks_pb2.TaskTemplate, kind: type[_M]) -> _M:
    """The task's custom part as the message that it is. InvalidArgumentError where it is none."""
    try:
        return json_format.ParseDict(json_format.MessageToDict(task.custom), kind(), ignore_unknown_fields=True)
    except json_format.ParseError as wrong:
        raise errors.InvalidArgumentError(
            f"the custom part of the {task.type} task {task.id.name} is no {kind.DESCRIPTOR.name}: {wrong}"
        ) from wrong


def role(
    job: Job,
    container: str,
    *,
    image: str = "",
    resources: tasks_pb2.Resources | None = None,
    arguments: Sequence[str] | None = None,
    interruptible: bool | None = None,
    overlay: tasks_pb2.K8sPod | None = None,
) -> Role:
    """A role's pod template.

    Args:
        job: the attempt, and what pods have.
        container: what the role's operator wants the main container to be called.
        image: instead of the task's own.
        resources: likewise, where it names any.
        arguments: likewise, where given.
        interruptible: instead of the attempt's own.
        overlay: what the user lays over the pod of this role.
    """
    attempt = _varied(job.attempt, image, resources, arguments)
    if interruptible is not None:
        attempt = dataclasses.replace(attempt, interruptible=interruptible)
    pod = pod_spec.build(attempt, job.settings, job.template)
    metadata, spec = pod["metadata"], pod["spec"]
    main = pod_spec.main_container(attempt)
    next(one for one in spec["containers"] if one["name"] == main)["name"] = container
    labels = {key: value for key, value in metadata["labels"].items() if key not in _OURS}
    annotations = {key: value for key, value in metadata["annotations"].items() if key != pod_spec.PRIMARY}
    if overlay is not None:
        theirs = pod_spec.plain(overlay.pod_spec)
        pod_shape.check(theirs, job.attempt.task)
        spec = _overlaid(spec, theirs, overlay.primary_container_name, container)
        labels |= overlay.metadata.labels
        annotations |= overlay.metadata.annotations
    return Role({"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}, container)


def _varied(
    attempt: port.Attempt, image: str, resources: tasks_pb2.Resources | None, arguments: Sequence[str] | None
) -> port.Attempt:
    """The attempt with what a role has of its own in its main container."""
    task = tasks_pb2.TaskTemplate()
    task.CopyFrom(attempt.task)
    own = resources if resources is not None and (resources.requests or resources.limits) else None
    if task.WhichOneof("target") == "k8s_pod":
        command = _vary_pod(task.k8s_pod, pod_spec.main_container(attempt), image, own)
    else:
        if image:
            task.container.image = image
        if own is not None:
            task.container.resources.CopyFrom(own)
        command = len(task.container.command)
    words = attempt.arguments
    if arguments is not None:
        words = [*attempt.arguments[:command], *arguments]
    return dataclasses.replace(attempt, task=task, arguments=words)


def _vary_pod(pod: tasks_pb2.K8sPod, main: str, image: str, own: tasks_pb2.Resources | None) -> int:
    """The same where the task is a pod; how many words its main container has as command."""
    spec = pod_spec.plain(pod.pod_spec)
    for container in spec.get("containers") or []:
        if container.get("name") == main:
            if image:
                container["image"] = image
            if own is not None:
                container["resources"] = pod_resources.of_task(own)
            pod.pod_spec.Clear()
            pod.pod_spec.update(spec)
            return len(container.get("command") or [])
    return 0


def _overlaid(spec: Mapping[str, Any], theirs: Mapping[str, Any], primary: str, main: str) -> Object:
    """A user's pod laid over a role's: containers by name, new ones added; all else as maps and lists are merged."""
    result = merging.merged(spec, {key: value for key, value in theirs.items() if key not in _CONTAINERS})
    for kind in _CONTAINERS:
        # Whatever the user calls the main container, it is the role's.
        named = [(one.get("name"), one) for one in theirs.get(kind) or []]
        new = {main if name == primary else name: one for name, one in named}
        held = [merging.merged(one, {**new.pop(one["name"], {}), "name": one["name"]}) for one in spec.get(kind) or []]
        if held or new:
            result[kind] = [*held, *new.values()]
    return result


def without_empty(fields: Mapping[str, Any]) -> Object:
    """Fields that say something."""
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})}

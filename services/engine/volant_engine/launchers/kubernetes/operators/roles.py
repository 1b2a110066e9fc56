"""The pods of a job's roles (driver, worker…): each is the attempt's own pod, with its role's differences. Pure."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf import json_format, message, struct_pb2

from volant_core import errors
from volant_engine.launchers import port
from volant_engine.launchers.kubernetes import merging, pod_spec
from volant_engine.launchers.kubernetes import settings as kubernetes_settings
from volantidl.core import tasks_pb2

_M = TypeVar("_M", bound=message.Message)
Object = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """What a job is made of."""

    attempt: port.Attempt
    settings: kubernetes_settings.KubernetesSettings
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
    task = job.attempt.task
    if task.WhichOneof("target") != "container":
        raise errors.InvalidArgumentError(f"the {task.type} task {task.id.name} needs a container")
    attempt = _varied(job.attempt, image, resources, arguments)
    if interruptible is not None:
        attempt = dataclasses.replace(attempt, interruptible=interruptible)
    pod = pod_spec.build(attempt, job.settings, job.template)
    metadata, spec = pod["metadata"], pod["spec"]
    next(one for one in spec["containers"] if one["name"] == attempt.name)["name"] = container
    labels = {key: value for key, value in metadata["labels"].items() if key not in pod_spec.OURS}
    annotations = {key: value for key, value in metadata["annotations"].items() if key != pod_spec.PRIMARY}
    name = container
    if overlay is not None:
        spec = _overlaid(spec, overlay.pod_spec)
        name = overlay.primary_container_name or container
        labels |= overlay.metadata.labels
        annotations |= overlay.metadata.annotations
        if all(one["name"] != name for one in spec["containers"]):
            raise errors.InvalidArgumentError(
                f"the pod template of the {task.type} task {task.id.name} names {name!r} as the main container, but has"
                " no such"
            )
    return Role({"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}, name)


def _varied(
    attempt: port.Attempt, image: str, resources: tasks_pb2.Resources | None, arguments: Sequence[str] | None
) -> port.Attempt:
    task = tasks_pb2.TaskTemplate()
    task.CopyFrom(attempt.task)
    if image:
        task.container.image = image
    if resources is not None and (resources.requests or resources.limits):
        task.container.resources.CopyFrom(resources)
    words = attempt.arguments
    if arguments is not None:
        words = [*attempt.arguments[: len(task.container.command)], *arguments]
    return dataclasses.replace(attempt, task=task, arguments=words)


def _overlaid(spec: Mapping[str, Any], over: struct_pb2.Struct) -> Object:
    """`over` laid over a pod spec: containers by name, new ones added; everything else as maps and lists are merged."""
    theirs = pod_spec.plain(over)
    result = merging.merged(spec, {key: value for key, value in theirs.items() if key not in _CONTAINERS})
    for kind in _CONTAINERS:
        new = {one.get("name"): one for one in theirs.get(kind) or []}
        held = [merging.merged(one, new.pop(one["name"], {})) for one in spec.get(kind) or []]
        if held or new:
            result[kind] = [*held, *new.values()]
    return result


_CONTAINERS = ("containers", "initContainers")


def without_empty(fields: Mapping[str, Any]) -> Object:
    """Fields that say something."""
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})}

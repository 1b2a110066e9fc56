"""What a task may ask of a cluster beyond amounts: accelerators, pod templates."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2

from volant import errors, user_code
from volantidl.core import tasks_pb2


@dataclasses.dataclass(frozen=True)
class GPUAccelerator:
    """A kind of GPU, by the name that a cluster's nodes have for it. `volant.accelerators` has the usual ones.

    Args:
        device: The name, such as "nvidia-tesla-t4".
        partition_size: A part of it, such as "1g.5gb".
        whole: Only whole ones.
    """

    device: str
    partition_size: str = ""
    whole: bool = False

    def to_message(self) -> tasks_pb2.GPUAccelerator:
        """The contract's form."""
        made = tasks_pb2.GPUAccelerator(device=self.device)
        if self.partition_size:
            made.partition_size = self.partition_size
        elif self.whole:
            made.unpartitioned = True
        return made


@dataclasses.dataclass(frozen=True)
class PodTemplate:
    """A pod in which a task's container runs.

    Args:
        pod_spec: The pod's spec: a dictionary in Kubernetes' JSON form, or a V1PodSpec of its Python client.
        primary_container_name: The container that is the task's.
        labels: The pod's labels.
        annotations: The pod's annotations.
    """

    pod_spec: Any = None
    primary_container_name: str = "primary"
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        known = isinstance(self.pod_spec, Mapping) or type(self.pod_spec).__name__ == "V1PodSpec"
        if self.pod_spec is not None and not known:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: PodTemplate(pod_spec=…): expected a V1PodSpec or a dictionary in "
                f"Kubernetes' JSON form, found {type(self.pod_spec).__name__}"
            )

    def _spec(self) -> dict[str, Any]:
        if self.pod_spec is None:
            return {}
        if isinstance(self.pod_spec, Mapping):
            return json.loads(json.dumps(self.pod_spec))  # type: ignore[no-any-return]
        from kubernetes.client import ApiClient  # type: ignore[import-not-found, unused-ignore] # noqa: PLC0415

        return ApiClient().sanitize_for_serialization(self.pod_spec)  # type: ignore[no-any-return]

    def merged(self, container: tasks_pb2.Container) -> struct_pb2.Struct:
        """The pod's spec with the task's container in it."""
        spec = self._spec()
        own: dict[str, Any] = {"name": self.primary_container_name}
        if container.image:
            own["image"] = container.image
        if container.command:
            own["command"] = list(container.command)
        if container.args:
            own["args"] = list(container.args)
        if container.env:
            own["env"] = [{"name": pair.key, "value": pair.value} for pair in container.env]
        amounts = {}
        for kind in ("requests", "limits"):
            entries = getattr(container.resources, kind)
            if entries:
                amounts[kind] = {_KUBERNETES_NAMES[entry.name]: entry.value for entry in entries}
        if amounts:
            own["resources"] = amounts
        containers = spec.setdefault("containers", [])
        for place, one in enumerate(containers):
            if one.get("name") == self.primary_container_name:
                containers[place] = {**one, **own, "env": [*own.get("env", []), *one.get("env", [])]}
                break
        else:
            containers.append(own)
        return json_format.ParseDict(spec, struct_pb2.Struct())

    def to_pod(self, container: tasks_pb2.Container) -> tasks_pb2.K8sPod:
        """The contract's form, for a task."""
        pod = tasks_pb2.K8sPod(pod_spec=self.merged(container))
        pod.metadata.labels.update(self.labels)
        pod.metadata.annotations.update(self.annotations)
        if container.HasField("data_config"):
            pod.data_config.CopyFrom(container.data_config)
        return pod

    def to_override(self, container: tasks_pb2.Container) -> tasks_pb2.K8sPod:
        """The contract's form, for a node."""
        pod = self.to_pod(container)
        pod.primary_container_name = self.primary_container_name
        return pod


_KUBERNETES_NAMES = {
    tasks_pb2.Resources.CPU: "cpu",
    tasks_pb2.Resources.MEMORY: "memory",
    tasks_pb2.Resources.GPU: "nvidia.com/gpu",
    tasks_pb2.Resources.EPHEMERAL_STORAGE: "ephemeral-storage",
}

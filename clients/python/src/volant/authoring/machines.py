"""What a task may ask of a cluster beyond amounts: accelerators, pod templates."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2

from volantidl.core import tasks_pb2


@dataclasses.dataclass(frozen=True)
class GPUAccelerator:
    """A kind of GPU, by the name that a cluster's nodes have for it.

    Args:
        device: The name, such as "nvidia-tesla-t4".
        partition_size: A part of it, such as "1g.5gb".
        unpartitioned: Only whole ones.
    """

    device: str
    partition_size: str = ""
    unpartitioned: bool = False

    def to_message(self) -> tasks_pb2.GPUAccelerator:
        """The contract's form."""
        made = tasks_pb2.GPUAccelerator(device=self.device)
        if self.partition_size:
            made.partition_size = self.partition_size
        elif self.unpartitioned:
            made.unpartitioned = True
        return made

    def with_partition_size(self, partition_size: str) -> GPUAccelerator:
        """A part of it."""
        return dataclasses.replace(self, partition_size=partition_size)


A10G = GPUAccelerator("nvidia-a10g")
L4 = GPUAccelerator("nvidia-l4-vws")
K80 = GPUAccelerator("nvidia-tesla-k80")
P4 = GPUAccelerator("nvidia-tesla-p4")
P100 = GPUAccelerator("nvidia-tesla-p100")
T4 = GPUAccelerator("nvidia-tesla-t4")
V100 = GPUAccelerator("nvidia-tesla-v100")
A100 = GPUAccelerator("nvidia-tesla-a100")
A100_80GB = GPUAccelerator("nvidia-a100-80gb")
H100 = GPUAccelerator("nvidia-h100")


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
        return pod

    def to_override(self, target: Any, container: tasks_pb2.Container) -> None:
        """The contract's form, for a node."""
        target.pod_spec.CopyFrom(self.merged(container))
        target.labels.update(self.labels)
        target.annotations.update(self.annotations)
        target.primary_container_name = self.primary_container_name


_KUBERNETES_NAMES = {
    tasks_pb2.Resources.CPU: "cpu",
    tasks_pb2.Resources.MEMORY: "memory",
    tasks_pb2.Resources.GPU: "nvidia.com/gpu",
    tasks_pb2.Resources.EPHEMERAL_STORAGE: "ephemeral-storage",
}

"""Whether what a user wrote as a pod can be worked on as one. Pure; what its fields may say, the API server knows."""

from collections.abc import Mapping
from typing import Any

from volant_core import errors
from volantidl.core import tasks_pb2

_OF_PODS = ("containers", "initContainers", "volumes", "tolerations", "imagePullSecrets")
_OF_CONTAINERS = ("env", "envFrom", "ports", "volumeMounts")
_NAMED = frozenset({"containers", "initContainers", "volumes", "env"})


def check(spec: Mapping[str, Any], task: tasks_pb2.TaskTemplate) -> None:
    """InvalidArgumentError, naming the field, where lists of objects are something else."""
    _check(spec, _OF_PODS, "", task)
    for kind in ("containers", "initContainers"):
        for at, container in enumerate(spec.get(kind) or []):
            _check(container, _OF_CONTAINERS, f"{kind}[{at}].", task)


def _check(told: Mapping[str, Any], fields: tuple[str, ...], within: str, task: tasks_pb2.TaskTemplate) -> None:
    for field in fields:
        entries = told.get(field) or []
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            raise errors.InvalidArgumentError(
                f"the pod spec of the {task.type} task {task.id.name}: {within}{field} must be a list of objects"
            )
        if field in _NAMED and not all(isinstance(one.get("name"), str) for one in entries):
            raise errors.InvalidArgumentError(
                f"the pod spec of the {task.type} task {task.id.name}: each of {within}{field} must have a name"
            )

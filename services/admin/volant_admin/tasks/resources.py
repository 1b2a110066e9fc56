"""What a task asks for of a machine: whether it is well-formed and within the platform's limits."""

import decimal
import math
from collections.abc import Iterable, Mapping

from google.protobuf import struct_pb2

from volant_admin import validation
from volant_core import compiler, errors
from volantidl.core import identifier_pb2, tasks_pb2

Amounts = Mapping[int, str]
"""Amounts by `Resources.ResourceName`, as written."""

_NAMES: dict[int, str] = {
    tasks_pb2.Resources.CPU: "CPU",
    tasks_pb2.Resources.MEMORY: "MEMORY",
    tasks_pb2.Resources.GPU: "GPU",
    tasks_pb2.Resources.EPHEMERAL_STORAGE: "EPHEMERAL_STORAGE",
}
_POD_NAMES = {
    "cpu": tasks_pb2.Resources.CPU,
    "memory": tasks_pb2.Resources.MEMORY,
    "gpu": tasks_pb2.Resources.GPU,
    "ephemeral-storage": tasks_pb2.Resources.EPHEMERAL_STORAGE,
}


def check_container(id_: identifier_pb2.Identifier, resources: tasks_pb2.Resources, limits: Amounts) -> None:
    """Refuse what a container asks for when it is malformed or over a limit of the platform."""
    _check(id_, _amounts(id_, resources.requests), _amounts(id_, resources.limits), limits)


def check_pod(id_: identifier_pb2.Identifier, pod: tasks_pb2.K8sPod, limits: Amounts) -> None:
    """The same for each container of a pod."""
    fields = pod.pod_spec.fields
    containers = fields["containers"].list_value.values if "containers" in fields else []
    for container in containers:
        asked = container.struct_value.fields.get("resources")
        if asked is None:
            continue
        entries: dict[str, list[tasks_pb2.Resources.ResourceEntry]] = {}
        for kind in ("requests", "limits"):
            values = asked.struct_value.fields.get(kind)
            known = values.struct_value.fields if values is not None else {}
            entries[kind] = [
                tasks_pb2.Resources.ResourceEntry(name=_POD_NAMES[name], value=_written(value))
                for name, value in known.items()
                if name in _POD_NAMES
            ]
        _check(id_, _amounts(id_, entries["requests"]), _amounts(id_, entries["limits"]), limits)


def _written(value: struct_pb2.Value) -> str:
    if value.WhichOneof("kind") != "number_value":
        return str(value.string_value)
    number = value.number_value
    return f"{number:f}" if math.isfinite(number) else str(number)


def _amounts(
    id_: identifier_pb2.Identifier, entries: Iterable[tasks_pb2.Resources.ResourceEntry]
) -> dict[int, tuple[decimal.Decimal, str]]:
    amounts: dict[int, tuple[decimal.Decimal, str]] = {}
    for entry in entries:
        if entry.name not in _NAMES:
            continue
        name = _NAMES[entry.name]
        if entry.name in amounts:
            raise errors.InvalidArgumentError(
                f"can't specify {name} limit for task [{validation.one_line(id_)}] multiple times"
            )
        try:
            amount = compiler.parse_quantity(entry.value)
        except ValueError as error:
            raise errors.InvalidArgumentError(
                f"Parsing of {name} request failed for value {entry.value[:200]} - reason  {error}. "
                "Please follow K8s conventions for resources "
                "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/"
            ) from error
        if entry.name == tasks_pb2.Resources.GPU and amount != int(amount):
            raise errors.InvalidArgumentError(
                f"gpu for [{validation.one_line(id_)}] must be a whole number, got: {entry.value} instead"
            )
        amounts[entry.name] = amount, entry.value
    return amounts


def _check(
    id_: identifier_pb2.Identifier,
    requests: Mapping[int, tuple[decimal.Decimal, str]],
    limits: Mapping[int, tuple[decimal.Decimal, str]],
    platform: Amounts,
) -> None:
    for key, (requested, written) in requests.items():
        name = _NAMES[key]
        limit = limits.get(key)
        if key == tasks_pb2.Resources.GPU and limit is not None and limit[0] != requested:
            raise errors.InvalidArgumentError(
                "For extended resource 'gpu' the default value must equal the limit value for task"
                f" [{validation.one_line(id_)}]"
            )
        if limit is not None and limit[0] < requested:
            raise errors.InvalidArgumentError(
                f"Requested {name} default [{written}] is greater than the limit [{limit[1]}]."
                " Please fix your configuration"
            )
        _check_platform(name, "limit", limit, platform.get(key))
        _check_platform(name, "default", (requested, written), platform.get(key))


def _check_platform(name: str, what: str, amount: tuple[decimal.Decimal, str] | None, platform: str | None) -> None:
    if amount is None or not platform:
        return
    try:
        bound = compiler.parse_quantity(platform)
    except ValueError:
        return  # whoever set the limit set none
    if bound and amount[0] > bound:
        raise errors.InvalidArgumentError(
            f"Requested {name} {what} [{amount[1]}] is greater than current limit set in the platform configuration"
            f" [{platform}]. Please contact Flyte Admins to change these limits or consult the configuration"
        )

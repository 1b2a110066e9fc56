"""What a container asks for: the task's own, its template's, the platform's defaults, within its limits. Pure.

A limit is also the request where there is none, and the other way round (contract row 2.120).
"""

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from volant_core import compiler, errors
from volantidl.core import tasks_pb2

_NAMES = {
    tasks_pb2.Resources.CPU: "cpu",
    tasks_pb2.Resources.MEMORY: "memory",
    tasks_pb2.Resources.EPHEMERAL_STORAGE: "ephemeral-storage",
    tasks_pb2.Resources.GPU: "gpu",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Platform:
    """What the platform gives and allows, by resource name."""

    defaults: Mapping[str, str]
    limits: Mapping[str, str]
    gpu: str
    """What Kubernetes calls `gpu`."""


def of_task(resources: tasks_pb2.Resources) -> dict[str, dict[str, str]]:
    """A task's resources as Kubernetes writes them."""
    return {
        kind: {_NAMES[entry.name]: entry.value for entry in entries if entry.name in _NAMES}
        for kind, entries in (("requests", resources.requests), ("limits", resources.limits))
    }


def resolve(
    own: Mapping[str, Any], template: Mapping[str, Any], platform: Platform, *, is_main: bool
) -> dict[str, dict[str, str]]:
    """The resources of a container.

    Args:
        own: what the task (or the pod's author) asks for.
        template: what a pod template asks for in its place.
        platform: defaults and limits.
        is_main: whether defaults apply, and not only limits (contract row 2.121).

    Raises:
        InvalidArgumentError: an amount is none.
    """
    requests = _renamed({**(template.get("requests") or {}), **(own.get("requests") or {})}, platform.gpu)
    limits = _renamed({**(template.get("limits") or {}), **(own.get("limits") or {})}, platform.gpu)
    bounds = _renamed(platform.limits, platform.gpu)
    defaults = _renamed(platform.defaults, platform.gpu)
    for name in dict.fromkeys([*requests, *limits, "cpu", "memory"]):
        request, limit = requests.get(name, ""), limits.get(name, "")
        if is_main:
            request = _or(request, limit) or defaults.get(name, "")
            limit = _or(limit, request)
        bound = bounds.get(name, "")
        limit = _least(limit, bound)
        request = _least(_least(request, bound), limit)
        _put(requests, name, request)
        _put(limits, name, limit)
    return {kind: found for kind, found in (("requests", requests), ("limits", limits)) if found}


def grown(amount: str, factor: float, most: str) -> str:
    """An amount of memory times `factor`, whole bytes, up to `most`."""
    more = int(_amount(amount) * Decimal(str(factor)))
    return _least(str(more), most)


def _renamed(amounts: Mapping[str, Any], gpu: str) -> dict[str, str]:
    return {gpu if name == "gpu" else name: _written(amount) for name, amount in amounts.items()}


def _written(amount: Any) -> str:
    return f"{amount:g}" if isinstance(amount, float) else str(amount)


def _or(amount: str, other: str) -> str:
    return amount if amount and _amount(amount) else other


def _least(amount: str, bound: str) -> str:
    if not amount or not bound or not _amount(bound):
        return amount
    return bound if _amount(amount) > _amount(bound) else amount


def _put(amounts: dict[str, str], name: str, amount: str) -> None:
    if amount:
        amounts[name] = amount
    else:
        amounts.pop(name, None)


def _amount(text: str) -> Decimal:
    try:
        return compiler.parse_quantity(text)
    except ValueError as wrong:
        raise errors.InvalidArgumentError(f"a resource of the task is malformed: {wrong}") from wrong

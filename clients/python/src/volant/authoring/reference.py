"""References: typed stand-ins for entities that are registered already."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any

from volant import errors, user_code
from volant.authoring import entity, interface
from volantidl.core import identifier_pb2


class ResourceKind(enum.Enum):
    """What kind of entity is meant; the numbers are the contract's."""

    TASK = 1
    WORKFLOW = 2
    LAUNCH_PLAN = 3

    @property
    def message(self) -> identifier_pb2.ResourceType.ValueType:
        """The contract's value."""
        return identifier_pb2.ResourceType.Value(self.name)


class Reference(entity.Entity):
    """A registered entity of which only the name and the interface are known here."""

    is_reference = True

    def __init__(
        self, kind: ResourceKind, project: str, domain: str, name: str, version: str, signature: interface.Interface
    ) -> None:
        super().__init__(name, signature)
        self.kind = kind
        self.project = project
        self.domain = domain
        self.version = version

    def run(self, inputs: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """Refused: its code isn't here."""
        raise errors.DefinitionError(
            f"{user_code.caller_line()}: {self.name} is a reference: its code isn't here, so it cannot "
            f"run locally. In tests, replace it with volant.testing.patch"
        )


def _decorator(
    kind: ResourceKind, project: str, domain: str, name: str, version: str
) -> Callable[[Callable[..., Any]], Reference]:
    def wrap(function: Callable[..., Any]) -> Reference:
        return Reference(kind, project, domain, name, version, interface.interface_of(function))

    return wrap


def reference_task(project: str, domain: str, name: str, version: str) -> Callable[[Callable[..., Any]], Reference]:
    """Decorate a function whose signature is that of a registered task; its body is not used."""
    return _decorator(ResourceKind.TASK, project, domain, name, version)


def reference_workflow(project: str, domain: str, name: str, version: str) -> Callable[[Callable[..., Any]], Reference]:
    """Decorate a function whose signature is that of a registered workflow; its body is not used."""
    return _decorator(ResourceKind.WORKFLOW, project, domain, name, version)


def reference_launch_plan(
    project: str, domain: str, name: str, version: str
) -> Callable[[Callable[..., Any]], Reference]:
    """Decorate a function whose signature is that of a registered launch plan; its body is not used."""
    return _decorator(ResourceKind.LAUNCH_PLAN, project, domain, name, version)


def get_reference_entity(
    resource_type: int,
    project: str,
    domain: str,
    name: str,
    version: str,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
) -> Reference:
    """A reference from types instead of a function."""
    signature = interface.Interface(inputs=dict(inputs), outputs=dict(outputs))
    return Reference(ResourceKind(resource_type), project, domain, name, version, signature)

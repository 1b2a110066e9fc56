"""Entities that a platform has."""

from __future__ import annotations

import dataclasses

from volantidl.admin import launch_plan_pb2
from volantidl.core import identifier_pb2, interface_pb2


@dataclasses.dataclass(frozen=True)
class Registered:
    """An entity that a platform has."""

    id: identifier_pb2.Identifier
    interface: interface_pb2.TypedInterface
    fixed: frozenset[str] = frozenset()
    """Inputs that a launch plan fixes."""
    defaults: frozenset[str] = frozenset()
    """Inputs that a launch plan has values for."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.id.name

    @property
    def version(self) -> str:
        """Its version."""
        return self.id.version


def of_launch_plan(found: launch_plan_pb2.LaunchPlan) -> Registered:
    """A launch plan as it was registered."""
    inputs = {name: parameter.var for name, parameter in found.closure.expected_inputs.parameters.items()}
    outputs = found.closure.expected_outputs.variables
    signature = interface_pb2.TypedInterface(
        inputs=interface_pb2.VariableMap(variables=inputs), outputs=interface_pb2.VariableMap(variables=outputs)
    )
    fixed = frozenset(found.spec.fixed_inputs.literals)
    with_default = {
        n for n, p in found.closure.expected_inputs.parameters.items() if p.WhichOneof("behavior") == "default"
    }
    return Registered(found.id, signature, fixed, frozenset(with_default))

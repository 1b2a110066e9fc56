"""What a scenario may say: an entity and what is done with it. Data only."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """Start the scenario's entity, once the execution before has ended."""

    inputs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Python values. In texts, `{salt}` becomes what no other recording has, so that nothing is cached before."""
    spec: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Fields of ExecutionSpec."""


@dataclasses.dataclass(frozen=True, slots=True)
class Recover:
    """Recover the execution before, once it has ended."""


@dataclasses.dataclass(frozen=True, slots=True)
class Relaunch:
    """Relaunch the execution before, once it has ended."""

    overwrite_cache: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Signal:
    """Answer a gate of the running execution, once it asks."""

    name: str
    value: bool | int | float | str


@dataclasses.dataclass(frozen=True, slots=True)
class Abort:
    """End the running execution, once a node is in a phase."""

    node: str = ""
    """Way to the node, such as `n0/n1`; the execution itself if empty."""
    phase: str = "RUNNING"
    cause: str = "enough"


Step = Run | Recover | Relaunch | Signal | Abort


@dataclasses.dataclass(frozen=True, slots=True)
class Scenario:
    """One case: what is run, and how."""

    name: str
    entity: Any
    """A task, workflow or launch plan of flytekit."""
    steps: tuple[Step, ...] = (Run(),)
    orders: bool = False
    """Whether the orders of lists are recorded as well; only where they do not depend on chance."""
    quick: bool = True
    """Whether the default suite runs it."""
    memory: str = ""
    """What its tasks that ask for none get, where that is little by default, such as 600Mi."""
    needs: tuple[Any, ...] = ()
    """Entities that are registered beside, such as a launch plan that is only named."""

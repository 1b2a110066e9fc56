"""Nodes and the graph that they make up."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

from volant import errors, user_code
from volant.authoring import binding as bindings
from volant.authoring import caching, entity, resources
from volant.authoring import promise as promises


@dataclasses.dataclass
class Overrides:
    """What `with_overrides` changes; None leaves the entity's own setting."""

    name: str | None = None
    timeout: datetime.timedelta | None = None
    retries: int | None = None
    interruptible: bool | None = None
    cache: caching.Cache | bool | None = None
    requests: resources.Resources | None = None
    limits: resources.Resources | None = None
    container_image: Any = None
    pod_template: Any = None
    accelerator: Any = None
    shared_memory: bool | str | None = None
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    task_config: Any = None


class Node:
    """A call of an entity inside a graph."""

    def __init__(self, node_id: str, called: entity.Entity, inputs: Mapping[str, bindings.Binding], line: str) -> None:
        self.id: str = node_id
        self.entity = called
        self.bindings: dict[str, bindings.Binding] = dict(inputs)
        self.line = line
        """File and line of the call."""
        self.overrides: Overrides = Overrides()
        self.ordered_after: dict[Node, str] = {}
        """Nodes that must end before, without giving data, and the line that says so."""
        self.outputs: dict[str, promises.Promise] = {}

    def __repr__(self) -> str:
        return f"<Node {self.id}: {self.entity.name}>"

    def upstream(self) -> list[Node]:
        """All nodes that must end before, each once, in the order of the inputs."""
        found: dict[int, Node] = {}
        for bound in self.bindings.values():
            for promise in bindings.promises_in(bound):
                if promise.node is not None:
                    found.setdefault(id(promise.node), promise.node)
        for other in self.ordered_after:
            found.setdefault(id(other), other)
        return list(found.values())

    def runs_before(self, other: Any) -> None:
        """Let another node start only after this one has ended."""
        after = other if isinstance(other, Node) else getattr(other, "node", None)
        if not isinstance(after, Node):
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: '>>' needs the call of a task or workflow on its right, found {other!r}"
            )
        if self not in after.ordered_after:
            after.ordered_after[self] = user_code.caller_line()

    def __rshift__(self, other: Any) -> Any:
        self.runs_before(other)
        return other

    def __getattr__(self, name: str) -> Any:
        outputs = self.__dict__.get("outputs", {})
        if name in outputs:
            return outputs[name]
        raise AttributeError(name)

    def with_overrides(
        self,
        *,
        node_name: str | None = None,
        cache_version: str | None = None,
        cache_serialize: bool | None = None,
        resources: resources.Resources | None = None,
        **changes: Any,
    ) -> Node:
        """Change how this node is run.

        Args:
            node_name: The node's id.
            cache_version: A cache version for this node.
            cache_serialize: Whether one execution computes and the others wait.
            resources: Requests and limits, as pairs.
            changes: name, timeout, retries, interruptible, cache, requests, limits, container_image, pod_template,
                accelerator, shared_memory, aliases, task_config.
        """
        line = user_code.caller_line()
        if node_name is not None:
            self.id = dns_name(node_name)
        if resources is not None:
            changes["requests"], changes["limits"] = resources.part(0), resources.part(1)
        timeout = changes.get("timeout")
        if isinstance(timeout, (int, float)) and not isinstance(timeout, bool):
            changes["timeout"] = datetime.timedelta(seconds=timeout)
        if cache_version is not None or cache_serialize is not None:
            changes["cache"] = caching.Cache(version=cache_version or "", serialize=bool(cache_serialize))
        known = {field.name for field in dataclasses.fields(Overrides)}
        for key, value in changes.items():
            if key not in known:
                raise errors.DefinitionError(
                    f"{line}: with_overrides has no {key!r}; it has {', '.join(sorted(known))}"
                    f"{user_code.near_miss(key, known)}"
                )
            if isinstance(value, promises.Promise):
                raise errors.DefinitionError(
                    f"{line}: with_overrides({key}=…) takes no value that exists only at run time"
                )
            setattr(self.overrides, key, value)
        return self


def check_order(made: Sequence[Node]) -> None:
    """Refuse nodes that wait for one another in a circle."""
    known = set(made)
    after: dict[Node, list[Node]] = {one: [] for one in made}
    missing = {}
    for one in made:
        before = [other for other in one.upstream() if other in known]
        missing[one] = len(before)
        for other in before:
            after[other].append(one)
    free = [one for one in made if not missing[one]]
    while free:
        for one in after[free.pop()]:
            missing[one] -= 1
            if not missing[one]:
                free.append(one)
    stuck = {one for one in made if missing[one]}
    # Data flows from earlier calls to later ones, so a circle has an order that goes back.
    place = {one: number for number, one in enumerate(made)}
    for one in made:
        for other, line in one.ordered_after.items():
            if {one, other} <= stuck and place[other] >= place[one]:
                raise errors.DefinitionError(
                    f"{line}: {other.id} ({other.entity.title}) >> {one.id} ({one.entity.title}) closes a circle, in "
                    f"which each waits for the other. Leave out one of the orders"
                )


def dns_name(text: str) -> str:
    """A node's id from a name: lower case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@dataclasses.dataclass
class Graph:
    """Nodes in the order of their calls, and what the outputs are taken from."""

    nodes: list[Node] = dataclasses.field(default_factory=list)
    outputs: dict[str, bindings.Binding] = dataclasses.field(default_factory=dict)

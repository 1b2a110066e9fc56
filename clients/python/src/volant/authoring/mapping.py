"""`map_task`: the same task for every element of a list."""

from __future__ import annotations

import functools
import hashlib
import typing
from collections.abc import Container, Mapping
from typing import Any

from volant import errors, user_code
from volant.authoring import entity, interface, launch_plan, task
from volant.types import annotated


class MapTask(entity.Entity):
    """A task or launch plan, called once for each element of its list inputs."""

    def __init__(
        self,
        target: entity.Entity,
        bound: Mapping[str, Any],
        *,
        concurrency: int | None,
        min_successes: int | None,
        min_success_ratio: float,
        run_all_sub_nodes: bool,
    ) -> None:
        line = user_code.caller_line()
        if len(target.interface.outputs) > 1:
            raise errors.DefinitionError(
                f"{line}: map_task needs a task with at most one output; {target.name} has "
                f"{len(target.interface.outputs)}. Return one value, such as a dataclass"
            )
        for name in bound:
            if name not in target.interface.inputs:
                raise errors.DefinitionError(
                    f"{line}: map_task: {target.name} has no input {name!r}; it has "
                    f"{', '.join(target.interface.inputs)}"
                    f"{user_code.near_miss(name, target.interface.inputs)}"
                )
        self.target = target
        self.bound: dict[str, Any] = dict(bound)
        self.concurrency = concurrency
        self.min_successes = min_successes
        self.min_success_ratio = min_success_ratio
        self.run_all_sub_nodes = run_all_sub_nodes
        super().__init__(self._name(), self._interface(target.interface, optional=min_success_ratio != 1.0))

    def _interface(self, inner: interface.Interface, *, optional: bool) -> interface.Interface:
        inputs = {
            name: kind if name in self.bound else list[kind]  # type: ignore[valid-type]
            for name, kind in inner.inputs.items()
        }
        outputs = {
            name: list[kind | None] if optional else list[kind]  # type: ignore[valid-type]
            for name, kind in inner.outputs.items()
        }
        return interface.Interface(inputs=inputs, outputs=outputs, defaults=self.bound, docs=inner.docs)

    def _name(self) -> str:
        if isinstance(self.target, launch_plan.LaunchPlan):
            return self.target.name
        module, _, name = self.target.name.rpartition(".")
        settings = [
            str(part) for part in (sorted(self.bound), self.concurrency, self.min_successes, self.min_success_ratio)
        ]
        digest = hashlib.md5("".join(settings).encode(), usedforsecurity=False).hexdigest()
        return f"{module}.map_{name}_{digest}-arraynode"

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"map_task({self.target.name})"

    @property
    def listed(self) -> list[str]:
        """The inputs that are lists, one element for each call."""
        return [name for name in self.interface.inputs if name not in self.bound]

    @property
    def optional_inputs(self) -> Container[str]:
        """What was bound; and what a launch plan has values for."""
        if isinstance(self.target, launch_plan.LaunchPlan):
            return {*self.bound, *self.target.interface.defaults}
        return self.bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it with lists; what isn't given and has a default is the same for every element."""
        if isinstance(self.target, task.Task):
            defaults = self.target.interface.defaults
            left = {name: defaults[name] for name in defaults if name not in kwargs and name not in self.bound}
            if left and not args:
                return MapTask(
                    self.target,
                    {**self.bound, **left},
                    concurrency=self.concurrency,
                    min_successes=self.min_successes,
                    min_success_ratio=self.min_success_ratio,
                    run_all_sub_nodes=self.run_all_sub_nodes,
                )(**kwargs)
        return super().__call__(*args, **kwargs)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """As for any entity; what was bound by partial may not be given again."""
        for name in kwargs:
            if name in self.bound:
                raise errors.TypeMismatchError(
                    f"{user_code.caller_line()}: {name!r} was given by functools.partial already"
                )
        if args:
            raise errors.TypeMismatchError(
                f"{user_code.caller_line()}: a map task takes its inputs by name: {', '.join(self.listed)}"
            )
        return super().bind(args, kwargs)

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """Run every element on this machine."""
        lengths = {name: len(inputs[name]) for name in self.listed if hasattr(inputs.get(name), "__len__")}
        if len(set(lengths.values())) > 1:
            raise errors.TypeMismatchError(
                f"{user_code.caller_line()}: {self.title}: the lists differ in length: {lengths}. Give all of them as "
                f"many items; what is the same for all is bound by functools.partial"
            )
        from volant.local import execution  # noqa: PLC0415 - running stands on top of authoring

        return execution.run_entity(self, inputs)


def map_task(
    target: Any,
    concurrency: int | None = None,
    min_successes: int | None = None,
    min_success_ratio: float = 1.0,
    run_all_sub_nodes: bool = False,
    metadata: Any = None,  # noqa: ARG001 - other SDKs have it
) -> MapTask:
    """The same task for every element of a list: `map_task(square)(x=[1, 2, 3])`.

    Args:
        target: A task with at most one output, `functools.partial(task, …)`, or a launch plan.
        concurrency: The number of elements at a time; no bound by default.
        min_successes: The number of elements that must succeed.
        min_success_ratio: The share of elements that must succeed; if not 1, the outputs of others are None.
        run_all_sub_nodes: Go on with the other elements when one fails.
        metadata: Ignored; other SDKs have it.
    """
    bound: dict[str, Any] = {}
    if isinstance(target, functools.partial):
        if target.args:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: functools.partial for map_task takes inputs by name only"
            )
        bound, target = dict(target.keywords), target.func
    if not isinstance(target, (task.Task, launch_plan.LaunchPlan)) and not getattr(target, "is_reference", False):
        raise errors.DefinitionError(
            f"{user_code.caller_line()}: map_task takes a task or a launch plan, found {target!r}. "
            f"Write @task above the function"
        )
    if min_success_ratio is None or not 0 <= min_success_ratio <= 1:
        raise errors.DefinitionError(
            f"{user_code.caller_line()}: min_success_ratio={min_success_ratio!r}: give a share from 0 to 1"
        )
    return MapTask(
        target,
        bound,
        concurrency=concurrency,
        min_successes=min_successes,
        min_success_ratio=min_success_ratio,
        run_all_sub_nodes=run_all_sub_nodes,
    )


def item_type(python_type: Any) -> Any:
    """The type of a list's items."""
    args = typing.get_args(annotated.bare(python_type))
    return args[0] if args else Any

"""Dynamic tasks: tasks whose body, with its inputs known, makes a graph."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from volant.authoring import driver, entity, interface, task, tracing
from volant.authoring import node as nodes

P = ParamSpec("P")
R = TypeVar("R")


class DynamicTask(task.PythonTask[P, R]):
    """A task whose body is traced when it runs. A body that looks at the values of its own calls is run eagerly."""

    def __init__(
        self,
        function: Callable[P, R],
        settings: task.TaskSettings,
        *,
        name: str = "",
        hints: Sequence[entity.Entity] = (),
    ) -> None:
        super().__init__(function, settings, name=name)
        self.node_dependency_hints: list[entity.Entity] = list(hints)

    @functools.cached_property
    def driver_task(self) -> driver.DriverTask:
        """The task that runs the body where it has to be run eagerly."""
        return driver.DriverTask(self.function, f"{self.name}.driver", self.interface, self.settings)

    def trace(self, inputs: Mapping[str, Any], prefix: str = "d") -> nodes.Graph:
        """The graph for these inputs; raises NeedsValueError where the body needs what its calls give."""
        return tracing.trace(self.function, self.interface, inputs, prefix)

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """Trace, and run the graph on this machine."""
        return self.interface.wrap_outputs(self.accept_outputs(self.execute(self.accept_inputs(inputs))))

    def execute_on_platform(self, inputs: Mapping[str, Any], distribution: str, destination: str) -> Any:
        """Trace, and hand the graph to the engine."""
        from volant.runtime import dynamic as platform  # noqa: PLC0415 - running stands on top of authoring

        return platform.execute(self, inputs, distribution, destination)

    def execute(self, inputs: Mapping[str, Any]) -> Any:
        """Trace, and run the graph on this machine."""
        from volant.local import execution  # noqa: PLC0415 - running stands on top of authoring

        return execution.run_dynamic(self, inputs)


@overload
def dynamic(function: Callable[P, R], /) -> DynamicTask[P, R]: ...


@overload
def dynamic(**options: Any) -> Callable[[Callable[P, R]], DynamicTask[P, R]]: ...


def dynamic(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a dynamic task of a function: it runs as a task, and the calls in it become nodes.

    Args:
        function: The function.
        options: As for `task`, and `node_dependency_hints`.
    """
    if function is None:
        return functools.partial(dynamic, **options)
    name = options.pop("name", "")
    hints = options.pop("node_dependency_hints", None) or ()
    settings = task.settings_from(interface.where(function), options)
    return DynamicTask(function, settings, name=name, hints=hints)


if "volant.runtime.entrypoint" in sys.modules:
    # In a task's interpreter, what dynamic tasks need is loaded before the attempt is forked, but only for code that
    # has any: its memory would cost every fork.
    importlib.import_module("volant.runtime.dynamic")

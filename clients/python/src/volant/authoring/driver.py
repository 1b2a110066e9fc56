"""The task that runs an eager body: what an eager workflow consists of on a platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from volant.authoring import interface, task


class DriverTask(task.PythonTask[..., Any]):
    """Runs a body whose calls become children."""

    is_eager = True

    def __init__(
        self, function: Callable[..., Any], name: str, signature: interface.Interface, settings: task.TaskSettings
    ) -> None:
        super().__init__(function, settings, name=name, signature=signature)

    def loader_arguments(self) -> list[str]:
        """How a task process finds it: as an attribute of what the body was made into."""
        arguments = super().loader_arguments()
        return [*arguments[:-1], f"{arguments[-1]}.driver_task"]

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """Run the body here, its calls in threads."""
        complete = self.accept_inputs(inputs)
        return self.interface.wrap_outputs(self.accept_outputs(self.execute(complete)))

    def execute_on_platform(self, inputs: Mapping[str, Any], distribution: str, destination: str) -> Any:
        """Run the body; its calls become executions of the platform."""
        from volant.runtime import children  # noqa: PLC0415 - running stands on top of authoring

        return children.execute(self, inputs, distribution, destination)

    def execute(self, inputs: Mapping[str, Any]) -> Any:
        """Run the body here, its calls in threads."""
        from volant.local import eager  # noqa: PLC0415 - running stands on top of authoring

        return eager.run_body(self.function, self.interface, inputs)

"""Gates: nodes that wait for a person or for time."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from volant import errors, user_code
from volant.authoring import calls, entity, interface, tracing
from volant.authoring import promise as promises

DEFAULT_TIMEOUT = datetime.timedelta(hours=1)


class Gate(entity.Entity):
    """What a gate waits for: an approval (`approves`), a value (`expected_type`) or time (`duration`)."""

    def __init__(
        self,
        name: str,
        signature: interface.Interface,
        *,
        timeout: datetime.timedelta,
        expected_type: Any = None,
        duration: datetime.timedelta | None = None,
    ) -> None:
        super().__init__(name, signature)
        self.timeout = timeout
        self.expected_type = expected_type
        self.duration = duration

    @property
    def approves(self) -> bool:
        """Whether it waits for an approval."""
        return self.expected_type is None and self.duration is None

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """Wait, or ask on the terminal."""
        from volant.local import gates  # noqa: PLC0415 - running stands on top of authoring

        return self.interface.wrap_outputs(gates.wait(self, inputs))


def approve(upstream_item: Any, name: str, timeout: datetime.timedelta) -> Any:
    """Pass a value on once a person has approved.

    Args:
        upstream_item: The output of a node.
        name: The signal's name.
        timeout: How long to wait.
    """
    if isinstance(upstream_item, promises.Promise):
        if upstream_item.node is None:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: approve() takes the output of a node, not an input of the workflow. "
                f"Pass the input through a task first"
            )
        var, python_type = upstream_item._var, upstream_item._python_type  # noqa: SLF001
    elif isinstance(upstream_item, promises.NodeOutputs):
        raise errors.DefinitionError(
            f"{user_code.caller_line()}: approve() takes one value; {upstream_item!r} is none or several"
        )
    else:
        var, python_type = "o0", type(upstream_item)
    signature = interface.Interface(inputs={var: python_type}, outputs={var: python_type})
    return Gate(name, signature, timeout=timeout)(**{var: upstream_item})


def wait_for_input(name: str, timeout: datetime.timedelta, expected_type: Any) -> Any:
    """A value that a person gives.

    Args:
        name: The signal's name.
        timeout: How long to wait.
        expected_type: The value's type.
    """
    signature = interface.Interface(inputs={}, outputs={"o0": expected_type})
    return Gate(name, signature, timeout=timeout, expected_type=expected_type)()


def sleep(duration: datetime.timedelta) -> Any:
    """Wait.

    Args:
        duration: How long.
    """
    gate = Gate("sleep-gate", interface.Interface(inputs={}, outputs={}), timeout=DEFAULT_TIMEOUT, duration=duration)
    if calls.current() is None or isinstance(calls.current(), tracing.Tracer):
        return gate()
    return gate.run({})

"""What a kind of node answers to."""

import dataclasses
from collections.abc import Callable
from typing import Any

from volant_engine.decide import state


def _nothing(run: state.Run, node: state.Node, told: Any) -> None:
    """For what a kind is never told, or need not act on."""


@dataclasses.dataclass(frozen=True, slots=True)
class Behaviour:
    """The functions of one kind."""

    start: Callable[[state.Run, state.Node], None]
    """Begin the present attempt, or take it up again when something is recorded of it."""
    halt: Callable[[state.Run, state.Node], None]
    """Stop what runs; leads to `lifecycle.halted`, now or later."""
    heard: Callable[[state.Run, state.Node, Any], None] = _nothing
    """An event for the node."""
    scope_ended: Callable[[state.Run, state.Node, state.Scope], None] = _nothing
    """The scope that the node had opened has ended."""
    case_ended: Callable[[state.Run, state.Node, state.Node], None] = _nothing
    """The case that the node had chosen has ended."""

"""What calling an entity means right now: run it, add a node to the graph that is being traced, or start a child.

Whoever gives calls another meaning (the tracer, an eager driver) installs itself here for the time of a `with` block.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from volant.authoring.entity import Entity


class Caller(Protocol):
    """Gives calls of entities their meaning."""

    def call(self, entity: Entity, inputs: Mapping[str, Any]) -> Any:
        """An entity was called with these inputs (defaults are not filled in)."""
        ...


_current: contextvars.ContextVar[Caller | None] = contextvars.ContextVar("volant_caller", default=None)


def current() -> Caller | None:
    """Who gives calls their meaning; None where a call just runs."""
    return _current.get()


@contextlib.contextmanager
def made_by(caller: Caller | None) -> Iterator[None]:
    """Give calls another meaning for the time of a `with` block."""
    token = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(token)

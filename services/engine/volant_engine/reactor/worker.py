"""One execution that this engine drives: its state, and what it has been told and not yet heard."""

import collections

from volant_engine.decide import events, state
from volantidl.dispatch import dispatch_pb2


class Worker:
    """Sequential by construction: only the engine's pump advances it, one event after another."""

    __slots__ = (
        "__weakref__",
        "assignment",
        "attempts",
        "ended",
        "epoch",
        "events",
        "forgotten",
        "is_dropped",
        "is_queued",
        "number",
        "reloads",
        "restarts",
        "run",
        "unfit",
    )

    def __init__(self, assignment: dispatch_pb2.Assignment) -> None:
        """A worker for what admin has assigned."""
        self.assignment = assignment
        self.number = assignment.execution
        self.epoch = assignment.epoch
        self.run: state.Run | None = None
        """None until everything is loaded."""
        self.events: collections.deque[events.Event] = collections.deque()
        self.is_queued = False
        """Whether the pump knows that there is something to do."""
        self.is_dropped = False
        """The lease is over: nothing may be touched any more."""
        self.ended = False
        self.restarts = 0
        self.reloads = False
        """It is about to be loaded anew after a fault; what more goes wrong meanwhile is of the same fault."""
        self.unfit = 0
        """Reports of it that admin could not record."""
        self.attempts: set[str] = set()
        """Names of attempts that news may come of."""
        self.forgotten: list[str] = []
        """Names of attempts whose end is in the next report."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What messages call it by."""
        execution = self.assignment.id
        return (execution.project, execution.domain, execution.name)

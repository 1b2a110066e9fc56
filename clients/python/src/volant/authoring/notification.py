"""Who is told when executions end."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from volant import errors, user_code
from volantidl.admin import common_pb2
from volantidl.core import execution_pb2

Phase = execution_pb2.WorkflowExecution.Phase
_TERMINAL = {Phase.SUCCEEDED, Phase.FAILED, Phase.TIMED_OUT, Phase.ABORTED}


@dataclasses.dataclass(frozen=True)
class Notification:
    """Base of notifications."""

    phases: Sequence[int]
    """Phases of `WorkflowExecutionPhase`; only terminal ones."""
    recipients_email: Sequence[str]

    def __post_init__(self) -> None:
        if not self.recipients_email:
            raise errors.DefinitionError(f"{user_code.caller_line()}: {type(self).__name__} needs recipients_email=[…]")
        for phase in self.phases:
            if phase not in _TERMINAL:
                raise errors.DefinitionError(
                    f"{user_code.caller_line()}: {type(self).__name__}: the phase {_name_of(phase)} isn't terminal; "
                    f"choose among SUCCEEDED, FAILED, TIMED_OUT and ABORTED"
                )

    def to_message(self) -> common_pb2.Notification:
        """The contract's form."""
        raise NotImplementedError


class Email(Notification):
    """Sends mail."""

    def to_message(self) -> common_pb2.Notification:
        """The contract's form."""
        recipients = common_pb2.EmailNotification(recipients_email=self.recipients_email)
        return common_pb2.Notification(phases=[Phase.ValueType(p) for p in self.phases], email=recipients)


class Slack(Notification):
    """Writes to Slack, by its mail addresses."""

    def to_message(self) -> common_pb2.Notification:
        """The contract's form."""
        recipients = common_pb2.SlackNotification(recipients_email=self.recipients_email)
        return common_pb2.Notification(phases=[Phase.ValueType(p) for p in self.phases], slack=recipients)


class PagerDuty(Notification):
    """Raises an incident, by PagerDuty's mail addresses."""

    def to_message(self) -> common_pb2.Notification:
        """The contract's form."""
        recipients = common_pb2.PagerDutyNotification(recipients_email=self.recipients_email)
        return common_pb2.Notification(phases=[Phase.ValueType(p) for p in self.phases], pager_duty=recipients)


class WorkflowExecutionPhase:
    """The phases of an execution, by name."""

    QUEUED = int(Phase.QUEUED)
    RUNNING = int(Phase.RUNNING)
    SUCCEEDING = int(Phase.SUCCEEDING)
    SUCCEEDED = int(Phase.SUCCEEDED)
    FAILING = int(Phase.FAILING)
    FAILED = int(Phase.FAILED)
    ABORTED = int(Phase.ABORTED)
    TIMED_OUT = int(Phase.TIMED_OUT)
    ABORTING = int(Phase.ABORTING)


def _name_of(phase: Any) -> Any:
    return next((name for name, number in vars(WorkflowExecutionPhase).items() if number == phase), phase)

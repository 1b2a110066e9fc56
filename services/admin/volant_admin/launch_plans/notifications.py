"""Whom to tell of an execution's end: whether the wish is well-formed."""

from collections.abc import Iterable

from volant_admin import validation
from volant_core import errors
from volantidl.admin import common_pb2
from volantidl.core import execution_pb2

_TERMINAL = frozenset(
    {
        execution_pb2.WorkflowExecution.SUCCEEDED,
        execution_pb2.WorkflowExecution.FAILED,
        execution_pb2.WorkflowExecution.TIMED_OUT,
        execution_pb2.WorkflowExecution.ABORTED,
    }
)


def check(notifications: Iterable[common_pb2.Notification]) -> None:
    """Refuse notifications of an unknown kind, without recipients, or at a phase that is not an end."""
    for one in notifications:
        match one.WhichOneof("type"):
            case "email":
                recipients = list(one.email.recipients_email)
            case "slack":
                recipients = list(one.slack.recipients_email)
            case "pager_duty":
                recipients = list(one.pager_duty.recipients_email)
            case _:
                raise errors.InvalidArgumentError("invalid value for notification type")
        if not recipients:
            raise validation.missing("recipients")
        if not all(recipients):
            raise validation.missing("recipient")
        if not _TERMINAL.issuperset(one.phases):
            raise errors.InvalidArgumentError("invalid value for phase")

"""When launch plans start by themselves: whether a schedule makes sense."""

import datetime
import re
import zoneinfo

import cronsim

from volant_admin import listing
from volant_core import errors
from volantidl.admin import schedule_pb2
from volantidl.core import interface_pb2, types_pb2

_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = 5
_LONGEST = 500
_ANY_DAY = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


def kind_of(schedule: schedule_pb2.Schedule) -> str:
    """NONE, CRON or RATE."""
    match schedule.WhichOneof("ScheduleExpression"):
        case "cron_expression":
            return "CRON" if schedule.cron_expression else "NONE"
        case "cron_schedule":
            return "CRON"
        case "rate":
            return "RATE"
        case _:
            return "NONE"


def check(schedule: schedule_pb2.Schedule, expected: interface_pb2.ParameterMap) -> None:
    """Refuse a schedule that could not start an execution."""
    if kind_of(schedule) == "NONE":
        return
    kickoff = schedule.kickoff_time_input_arg
    for name in sorted(expected.parameters):
        if expected.parameters[name].required and name != kickoff:
            raise errors.InvalidArgumentError(
                f"Cannot create a launch plan with a schedule if there is an unbound required input. [{name}] is"
                " required"
            )
    if kickoff:
        if kickoff not in expected.parameters:
            raise errors.InvalidArgumentError(
                "Cannot create a schedule with a KickoffTimeInputArg that does not point to a free input."
                f" [{kickoff}] is not free or does not exist."
            )
        type_ = expected.parameters[kickoff].var.type
        if type_.simple != types_pb2.DATETIME:
            raise errors.InvalidArgumentError(
                f"KickoffTimeInputArg must reference a datetime input. [{kickoff}] is a [{str(type_).strip()}]"
            )
    expression = schedule.cron_expression or schedule.cron_schedule.schedule
    if expression:
        check_cron(expression)


def check_cron(expression: str) -> None:
    """Refuse what is not five fields, or a descriptor such as @hourly, with a time zone before it if need be."""

    def refuse(problem: str) -> errors.InvalidArgumentError:
        return errors.InvalidArgumentError(f"Invalid cron expression: {problem}: [{expression[:_LONGEST]}]")

    if len(expression) > _LONGEST:
        raise refuse(f"it is longer than {_LONGEST} characters")
    text = expression.strip()
    if found := re.fullmatch(r"(?:CRON_)?TZ=(\S+)\s+(.*)", text, re.DOTALL):
        zone, text = found.groups()
        try:
            zoneinfo.ZoneInfo(zone)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            raise refuse(f"unknown time zone {zone}") from None
    if text.startswith("@every "):
        if listing.parse_duration(text.removeprefix("@every ").strip()) <= datetime.timedelta():
            raise refuse("the interval must be positive")
        return
    text = _DESCRIPTORS.get(text, text)
    if text.startswith("@"):
        raise refuse("unrecognized descriptor")
    fields = text.split()
    if len(fields) != _FIELDS:
        raise refuse(f"expected exactly {_FIELDS} fields, found {len(fields)}")
    try:
        cronsim.CronSim(" ".join("*" if field == "?" else field for field in fields), _ANY_DAY)
    except cronsim.CronSimError as error:
        raise refuse(str(error)) from error

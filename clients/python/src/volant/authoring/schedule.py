"""When a launch plan starts by itself."""

from __future__ import annotations

import dataclasses
import datetime
import re

from volant import errors, user_code
from volantidl.admin import schedule_pb2

_ALIASES = {"hourly", "hours", "daily", "days", "weekly", "weeks", "monthly", "months", "annually", "yearly", "years"}
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_NAMES = {
    "month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "weekday": ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
_OFFSET = re.compile(r"^P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?$")


class Schedule:
    """Base of schedules."""

    kickoff_time_input_arg: str | None

    def to_message(self) -> schedule_pb2.Schedule:
        """The contract's form."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, init=False)
class CronSchedule(Schedule):
    """A cron schedule, in UTC: `CronSchedule(schedule="0 0 * * *")`, or an alias such as "@daily".

    Args:
        schedule: Five fields (minute, hour, day, month, weekday) or an alias.
        offset: An ISO 8601 duration by which every start is moved.
        kickoff_time_input_arg: The input that gets the time for which an execution was scheduled.
        cron_expression: Another name for `schedule`.
    """

    schedule: str
    offset: str | None
    kickoff_time_input_arg: str | None

    def __init__(
        self,
        schedule: str | None = None,
        offset: str | None = None,
        kickoff_time_input_arg: str | None = None,
        *,
        cron_expression: str | None = None,
    ) -> None:
        if (schedule is None) == (cron_expression is None):
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: CronSchedule needs schedule= (cron_expression= is the same), once"
            )
        text = (schedule or cron_expression or "").strip()
        problem = _problem(text)
        if problem:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: CronSchedule({text!r}): {problem}. Example: '0 6 * * mon-fri'"
            )
        if offset is not None and not _OFFSET.match(offset):
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: offset={offset!r} is no ISO 8601 duration such as 'PT5M'"
            )
        object.__setattr__(self, "schedule", text)
        object.__setattr__(self, "offset", offset)
        object.__setattr__(self, "kickoff_time_input_arg", kickoff_time_input_arg)

    def to_message(self) -> schedule_pb2.Schedule:
        """The contract's form."""
        cron = schedule_pb2.CronSchedule(schedule=self.schedule, offset=self.offset or "")
        return schedule_pb2.Schedule(cron_schedule=cron, kickoff_time_input_arg=self.kickoff_time_input_arg or "")


def _problem(text: str) -> str:
    """What is wrong with a cron expression; "" if nothing is."""
    if text.removeprefix("@") in _ALIASES:
        return ""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        return f"expected 5 fields or an alias, found {len(parts)}"
    for part, (name, low, high) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            if not _is_item(item.lower(), name, low, high):
                return f"{item!r} is no {name} ({low}-{high})"
    return ""


def _is_item(item: str, name: str, low: int, high: int) -> bool:
    body, slash, step = item.partition("/")
    if slash and (not step.isdigit() or int(step) == 0):
        return False
    if body in {"*", "?"}:
        return True
    if (name == "day" and body in {"l", "lw"}) or (
        name == "weekday" and re.fullmatch(r"(l?[0-7]|[a-z]{3})(#[1-5]|l)?", body)
    ):
        return True
    ends = body.split("-")
    numbers = [_number(end, name) for end in ends]
    return len(ends) <= 2 and all(number is not None and low <= number <= high for number in numbers)


def _number(text: str, name: str) -> int | None:
    if text.isdigit():
        return int(text)
    names = _NAMES.get(name, [])
    return names.index(text) + (name == "month") if text in names else None


@dataclasses.dataclass(frozen=True)
class FixedRate(Schedule):
    """A start every so often: `FixedRate(duration=timedelta(minutes=10))`; whole minutes."""

    duration: datetime.timedelta
    kickoff_time_input_arg: str | None = None

    def __post_init__(self) -> None:
        seconds = self.duration.total_seconds()
        if seconds <= 0 or seconds % 60:
            raise errors.DefinitionError(
                f"{user_code.caller_line()}: FixedRate({self.duration}): give a positive number of whole minutes"
            )

    def to_message(self) -> schedule_pb2.Schedule:
        """The contract's form, in the largest unit that divides it."""
        minutes = int(self.duration.total_seconds()) // 60
        unit, value = schedule_pb2.FixedRateUnit.MINUTE, minutes
        if minutes % 1440 == 0:
            unit, value = schedule_pb2.FixedRateUnit.DAY, minutes // 1440
        elif minutes % 60 == 0:
            unit, value = schedule_pb2.FixedRateUnit.HOUR, minutes // 60
        rate = schedule_pb2.FixedRate(value=value, unit=unit)
        return schedule_pb2.Schedule(rate=rate, kickoff_time_input_arg=self.kickoff_time_input_arg or "")

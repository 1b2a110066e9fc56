"""Gates: approvals, inputs and sleep."""

import datetime

from flytekit import approve, conditional, sleep, wait_for_input, workflow

from flows.small import add_one, echo, echo_text

HOUR = datetime.timedelta(hours=1)


@workflow
def approved(x: int) -> int:
    made = echo(x=x)
    return echo(x=approve(made, "ok", timeout=HOUR))


@workflow
def asked(x: int) -> int:
    made = echo(x=x)
    given = wait_for_input("how-many", timeout=HOUR, expected_type=int)
    made >> given
    return echo(x=given)


@workflow
def asked_for_each() -> tuple[str, bool, float]:
    text = wait_for_input("text", timeout=HOUR, expected_type=str)
    flag = wait_for_input("flag", timeout=HOUR, expected_type=bool)
    ratio = wait_for_input("ratio", timeout=HOUR, expected_type=float)
    return echo_text(text=text), flag, ratio


@workflow
def slept(x: int) -> int:
    nap = sleep(datetime.timedelta(seconds=2))
    made = echo(x=x)
    nap >> made
    return made


@workflow
def gate_then_branch(x: int) -> int:
    given = wait_for_input("limit", timeout=HOUR, expected_type=int)
    return conditional("within").if_(given > 3).then(echo(x=x)).else_().then(echo(x=given))


@workflow
def impatient(x: int) -> int:
    made = echo(x=x)
    return echo(x=approve(made, "soon", timeout=datetime.timedelta(seconds=25)))


@workflow
def inner_gate(x: int) -> int:
    return approve(echo(x=x), "inner-ok", timeout=HOUR)


@workflow
def gate_in_subworkflow(x: int) -> int:
    return echo(x=inner_gate(x=x))


@workflow
def task_gate_task(x: int) -> int:
    """For recovery: what ran before the gate is not run again."""
    made = add_one(x=x)
    return add_one(x=approve(made, "go", timeout=HOUR))

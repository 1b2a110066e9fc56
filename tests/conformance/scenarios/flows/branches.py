"""Conditions."""

from flytekit import conditional, workflow

from flows.kinds import inner
from flows.small import add, add_one, dynamic, echo, echo_text, raises, task


@workflow
def two_ways(x: int) -> int:
    return conditional("sign").if_(x > 0).then(echo(x=x)).else_().then(add_one(x=x))


@workflow
def three_ways(x: float, y: float) -> str:
    return (
        conditional("compare")
        .if_((x < y) & (x >= 0.0))
        .then(echo_text(text="less"))
        .elif_((x == y) | (y < -10.0))
        .then(echo_text(text="equal"))
        .else_()
        .then(echo_text(text="more"))
    )


@workflow
def no_way(x: int) -> int:
    return conditional("only").if_(x > 10).then(echo(x=x)).else_().fail("x must be over 10")


@workflow
def nested(x: int, y: int) -> int:
    return (
        conditional("outer")
        .if_(x > 0)
        .then(
            conditional("inner").if_(y > 0).then(echo(x=y)).elif_(y == 0).then(echo(x=x)).else_().fail("y is negative")
        )
        .else_()
        .then(add(x=x, y=y))
    )


@workflow
def after_a_task(x: int) -> int:
    """The condition reads what a task made; what comes after reads the branch."""
    made = echo(x=x)
    got = conditional("made").if_(made == 7).then(echo(x=made)).else_().then(inner_sum(x=made))
    return echo(x=got)


@workflow
def inner_sum(x: int) -> int:
    a, b = inner(x=x)
    return add(x=a, y=b)


@workflow
def subworkflow_in_branch(x: int) -> int:
    return conditional("deep").if_(x > 100).then(echo(x=x)).else_().then(inner_sum(x=x))


@task
def decides(x: int) -> bool:
    return x % 2 == 0


@workflow
def on_a_boolean(x: int) -> str:
    even = decides(x=x)
    return conditional("even").if_(even.is_true()).then(echo_text(text="even")).else_().then(echo_text(text="odd"))


@workflow
def on_a_text(word: str) -> str:
    return (
        conditional("word")
        .if_(word == "yes")
        .then(echo_text(text="it was yes"))
        .elif_(word != "no")
        .then(echo_text(text="neither"))
        .else_()
        .then(echo_text(text="it was no"))
    )


@workflow
def taken_case_fails(x: int) -> int:
    return conditional("risky").if_(x > 0).then(raises(x=x)).else_().then(echo(x=x))


@dynamic
def counts_up(x: int) -> int:
    for _ in range(2):
        x = echo(x=x)
    return x


@workflow
def dynamic_in_branch(x: int) -> int:
    return conditional("dyn").if_(x >= 0).then(counts_up(x=x)).else_().then(echo(x=x))


@workflow
def two_branches(x: int) -> tuple[int, int]:
    """A branch whose case depends on the branch before."""
    first = conditional("first").if_(x > 0).then(echo(x=x)).else_().fail("first")
    second = conditional("second").if_(first > 5).then(echo(x=first)).else_().then(add_one(x=first))
    return first, second

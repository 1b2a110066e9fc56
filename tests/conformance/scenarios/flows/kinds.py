"""Nodes of each kind, one in another."""

import datetime
import typing

from flytekit import LaunchPlan, approve, conditional, workflow
from flytekit.core.workflow import ImperativeWorkflow

from flows.small import add, add_one, echo, echo_text, raises, task


@workflow
def chain(x: int = 1) -> int:
    return add_one(x=add_one(x=x))


@task
def says_nothing(x: int) -> None:
    print("quiet", x)


@workflow
def without_outputs(x: int) -> None:
    says_nothing(x=x)


@workflow
def empty_handed() -> None:
    """Neither inputs nor outputs."""
    nothing_at_all()


@task
def nothing_at_all() -> None:
    pass


@workflow
def echoes(x: int) -> int:
    return echo(x=echo(x=x))


@workflow
def diamond(x: int) -> int:
    left = add_one(x=x)
    right = echo(x=x)
    return add(x=left, y=right)


@workflow
def after_another(x: int) -> int:
    """Order without data."""
    first = echo(x=x)
    second = echo_text(text="after")
    first >> second
    return first


@workflow
def inner(x: int) -> tuple[int, int]:
    a = echo(x=x)
    return a, add_one(x=a)


@workflow
def outer(x: int) -> int:
    a, b = inner(x=x)
    return add(x=a, y=b)


@workflow
def outermost(x: int) -> int:
    return echo(x=outer(x=x))


@workflow
def subworkflow_fails(x: int) -> int:
    return middle_fails(x=x)


@workflow
def middle_fails(x: int) -> int:
    return raises(x=echo(x=x))


@workflow
def passes_through(x: int, text: str) -> tuple[int, str]:
    """Outputs bound to the workflow's own inputs, beside a node that nobody waits for."""
    echo(x=x)
    return x, text


class Named(typing.NamedTuple):
    total: int
    word: str


@task
def named_outputs(x: int) -> Named:
    return Named(total=x, word="w" * x)


@workflow
def uses_names(x: int) -> Named:
    got = named_outputs(x=x)
    return Named(total=got.total, word=got.word)


imperative = ImperativeWorkflow(name="flows.kinds.imperative")
imperative.add_workflow_input("x", int)
_node = imperative.add_entity(echo, x=imperative.inputs["x"])
imperative.add_workflow_output("same", _node.outputs["o0"])

chain_plan = LaunchPlan.get_or_create(chain, name="flows.kinds.chain_plan", default_inputs={"x": 5})
fixed_plan = LaunchPlan.get_or_create(chain, name="flows.kinds.fixed_plan", fixed_inputs={"x": 40})
echo_plan = LaunchPlan.get_or_create(echoes, name="flows.kinds.echo_plan")
failing_plan = LaunchPlan.get_or_create(middle_fails, name="flows.kinds.failing_plan")


@workflow
def plan_node(x: int) -> int:
    return echo(x=echo_plan(x=x))


@workflow
def plan_node_defaults() -> tuple[int, int]:
    return chain_plan(), fixed_plan()


@workflow
def plan_node_fails(x: int) -> int:
    return echo(x=failing_plan(x=x))


@workflow
def plan_in_branch(x: int) -> int:
    return conditional("which").if_(x > 3).then(echo_plan(x=x)).else_().then(echo(x=x))


@workflow
def many_defaults(
    count: int = 3,
    ratio: float = 0.5,
    word: str = "word",
    flag: bool = True,
    when: datetime.datetime = datetime.datetime(2024, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
    span: datetime.timedelta = datetime.timedelta(minutes=5),
) -> tuple[int, float, str, bool, datetime.datetime, datetime.timedelta]:
    echo(x=count)
    return count, ratio, word, flag, when, span


@workflow
def gated(x: int) -> int:
    return approve(echo(x=x), "child-ok", timeout=datetime.timedelta(hours=1))


gated_plan = LaunchPlan.get_or_create(gated, name="flows.kinds.gated_plan")


@workflow
def plan_of_gate(x: int) -> int:
    return gated_plan(x=x)

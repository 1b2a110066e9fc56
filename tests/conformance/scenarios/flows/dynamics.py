"""Dynamic nodes."""

from flytekit import conditional, map_task, workflow

from flows.kinds import chain_plan, echo_plan, inner
from flows.maps import doubled, total
from flows.small import add, add_one, dynamic, echo, naps, raises


@dynamic
def repeats(x: int, times: int) -> int:
    for _ in range(times):
        x = echo(x=x)
    return x


@workflow
def simple(x: int, times: int) -> int:
    return echo(x=repeats(x=x, times=times))


@dynamic
def makes_nothing(x: int) -> int:
    """Without a node in it: an ordinary value comes out."""
    return x * 3


@workflow
def dynamic_without_nodes(x: int) -> int:
    return makes_nothing(x=x)


@dynamic
def countdown(n: int) -> int:
    if n == 0:
        return add_one(x=0)
    return countdown(n=n - 1)


@workflow
def dynamic_in_dynamic(n: int) -> int:
    return countdown(n=n)


@dynamic
def maps_inside(numbers: list[int]) -> int:
    return total(numbers=map_task(doubled)(x=numbers))


@workflow
def map_in_dynamic(numbers: list[int]) -> int:
    return maps_inside(numbers=numbers)


@dynamic
def plans_inside(x: int) -> int:
    return add(x=echo_plan(x=x), y=chain_plan(x=x))


@workflow
def plan_in_dynamic(x: int) -> int:
    return plans_inside(x=x)


@dynamic
def subworkflow_inside(x: int) -> int:
    a, b = inner(x=x)
    return add(x=a, y=b)


@workflow
def subworkflow_in_dynamic(x: int) -> int:
    return subworkflow_inside(x=x)


@dynamic
def branch_inside(x: int) -> int:
    made = echo(x=x)
    return conditional("inside").if_(made > 3).then(echo(x=made)).else_().then(add_one(x=made))


@workflow
def branch_in_dynamic(x: int) -> int:
    return branch_inside(x=x)


@dynamic
def child_raises(x: int) -> int:
    return add(x=echo(x=x), y=raises(x=x))


@workflow
def child_of_dynamic_fails(x: int) -> int:
    return echo(x=child_raises(x=x))


@dynamic
def body_raises(x: int) -> int:
    echo(x=x)
    raise RuntimeError("in the body")
    return x  # flytekit asks for a return


@workflow
def body_of_dynamic_fails(x: int) -> int:
    return echo(x=body_raises(x=x))


@dynamic
def naps_inside(seconds: float) -> float:
    return naps(seconds=seconds)


@workflow
def nap_in_dynamic(seconds: float) -> float:
    return naps_inside(seconds=seconds)


@dynamic
def lists(n: int) -> list[int]:
    return [echo(x=index) for index in range(n)]


@workflow
def dynamic_list(n: int) -> list[int]:
    return lists(n=n)

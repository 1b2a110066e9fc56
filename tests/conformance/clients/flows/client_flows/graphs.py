"""Each kind of node."""

import datetime
import typing
from functools import partial

import flytekit
from flytekit import LaunchPlan, approve, conditional, dynamic, map_task, sleep, task, wait_for_input, workflow
from flytekit.core.node_creation import create_node

from client_flows.release import FLYTEKIT


@task
def double(x: int) -> int:
    return x * 2


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def add_all(numbers: typing.List[int]) -> int:
    return sum(numbers)


@workflow
def chain(x: int) -> int:
    return add(a=double(x=x), b=1)


@workflow
def nested(x: int) -> int:
    return chain(x=chain(x=x))


# The release's own map_task: before 1.12 that is the container_array task, from then on the array node.
@workflow
def mapped(numbers: typing.List[int]) -> typing.List[int]:
    return map_task(double, concurrency=2)(x=numbers)


@workflow
def mapped_partly(numbers: typing.List[int]) -> int:
    return add_all(numbers=map_task(partial(add, b=10))(a=numbers))


@task
def picky(x: int) -> int:
    if x == 2:
        raise ValueError("not two")
    return x


@workflow
def mapped_ratio(numbers: typing.List[int]) -> typing.List[typing.Optional[int]]:
    return map_task(picky, min_success_ratio=0.5)(x=numbers)


if FLYTEKIT < (1, 12):
    from flytekit.experimental import map_task as other_map_task
else:
    from flytekit.core.legacy_map_task import map_task as other_map_task


@workflow
def mapped_otherwise(numbers: typing.List[int]) -> typing.List[int]:
    return other_map_task(double, concurrency=2)(x=numbers)


@dynamic
def fan_out(n: int) -> typing.List[int]:
    return [double(x=number) for number in range(n)]


@dynamic
def deeper(n: int) -> typing.List[int]:
    return fan_out(n=n)


@workflow
def dynamics(n: int) -> int:
    return add_all(numbers=deeper(n=n))


@task
def is_big(x: int) -> bool:
    return x > 10


@workflow
def branches(x: int) -> int:
    big = is_big(x=x)
    return (
        conditional("size")
        .if_(x > 100)
        .then(double(x=x))
        .elif_(big.is_true())
        .then(chain(x=x))
        .else_()
        .then(add(a=x, b=x))
    )


@task
def nothing() -> None:
    return None


@workflow
def ordered(x: int) -> int:
    first = create_node(nothing)
    second = create_node(double, x=x)
    first >> second
    return second.o0


@workflow
def gates() -> typing.Tuple[int, int]:
    number = wait_for_input("number", timeout=datetime.timedelta(minutes=10), expected_type=int)
    pause = sleep(datetime.timedelta(seconds=1))
    doubled = double(x=number)
    pause >> doubled
    return add(a=approve(doubled, "good", timeout=datetime.timedelta(minutes=10)), b=1), number


child_plan = LaunchPlan.get_or_create(chain, "client_flows.graphs.chain_plan", default_inputs={"x": 5})
fixed_plan = LaunchPlan.get_or_create(chain, "client_flows.graphs.fixed_plan", fixed_inputs={"x": 6})


@task
def year_of(at: datetime.datetime) -> int:
    return at.year


@workflow
def ticked(at: datetime.datetime) -> int:
    return year_of(at=at)


cron_plan = LaunchPlan.get_or_create(
    ticked,
    "client_flows.graphs.cron_plan",
    schedule=flytekit.CronSchedule(schedule="0 0 1 1 *", kickoff_time_input_arg="at"),
    max_parallelism=3,
    labels=flytekit.Labels({"kind": "cron"}),
    annotations=flytekit.Annotations({"why": "test"}),
)
rate_plan = LaunchPlan.get_or_create(
    chain,
    "client_flows.graphs.rate_plan",
    default_inputs={"x": 8},
    schedule=flytekit.FixedRate(duration=datetime.timedelta(days=1)),
)


@workflow
def launches(x: int) -> int:
    return add(a=child_plan(x=x), b=fixed_plan())


@task
def clean_up(x: int) -> None:
    print(f"cleaning up after {x}")


@task
def breaks(x: int) -> int:
    if x:
        raise ValueError(f"{x} is wrong")
    return x


if FLYTEKIT >= (1, 11):

    @workflow(on_failure=clean_up)
    def with_failure_node(x: int) -> int:
        return breaks(x=x)

"""How executions are started: overrides, launch plans, settings, and what runs beside the graph."""

import datetime
import os

from flytekit import LaunchPlan, Resources, eager, workflow
from flytekit.extras.tasks.shell import OutputLocation, ShellTask
from flytekit.types.file import FlyteFile

from flows.caching import remembered
from flows.small import LIMITS, REQUESTS, add, add_one, echo, naps, raises, task


@task(environment={"FROM_TASK": "task"})
def says_environment() -> str:
    return f"{os.environ.get('FROM_TASK')} {os.environ.get('FROM_RUN')}"


@workflow
def environments() -> str:
    return says_environment()


@task(retries=0)
def lucky_second_time(x: int) -> int:
    from flytekit.exceptions.user import FlyteRecoverableException

    if os.environ["FLYTE_ATTEMPT_NUMBER"] == "0":
        raise FlyteRecoverableException("not yet")
    return x


@workflow
def overridden(x: int) -> tuple[int, int]:
    first = lucky_second_time(x=x).with_overrides(retries=1, name="a second chance")
    second = add_one(x=x).with_overrides(
        node_name="renamed", limits=Resources(cpu="2", mem="190Mi"), requests=Resources(cpu="310m", mem="180Mi")
    )
    return first, second


@workflow
def overridden_timeout(seconds: float) -> float:
    return naps(seconds=seconds).with_overrides(timeout=datetime.timedelta(seconds=12))


@workflow
def overridden_cache(salt: str, x: int) -> tuple[int, int]:
    off = remembered(salt=salt, x=x).with_overrides(cache=False)
    on = add_one(x=x).with_overrides(cache=True, cache_version="1")
    return off, on


@task(interruptible=True)
def may_be_interrupted(x: int) -> int:
    return x


@workflow
def interruptible_task(x: int) -> int:
    return add(x=may_be_interrupted(x=x), y=1)


@workflow(interruptible=True)
def interruptible_workflow(x: int) -> int:
    return echo(x=add_one(x=x))


@workflow
def side_by_side(x: int) -> tuple[int, int, int]:
    return add_one(x=x), add_one(x=x), add_one(x=x)


@workflow
def fixed_and_default(a: int, b: int, c: int) -> tuple[int, int, int]:
    echo(x=a)
    return a, b, c


mixed_plan = LaunchPlan.get_or_create(
    fixed_and_default, name="flows.runs.mixed_plan", fixed_inputs={"a": 1}, default_inputs={"b": 2}
)


@eager
async def eager_sum(x: int) -> int:
    first = add_one(x=x)
    second = chain_of(x=first)
    return second + 100


@workflow
def chain_of(x: int) -> int:
    return echo(x=x)


@eager
async def eager_failure(x: int) -> int:
    return raising_flow(x=x)


@workflow
def raising_flow(x: int) -> int:
    return raises(x=x)


shell = ShellTask(
    name="flows.runs.shell",
    script="echo {inputs.word} > {outputs.made}; echo said {inputs.word}",
    inputs={"word": str},
    output_locs=[OutputLocation(var="made", var_type=FlyteFile, location="made.txt")],
    requests=REQUESTS,
    limits=LIMITS,
)


@task
def reads(file: FlyteFile) -> str:
    with open(file) as lines:
        return lines.read()


@workflow
def shell_flow(word: str) -> str:
    return reads(file=shell(word=word))

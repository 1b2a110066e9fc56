"""Small workflows, launch plans and values for command lines to handle."""

import datetime
import time
import typing

from flytekit import CronSchedule, ImageSpec, LaunchPlan, Resources, task, workflow
from flytekit.types.file import FlyteFile

SMALL = Resources(cpu="300m", mem="300Mi")


@task(requests=SMALL, limits=SMALL, cache=True, cache_version="1")
def greet(name: str, times: int = 1) -> str:
    """Greet somebody, so many times."""
    return " ".join([f"hello, {name}"] * times)


@workflow
def hello(name: str = "world", times: int = 1) -> str:
    """Greet by way of a task."""
    return greet(name=name, times=times)


@task(requests=SMALL, limits=SMALL)
def nap(seconds: int) -> int:
    time.sleep(seconds)
    return seconds


@workflow
def napping(seconds: int = 120) -> int:
    return nap(seconds=seconds)


@task(requests=SMALL, limits=SMALL)
def fails(x: int) -> int:
    if x:
        raise ValueError("it does")
    return x


@workflow
def failing(x: int = 1) -> int:
    return fails(x=x)


@task(requests=SMALL, limits=SMALL)
def many(
    i: int,
    f: float,
    b: bool,
    at: datetime.datetime,
    d: datetime.timedelta,
    xs: typing.List[int],
    m: typing.Dict[str, int],
) -> str:
    return f"{i} {f} {b} {at.isoformat()} {d} {xs} {m}"


@workflow
def all_kinds(
    i: int,
    f: float,
    b: bool,
    at: datetime.datetime,
    d: datetime.timedelta,
    xs: typing.List[int],
    m: typing.Dict[str, int],
) -> str:
    return many(i=i, f=f, b=b, at=at, d=d, xs=xs, m=m)


@task(requests=SMALL, limits=SMALL)
def read(file: FlyteFile) -> str:
    with open(file) as opened:
        return opened.read()


@workflow
def reading(file: FlyteFile) -> str:
    return read(file=file)


cron = LaunchPlan.get_or_create(
    hello,
    "command_flows.simple.cron",
    fixed_inputs={"name": "cron", "times": 1},
    schedule=CronSchedule(schedule="0 0 1 1 *", kickoff_time_input_arg=None),
)
plain = LaunchPlan.get_or_create(hello, "command_flows.simple.plain", default_inputs={"name": "plan", "times": 2})

image = ImageSpec(name="commands", builder="noop", base_image="localhost/flytekit:1")


@task(container_image=image, requests=SMALL, limits=SMALL)
def imaged() -> str:
    return "imaged"

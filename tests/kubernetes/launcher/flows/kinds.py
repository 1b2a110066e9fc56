"""Every kind of node, in stock flytekit."""

import os
import time

from flytekit import (
    ContainerTask,
    LaunchPlan,
    Resources,
    conditional,
    current_context,
    dynamic,
    kwtypes,
    map_task,
    task,
    workflow,
)
from flytekit.exceptions.user import FlyteRecoverableException
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

SMALL = {"requests": Resources(cpu="50m", mem="220Mi"), "limits": Resources(cpu="1", mem="300Mi")}


@task(**SMALL)
def double(x: int) -> int:
    print(f"doubling {x}")
    return 2 * x


@task(**SMALL)
def total(xs: list[int]) -> int:
    return sum(xs)


@task(retries=1, **SMALL)
def second_time(x: int) -> int:
    if os.environ["FLYTE_ATTEMPT_NUMBER"] == "0":
        raise FlyteRecoverableException("not yet")
    return x + 1


@task(**SMALL)
def slow(x: int, seconds: int) -> int:
    print(f"{current_context().execution_id.name} begins")
    time.sleep(seconds)
    return x


@workflow
def inner(x: int) -> int:
    return double(x=x)


inner_plan = LaunchPlan.get_or_create(inner, name="inner_plan")


@dynamic(**SMALL)
def fan(n: int) -> list[int]:
    return [double(x=i) for i in range(n)]


@workflow
def every(x: int = 3) -> int:
    a = double(x=x)
    mapped = map_task(double)(x=[1, 2])
    b = inner(x=a)
    c = inner_plan(x=a)
    d = total(xs=fan(n=2))
    e = conditional("big").if_(a > 5).then(second_time(x=a)).else_().then(double(x=a))
    return total(xs=[b, c, d, e, total(xs=mapped)])


@workflow
def slowly(seconds: int = 20) -> int:
    return total(xs=[slow(x=1, seconds=seconds), slow(x=2, seconds=seconds)])


def contained(name: str, script: str, inputs: dict, outputs: dict) -> ContainerTask:
    return ContainerTask(
        name=f"kinds.{name}",
        image="localhost/python:3.11",
        inputs=kwtypes(**inputs),
        outputs=kwtypes(**outputs),
        input_data_dir="/var/in",
        output_data_dir="/var/out",
        command=["/bin/sh", "-ec", script],
        **SMALL,
    )


fill = contained(
    "fill",
    "head -c {{.inputs.size}} /dev/zero >/var/out/large; mkdir -p /var/out/tree/below; echo 7 >/var/out/tree/below/seven",
    {"size": int},
    {"large": FlyteFile, "tree": FlyteDirectory},
)
measure = contained(
    "measure",
    "echo $(($(wc -c </var/in/large) + $(cat /var/in/tree/below/seven))) >/var/out/total",
    {"large": FlyteFile, "tree": FlyteDirectory},
    {"total": int},
)


@workflow
def by_files(size: int) -> int:
    large, tree = fill(size=size)
    return measure(large=large, tree=tree)

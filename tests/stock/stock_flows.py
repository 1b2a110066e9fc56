"""Workflows in stock flytekit that the platform must run."""

import os
import pathlib
import time

import numpy
from flytekit import ImageSpec, current_context, dynamic, eager, map_task, task, workflow
from flytekit.exceptions.user import FlyteRecoverableException

MODE_AT_IMPORT = os.environ.get("STOCK_MODE", "unset")
"""Read when the module is imported, as many libraries do."""

assert ImageSpec


@task
def draw(index: int) -> float:
    return float(numpy.random.rand())  # noqa: NPY002 - the global generator is the point


@workflow
def draws(indices: list[int]) -> list[float]:
    return map_task(draw)(index=indices)


@task(environment={"STOCK_MODE": "declared"})
def mode() -> str:
    return MODE_AT_IMPORT


@task
def mode_without() -> str:
    return MODE_AT_IMPORT


@workflow
def modes() -> tuple[str, str]:
    return mode(), mode_without()


@task
def add_one(x: int) -> int:
    return x + 1


@eager
async def innermost(x: int) -> int:
    return add_one(x=x)


@eager
async def middle(x: int) -> int:
    return await innermost(x=x) + 10


@eager
async def outermost(x: int) -> int:
    return await middle(x=x) + 100


@task(retries=2)
def fails_twice(folder: str) -> int:
    file = pathlib.Path(folder) / "tries"
    with file.open("a") as tries:
        tries.write("x")
    if len(file.read_text()) < 3:
        raise FlyteRecoverableException("not yet")
    return len(file.read_text())


@workflow
def patient(folder: str) -> int:
    return fails_twice(folder=folder)


@task
def divides(x: int) -> float:
    return 1 / x


@workflow
def broken(x: int) -> float:
    return divides(x=x)


@task
def sleeps(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


@workflow
def long_nap(seconds: float) -> int:
    return sleeps(seconds=seconds)


@task(cache=True, cache_version="1", cache_serialize=True)
def cached_once(folder: str, x: int) -> int:
    with (pathlib.Path(folder) / "runs").open("a") as runs:
        runs.write("x")
    time.sleep(0.3)
    return x * 2


@workflow
def cached(folder: str, x: int) -> int:
    return cached_once(folder=folder, x=x)


@dynamic
def countdown(n: int) -> int:
    """A dynamic node in a dynamic node, n deep."""
    if n == 0:
        return add_one(x=0)
    return countdown(n=n - 1)


@workflow
def nested(n: int) -> int:
    return countdown(n=n)


@task
def where() -> str:
    return current_context().execution_id.name

"""Workflows in stock flytekit that the platform must run."""

import os
import pathlib
import time

import numpy
from flytekit import ContainerTask, ImageSpec, current_context, dynamic, eager, kwtypes, map_task, task, workflow
from flytekit.exceptions.user import FlyteRecoverableException
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

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


@task
def texts(count: int) -> tuple[FlyteFile, FlyteDirectory]:
    folder = pathlib.Path("texts")
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.txt").write_text(f"line {number}\n")
    pathlib.Path("head.txt").write_text("head\n")
    return FlyteFile("head.txt"), FlyteDirectory(str(folder))


JOIN = """
echo {{.inputs.title}} | cat - /var/inputs/head /var/inputs/below/* > /var/outputs/joined
wc -l < /var/outputs/joined > /var/outputs/lines
"""
join = ContainerTask(
    name="stock_flows.join",
    image="debian:12",
    inputs=kwtypes(head=FlyteFile, below=FlyteDirectory, title=str),
    outputs=kwtypes(joined=FlyteFile, lines=int),
    input_data_dir="/var/inputs",
    output_data_dir="/var/outputs",
    command=["/bin/sh", "-c"],
    arguments=[JOIN],
)


@task
def read(joined: FlyteFile, lines: int) -> tuple[str, int]:
    return pathlib.Path(joined).read_text(), lines


@workflow
def contained(count: int, title: str) -> tuple[str, int]:
    head, below = texts(count=count)
    joined, lines = join(head=head, below=below, title=title)
    return read(joined=joined, lines=lines)


wordless = ContainerTask(
    name="stock_flows.wordless",
    image="debian:12",
    outputs=kwtypes(answer=int),
    output_data_dir="/var/outputs",
    command=["/bin/sh", "-c", "echo none > /var/outputs/answer"],
)


@workflow
def uncontained() -> int:
    return wordless()

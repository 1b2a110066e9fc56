"""Entities that the SDK's tests run in processes of their own, and on a platform."""

import os
import time
from dataclasses import dataclass
from datetime import timedelta

from volant import (
    Cache,
    CronSchedule,
    Deck,
    Directory,
    File,
    FlyteError,
    IgnoreOutputs,
    LaunchPlan,
    RecoverableError,
    Secret,
    approve,
    conditional,
    current_context,
    dynamic,
    eager,
    map_task,
    task,
    wait_for_input,
    workflow,
)


@dataclass
class Point:
    x: int
    y: float = 0.5


@task
def add(a: int, b: int = 3) -> int:
    """Add two numbers."""
    return a + b


@task
async def add_later(a: int, b: int) -> int:
    return a + b


@task
def nothing(a: int) -> None:
    print(f"nothing of {a}")


@task
def divide(a: int, b: int) -> tuple[int, int]:
    return divmod(a, b)


@task
def broken(a: int) -> int:
    return helper(a)


def helper(a: int) -> int:
    raise ValueError(f"no {a} today")


@task
def wrong_output(a: int) -> int:
    return str(a)


@task(retries=2)
def flaky(folder: str) -> int:
    path = os.path.join(folder, f"attempt-{current_context().attempt}")
    with open(path, "w"):
        pass
    if len(os.listdir(folder)) < 3:
        raise RecoverableError("not yet")
    return len(os.listdir(folder))


@task
def ignoring(a: int) -> int:
    raise IgnoreOutputs


@task
def exits(a: int) -> int:
    os._exit(3)


@task(enable_deck=True)
def decked(a: int) -> int:
    Deck("mine", f"<p>seen {a}</p>")
    current_context().default_deck.append("<b>first</b>")
    return a


@task(retries=1)
def counting(a: int) -> int:
    saved = current_context().checkpoint.read()
    current_context().checkpoint.write(str(int(saved or b"0") + a).encode())
    return int(saved or b"0")


@task(secret_requests=[Secret(group="g", key="k")])
def secretive() -> str:
    return current_context().secrets.get("g", "k")


@task
def big(size: int) -> str:
    return "x" * size


@task
def write_file(text: str) -> File["txt"]:  # noqa: F821 - the format, no name
    made = File.new("made.txt")
    with open(made.path, "w") as stream:
        stream.write(text)
    return made


@task
def read_file(file: File["txt"]) -> str:  # noqa: F821 - the format, no name
    with open(file) as stream:
        return stream.read()


@task
def write_folder(names: list[str]) -> Directory:
    made = Directory.new("made")
    for name in names:
        with open(os.path.join(made.path, name), "w") as stream:
            stream.write(name.upper())
    return made


@task
def read_folder(folder: Directory) -> list[str]:
    return [(folder / name).read_text() for name in sorted(os.listdir(folder))]


@task
def make_point(x: int) -> Point:
    return Point(x)


@task
def unannotated(thing):
    return {"got": thing}


@task(cache=Cache(version="1"))
def slow_square(x: int) -> int:
    time.sleep(0.2)
    return x * x


@task(timeout=timedelta(seconds=0.2))
def too_slow(x: int) -> int:
    time.sleep(5)
    return x


@workflow
def files(text: str) -> str:
    return read_file(file=write_file(text=text))


@workflow
def folders(names: list[str]) -> list[str]:
    return read_folder(folder=write_folder(names=names))


@workflow
def chain(a: int, b: int = 1) -> int:
    return add(a=add(a=a, b=b), b=make_point(x=5).x)


@workflow
def squares(xs: list[int]) -> list[int]:
    return map_task(slow_square)(x=xs)


@workflow
def branching(a: int) -> int:
    return conditional("size").if_(a > 5).then(slow_square(x=a)).else_().then(add(a=a))


@dynamic
def grow(n: int) -> list[int]:
    return [add(a=i) for i in range(n)]


@dynamic
def sized(n: int) -> int:
    total = add(a=n, b=0)
    return conditional("size").if_(total < 10).then(slow_square(x=n)).else_().then(add(a=n))


@workflow
def grown(n: int) -> list[int]:
    return grow(n=add(a=n, b=0))


@workflow
def steering(n: int) -> int:
    total = add(a=n, b=0)
    while total < 10:
        total = add(a=total, b=total)
    return total


@eager
async def awaiting(n: int) -> int:
    first = add(a=n, b=1)
    second = await add_later(a=await first, b=1)
    return first + second


@workflow
def failing(a: int) -> int:
    return broken(a=add(a=a))


@task
def note_failure(a: int, err: FlyteError | None = None) -> None:
    folder = os.environ.get("NOTES", "/tmp")
    with open(os.path.join(folder, "failure"), "w") as stream:
        stream.write(f"{a} {err.message.splitlines()[-1].strip() if err else None}")


@workflow(on_failure=note_failure)
def guarded(a: int) -> int:
    return broken(a=a)


@workflow
def gated(a: int) -> int:
    checked = approve(add(a=a), "go", timeout=timedelta(minutes=5))
    more = wait_for_input("more", timeout=timedelta(minutes=5), expected_type=int)
    return add(a=checked, b=more)


@workflow
def tried(folder: str) -> int:
    return flaky(folder=folder)


nightly = LaunchPlan.get_or_create(
    chain, name="sdk_nightly", default_inputs={"a": 4}, schedule=CronSchedule(schedule="0 3 * * *")
)


@workflow
def planned() -> int:
    return add(a=nightly())


@task
def touch(folder: str, name: str, pause: float) -> str:
    time.sleep(pause)
    with open(os.path.join(folder, f"{name}-{time.monotonic_ns()}"), "w"):
        pass
    return name

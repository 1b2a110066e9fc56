"""Eager workflows that are killed, aborted and watched."""

import os
import pathlib
import signal
import time
from datetime import timedelta

from volant import LaunchPlan, Resources, approve, eager, map_task, task, workflow


def note(folder: str, name: str, what: str) -> None:
    """A line in a file of that name: what, pid, time."""
    with (pathlib.Path(folder) / name).open("a") as file:
        file.write(f"{what} {os.getpid()} {time.time()}\n")


def die_once(folder: str) -> None:
    """Kill this process, if that was not done before."""
    mark = pathlib.Path(folder) / "killed"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


@task
def step(folder: str, name: str, pause: float, x: int) -> int:
    note(folder, name, "began")
    time.sleep(pause)
    note(folder, name, "ended")
    return x + 1


@workflow
def ten(folder: str) -> int:
    count = 0
    for number in range(10):
        count = step(folder=folder, name=f"child{number}", pause=0.0, x=count)
        if number == 4 and count == 5:
            die_once(folder)
    return count


class Table:
    """Travels as a pickle, outside of its literal."""

    def __init__(self, rows: list[int]) -> None:
        self.rows = rows


@task
def rows(folder: str, table: Table) -> int:
    note(folder, "rows", "began")
    return len(table.rows)


@eager
def framed(folder: str) -> int:
    found = rows(folder=folder, table=Table([1, 2, 3])) + 0
    die_once(folder)
    return found


@workflow
def slow(folder: str) -> int:
    note(folder, "100", "began")
    count = 0
    for number in range(6):
        count = step(folder=folder, name=str(number), pause=1.0, x=count)
        if count > 100:
            break
    note(folder, "100", "ended")
    return count


@task(requests=Resources(cpu="50m"))
def meet(folder: str, number: int, count: int) -> int:
    """Ends when all have begun."""
    note(folder, f"meet{number}", "began")
    last = time.monotonic() + 60
    while len(list(pathlib.Path(folder).glob("meet*"))) < count:
        if time.monotonic() > last:
            raise TimeoutError("the others never came")
        time.sleep(0.02)
    return number


@eager
def together(folder: str, count: int) -> int:
    return sum([meet(folder=folder, number=number, count=count) for number in range(count)])


@task
def broken(x: int) -> int:
    raise ValueError(f"no {x} today")


@workflow
def catching(x: int) -> str:
    try:
        return "not " + str(broken(x=x) + 1)
    except ValueError as error:
        return "caught" if f"no {x} today" in str(error) else "something else"


@task
def double(x: int) -> int:
    return 2 * x


@workflow
def graph(x: int) -> int:
    return double(x=double(x=x))


doubled = LaunchPlan.get_or_create(graph, name="eager_flows_doubled")


@eager
async def kinds(xs: list[int]) -> list[int]:
    """A map, a workflow, a launch plan, a gate."""
    mapped = map_task(double)(x=xs)
    below = graph(x=1)
    launched = doubled(x=1)
    allowed = approve(await below, "go", timeout=timedelta(minutes=2))
    return [*mapped, below, await launched, allowed]


@eager
def inner(x: int) -> int:
    return double(x=x) + 0


@workflow
def middle(x: int) -> int:
    return inner(x=x) + inner(x=double(x=x))


@workflow
def outer(x: int) -> int:
    found = middle(x=x)
    return found if found < 30 else 0


@eager
def giving_up(folder: str) -> int:
    step(folder=folder, name="slow", pause=60.0, x=0)
    if step(folder=folder, name="quick", pause=0.0, x=0) == 1:
        raise ValueError("enough")
    return 1


@eager
def waiting_long(folder: str) -> int:
    return step(folder=folder, name="slow", pause=60.0, x=0)


@task(cache=True, cache_version="1")
def costly(folder: str, x: int) -> int:
    note(folder, "costly", "began")
    return x


@eager
def caching(folder: str) -> int:
    return costly(folder=folder, x=1) + costly(folder=folder, x=2)

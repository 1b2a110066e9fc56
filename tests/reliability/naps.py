"""The workflow of the kill test: 20 tasks that sleep, each telling when it began and ended."""

import os
import pathlib
import time

from flytekit import task, workflow


def note(index: int, what: str) -> None:
    """Append a line to the task's own file: `what`, pid, time."""
    folder = pathlib.Path(os.environ["NAPS_FOLDER"])
    with (folder / str(index)).open("a") as file:
        file.write(f"{what} {os.getpid()} {time.time()}\n")


@task
def nap(index: int, seconds: float) -> int:
    note(index, "began")
    time.sleep(seconds)
    note(index, "ended")
    return index


@task
def total(values: list[int]) -> int:
    return sum(values)


@workflow
def naps(lengths: list[float]) -> int:
    return total(values=[nap(index=index, seconds=lengths[index]) for index in range(20)])

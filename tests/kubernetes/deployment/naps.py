"""Tasks that take their time, for stock flytekit: what is in flight while the platform changes."""

import time

from flytekit import Resources, task, workflow

ASKS, MOST = Resources(cpu="50m", mem="200Mi"), Resources(cpu="1", mem="600Mi")


@task(requests=ASKS, limits=MOST)
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@task(requests=ASKS, limits=MOST)
def total(first: float, second: float, third: float) -> float:
    return first + second + third


@workflow
def naps(seconds: float = 20.0) -> float:
    """Two side by side, then one that began after whatever happened, then their sum."""
    third = nap(seconds=1.0)
    first = nap(seconds=seconds)
    second = nap(seconds=seconds)
    first >> third
    return total(first=first, second=second, third=third)

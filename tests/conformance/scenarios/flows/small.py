"""The decorators with requests that fit a small machine, and the tasks that many workflows use."""

import functools

import flytekit
from flytekit import Resources
from flytekit.core.task import Echo

REQUESTS = Resources(cpu="300m", mem="200Mi")
LIMITS = Resources(cpu="1", mem="200Mi")

task = functools.partial(flytekit.task, requests=REQUESTS, limits=LIMITS)
dynamic = functools.partial(flytekit.dynamic, requests=REQUESTS, limits=LIMITS)

# Done by the engine itself: it costs nothing where only the graph counts.
echo = Echo(name="flows.small.echo", inputs={"x": int})
echo_text = Echo(name="flows.small.echo_text", inputs={"text": str})


@task
def add_one(x: int) -> int:
    return x + 1


@task
def add(x: int, y: int) -> int:
    return x + y


@task
def raises(x: int) -> int:
    raise ValueError(f"no luck with {x}")
    return x  # flytekit asks for a return


@task
def naps(seconds: float) -> float:
    import time

    time.sleep(seconds)
    return seconds

"""What the benchmarks run, in our SDK."""

from volant import task


@task
def noop(x: int) -> int:
    return x
